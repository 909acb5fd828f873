"""Amounts as a person reads them."""


def size(count: int) -> str:
    """Bytes: 12 kB, 491 MB, 1.1 GB."""
    if count < 1e6:
        return f"{count / 1e3:.0f} kB"
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
