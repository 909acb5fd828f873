"""Servers that a person has named: several of one kind, each a backend of its own, called kind@name."""

import re

from pydantic import BaseModel, ConfigDict, Field

from workbench.errors import InvalidRequest

KINDS: tuple[str, ...] = ("ollama", "openai")  # of backends that can have several servers
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


class Server(BaseModel):
    """One named server. `address` has neither user nor password, and `key_from` says where its key is, never the key.

    `key_from` is empty (it needs none), `env:VARIABLE` or `keyring`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: str
    name: str
    address: str
    model: str = ""
    key_from: str = ""
    options: dict[str, str] = Field(default_factory=dict)
    created_at: str = ""

    @property
    def id(self) -> str:
        """What requests call it: kind@name."""
        return f"{self.kind}@{self.name}"


def kind_of(backend: str) -> str:
    """The kind of a backend: `ollama` of both `ollama` and `ollama@lab`."""
    return backend.partition("@")[0]


def check_name(name: str) -> str:
    """The name, if a server may have it. Raises InvalidRequest."""
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"A server cannot be called {name!r}.", "Use up to 40 small letters, digits, dots, dashes and underscores."
        )
    return name
