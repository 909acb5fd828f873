"""The backends that there are; each is imported on first use."""

from importlib import import_module

from workbench.backends.base import Backend
from workbench.settings import Settings

BACKENDS: tuple[str, ...] = ("embedded", "ollama", "openai", "scripted")


def create(name: str, settings: Settings) -> Backend:
    """The backend of that name: `workbench.backends.<name>` has a function `create(settings)`. Raises KeyError."""
    if name not in BACKENDS:
        raise KeyError(name)
    backend: Backend = import_module(f"workbench.backends.{name}").create(settings)
    return backend
