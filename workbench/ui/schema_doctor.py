"""How often each model's answers fit their schemas, and what was wrong with those that did not."""


def draw() -> None:
    """The whole view."""
