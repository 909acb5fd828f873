"""The backends that there are; each is imported on first use."""

from importlib import import_module

from workbench.backends import keys
from workbench.backends.base import Backend
from workbench.backends.keys import Key
from workbench.backends.servers import Server
from workbench.errors import BackendUnreachable
from workbench.settings import Settings

BACKENDS: tuple[str, ...] = ("embedded", "ollama", "openai", "scripted")


def create(name: str, settings: Settings, server: Server | None = None, key: Key | None = None) -> Backend:
    """The backend of that name: `workbench.backends.<kind>` has a function `create(settings)`.

    For a named server it has `create_for(server, key, settings)`; its `key` is read from its place unless given. Raises
    KeyError for a name that is not in BACKENDS and without a server, and BackendUnreachable when its package is not
    installed.
    """
    kind = server.kind if server else name
    if kind not in BACKENDS:
        raise KeyError(name)
    try:
        module = import_module(f"workbench.backends.{kind}")
        backend: Backend = (
            module.create_for(server, key or keys.of(server, settings), settings) if server else module.create(settings)
        )
    except ModuleNotFoundError as error:
        raise BackendUnreachable(
            f"The backend {kind} is not installed: the package {error.name} is missing.", "Run `make setup`."
        ) from error
    return backend
