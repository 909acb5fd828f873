"""The backends that there are; each is imported on first use."""

from importlib import import_module

from workbench.backends.base import Backend
from workbench.errors import BackendUnreachable
from workbench.settings import Settings

BACKENDS: tuple[str, ...] = ("embedded", "ollama", "openai", "scripted")


def create(name: str, settings: Settings) -> Backend:
    """The backend of that name: `workbench.backends.<name>` has a function `create(settings)`.

    Raises KeyError for a name that is not in BACKENDS, and BackendUnreachable when its package is not installed.
    """
    if name not in BACKENDS:
        raise KeyError(name)
    try:
        backend: Backend = import_module(f"workbench.backends.{name}").create(settings)
    except ModuleNotFoundError as error:
        raise BackendUnreachable(
            f"The backend {name} is not installed: the package {error.name} is missing.", "Run `make setup`."
        ) from error
    return backend
