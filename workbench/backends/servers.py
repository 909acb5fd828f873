"""Servers that a person has named: several of one kind, each a backend of its own, called kind@name."""

import ipaddress
import re
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field

from workbench.backends.manage import span
from workbench.errors import InvalidRequest

KINDS: tuple[str, ...] = ("ollama", "openai")  # of backends that can have several servers
KEYRING = "keyring"
VARIABLE = "env:"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
# Capitals alone: a key that was pasted in the place of its variable's name has small letters or dashes.
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,59}")
_PORTS = {"http": 80, "https": 443}
_OLLAMA_PORT = 11434
EXAMPLES = {"ollama": "http://192.168.1.20:11434", "openai": "https://api.groq.com/openai/v1"}


class Server(BaseModel):
    """One named server. `address` has neither user nor password, and `key_from` says where its key is, never the key.

    `key_from` is empty (it needs none), `env:VARIABLE` or `keyring`. The options are `keep_alive` (Ollama),
    `key_kept_at`, when the key in the keyring was last given, and `key_id`, which tells it from another data folder's.
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

    @property
    def setting(self) -> str:
        """What a person changes to give it another address."""
        return f"the address of {self.id} under Models"

    @property
    def variable(self) -> str:
        """The environment variable that its key is in; empty when it is elsewhere or there is none."""
        return self.key_from.removeprefix(VARIABLE) if self.key_from.startswith(VARIABLE) else ""

    @property
    def in_the_open(self) -> bool:
        """Whether prompts and the key travel over a network as plain text."""
        return in_the_open(self.address)


def in_the_open(address: str) -> bool:
    """Whether what is sent to an address travels over a network as plain text."""
    return not (is_loopback(address) or address.lower().startswith("https://"))


def kind_of(backend: str) -> str:
    """The kind of a backend: `ollama` of both `ollama` and `ollama@lab`."""
    return backend.partition("@")[0]


def name_of(backend: str) -> str:
    """The name of a named server; empty for the backend of a kind itself."""
    return backend.partition("@")[2]


def check_name(name: str) -> str:
    """The name, if a server may have it. Raises InvalidRequest."""
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"A server cannot be called {name!r}.", "Use up to 40 small letters, digits, dots, dashes and underscores."
        )
    return name


def unknown(backend: str, kinds: Iterable[str]) -> InvalidRequest:
    """What to say of a backend that there is none of."""
    name = name_of(backend)
    if name and kind_of(backend) in KINDS:
        return InvalidRequest(
            f"There is no server named {name} here ({backend}).",
            f"Add it under Models or with `python -m workbench models servers add {backend} ADDRESS`,"
            " or choose another backend.",
        )
    return InvalidRequest(f"There is no backend named {backend!r}.", f"Choose one of: {', '.join(kinds)}.")


def checked(server: Server) -> Server:
    """The server as it may be kept, its address with scheme and port. Raises InvalidRequest."""
    if server.kind not in KINDS:
        raise InvalidRequest(f"There are no servers of the kind {server.kind!r}.", f"Choose {' or '.join(KINDS)}.")
    check_name(server.name)
    options = {**server.options}
    if options.get("keep_alive"):
        options["keep_alive"] = span(options["keep_alive"])
    if server.key_from not in ("", KEYRING):
        check_variable(server.variable)
    return server.model_copy(update={"address": check_address(server.kind, server.address), "options": options})


def check_variable(name: str) -> str:
    """The name, if it can be one of an environment variable. Raises InvalidRequest, which does not repeat it."""
    if not _VARIABLE.fullmatch(name):
        raise InvalidRequest(
            "That is no name of an environment variable.",
            "Give the variable's name in capitals, such as GROQ_API_KEY; the key itself belongs into .env or the"
            " keyring.",
        )
    return name


def check_address(kind: str, address: str) -> str:
    """The address as it is kept. Raises InvalidRequest, which repeats nothing of one that holds a secret."""
    text, example = whole(kind, address.strip().rstrip("/")), f"Write it as {EXAMPLES[kind]}."
    parts = _split(text)
    if parts is None or parts.scheme not in _PORTS or not parts.hostname or any(sign.isspace() for sign in text):
        said = "" if "@" in address or "?" in address else f": {address.strip()!r}"
        raise InvalidRequest(f"That is not an address of a server{said}.", example)
    if "@" in parts.netloc:
        raise InvalidRequest(
            "The address holds a user or a password.",
            f"Leave them out and say where the key is instead: a variable or the keyring. {example}",
        )
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise InvalidRequest(
            "The address goes on after its path (? or #), where a key may be.",
            f"Leave that out and say where the key is instead: a variable or the keyring. {example}",
        )
    return text


def whole(kind: str, address: str) -> str:
    """An address with the scheme and the port that Ollama's own commands let one leave out."""
    if kind != "ollama" or not address or "://" in address:
        return address
    host, slash, path = address.partition("/")
    port = "" if re.search(r":\d+$", host) else f":{_OLLAMA_PORT}"
    return f"http://{host}{port}{slash}{path}"


def origin(address: str) -> str:
    """Scheme, host and port of an address, written in one way; empty for what is no address."""
    parts = _split(address)
    if parts is None or not parts.hostname:
        return ""
    scheme, host = parts.scheme.lower(), parts.hostname.lower()
    host = f"[{host}]" if ":" in host else host
    port = parts.port or _PORTS.get(scheme)
    return f"{scheme}://{host}" if port == _PORTS.get(scheme) else f"{scheme}://{host}:{port}"


def is_loopback(address: str) -> bool:
    """Whether an address, with or without its scheme, is on this machine."""
    parts = _split(address if "://" in address else f"http://{address}")
    host = (parts.hostname or "localhost") if parts else ""  # an address that names none is this machine's
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _split(address: str) -> SplitResult | None:
    with suppress(ValueError):
        parts = urlsplit(address)
        _ = parts.port  # raises when it is no number
        return parts
    return None
