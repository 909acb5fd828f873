"""An Ollama server's models on the Models page."""

from workbench.ui import model_rows


def section(backend: str) -> None:
    """The server and its models."""
    model_rows.section(backend)
