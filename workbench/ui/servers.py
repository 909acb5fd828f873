"""The servers that a person has named: the form that adds one, and what changes or removes it."""


def draw() -> None:
    """Add a server."""
