"""What models cost in seconds, in energy and in money."""


def draw() -> None:
    """The whole view."""
