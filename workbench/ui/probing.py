"""What was measured of the models by probing them."""


def draw() -> None:
    """The whole view."""
