"""The MCP servers that a person has named, kept in the home as mcp.json, and what each listed when it was looked at."""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote_plus, urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from workbench.errors import InvalidRequest, StoreError
from workbench.settings import Settings

FILE, LISTED = "mcp.json", "mcp-tools.json"
SERVERS = "mcpServers"  # as other programs' files of this kind have it
LONGEST_NAME = 24
MOST_TOOLS = 100
MASK = "[secret]"
SHORTEST_SECRET = 6  # shorter values are words
LOOK = "Add it under Models, Tools, or with `python -m workbench tools mcp add`."
_KEY = re.compile(r"(?=.*\d)([A-Za-z]+ )?[^\s/]{16,}")  # a file from another program may have it written out
_BARE_KEY = re.compile(r"(?=.*\d)(?!-)[A-Za-z0-9_-]{16,}")  # among a command's words, where names have versions
_NAMES_KEY = re.compile(r"(key|token|secret|password|passwd|pwd|auth|authorization|cookie|credentials?|sig)$", re.I)
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class ToolServer(BaseModel):
    """A server: a command that speaks on standard input and output, or an address.

    In `env` and `headers`, ${NAME} stands for what that variable holds when the server is started.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str = Field(max_length=LONGEST_NAME, pattern=r"^[A-Za-z0-9]+([_-][A-Za-z0-9]+)*$")
    command: str = ""
    args: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)
    cwd: str = ""
    url: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    type: Literal["", "stdio", "http", "streamable-http", "streamable_http", "sse"] = ""

    @field_validator("url")
    @classmethod
    def _address(cls, text: str) -> str:
        if text and (urlsplit(text).scheme not in ("http", "https") or not urlsplit(text).hostname):
            raise ValueError("its address must be one such as http://127.0.0.1:8000/mcp")
        return text

    @model_validator(mode="after")
    def _either(self) -> "ToolServer":
        if bool(self.command) == bool(self.url):
            raise ValueError("it needs a command or a url, and not both")
        return self

    @property
    def place(self) -> str:
        """Its command line or its address, without any value of a variable and what is written out like a key."""
        parts = [bare(part) for part in (self.url, self.command, *self.args) if part]
        return masked(" ".join(parts), _longest(self._written()))

    @property
    def variables(self) -> list[str]:
        """The variables that it is given."""
        return sorted(
            {name for text in (*self.env.values(), *self.headers.values()) for name in _VARIABLE.findall(text)}
        )

    @property
    def digest(self) -> str:
        """What it was when it was looked at; another command or address has another."""
        return _digest(self.model_dump(exclude={"name"}))

    def filled(self, given: Mapping[str, str], settings: Settings) -> dict[str, str]:
        """`env` or `headers` with the variables' values. Raises InvalidRequest for one that is not set."""
        return {
            name: _VARIABLE.sub(lambda found: self._value(found[1], settings), text) for name, text in given.items()
        }

    def _value(self, variable: str, settings: Settings) -> str:
        secret = settings.secret(variable)
        if secret is None:
            said = f"The variable {variable}, which the MCP server {self.name} wants, is not set."
            raise InvalidRequest(said, "Put it into .env or your shell.")
        return secret.get_secret_value()

    def secrets(self, settings: Settings) -> list[str]:
        """Values that no log may hold, longest first: those of its variables, and what is written out like a key."""
        own = (secret.get_secret_value() for name in self.variables if (secret := settings.secret(name)))
        return _longest((*own, *self._written()))

    def _written(self) -> Iterator[str]:
        """What is written out like a key, or under a key's name, and in an address for whom it is."""
        for name, text in (*self.env.items(), *self.headers.items()):
            if not _VARIABLE.search(text) and (_NAMES_KEY.search(name) or _KEY.fullmatch(text)):
                yield from (text, text.split(" ", 1)[-1])  # a header has a word such as Bearer before it
        for before, text in zip(("", *self.args), self.args, strict=False):
            name, _, value = text.partition("=")
            if value and _NAMES_KEY.search(name):  # --token=..., or API_KEY=... for a container
                yield value
            elif (before.startswith("-") and _NAMES_KEY.search(before)) or _BARE_KEY.fullmatch(text):
                yield text
        for text in (self.url, *self.args):
            yield from _keys_in(text)


class ServedTool(BaseModel):
    """A tool as its server listed it, within our bounds. `own_name` is the server's; `name` is what a model calls."""

    model_config = ConfigDict(frozen=True)

    name: str
    own_name: str
    description: str
    parameters: dict[str, Any]
    digest: str
    reads_only: bool = False
    trusted: bool = False


class Listing(BaseModel):
    """What a server listed when it was looked at. `unusable` says of each tool that cannot be offered why not."""

    model_config = ConfigDict(frozen=True)

    server: str
    looked_at: str
    title: str = ""
    instructions: str = ""
    tools: tuple[ServedTool, ...] = ()
    unusable: dict[str, str] = Field(default_factory=dict)


class ToolServers:
    """The named servers of a home. Writing replaces a file whole, so that a reader never sees half of one."""

    def __init__(self, settings: Settings) -> None:
        self._file, self._listed = settings.home / FILE, settings.home / LISTED

    def all(self) -> list[ToolServer]:
        """Every server that is not disabled. Raises InvalidRequest that says what is wrong with the file."""
        entries = self._raw().get(SERVERS, {})
        if not isinstance(entries, dict):
            raise InvalidRequest(f"{self._file} has no {SERVERS!r}.", "Correct the file, or remove it.")
        shown = ((name, entry) for name, entry in entries.items() if not _is_disabled(entry))
        return [self._read(name, entry) for name, entry in shown]

    def find(self, name: str) -> ToolServer:
        """The server of that name. Raises InvalidRequest."""
        found = next((server for server in self.all() if server.name == name), None)
        if found is None:
            raise InvalidRequest(f"There is no MCP server named {name!r}.", LOOK)
        return found

    def listing(self, server: ToolServer) -> Listing | None:
        """What the server listed when it was looked at; None before, and when its command or address has changed."""
        listing = self._listings().get(server.name)
        return listing if listing is not None and listing.server == server.digest else None

    def tools(self) -> dict[str, tuple[ToolServer, ServedTool]]:
        """Every tool that can be offered, by the name that a model calls it by. Raises InvalidRequest."""
        found = ((server, self.listing(server)) for server in self.all())
        return {tool.name: (server, tool) for server, listing in found if listing for tool in listing.tools}

    def keep(self, server: ToolServer, listing: Listing) -> None:
        """Keep a server, in place of an enabled one of its name, and its listing. Raises InvalidRequest, StoreError."""
        raw = self._raw()
        if _is_disabled(raw.get(SERVERS, {}).get(server.name)):
            said = f"There is an MCP server {server.name} already, which is disabled in {FILE}."
            raise InvalidRequest(said, "Enable it there, or choose another name.")
        self.keep_listing(server.name, listing)
        entry = server.model_dump(exclude={"name"}, exclude_defaults=True, mode="json")
        raw[SERVERS] = {**raw.get(SERVERS, {}), server.name: entry}
        self._write(self._file, raw)

    def keep_listing(self, name: str, listing: Listing) -> None:
        """Keep what a server lists now; the same tool of the same server stays trusted. Raises StoreError."""
        before = self._listings().get(name)
        same = before.tools if before and before.server == listing.server else ()
        trusted = {tool.digest for tool in same if tool.trusted}
        tools = tuple(tool.model_copy(update={"trusted": tool.digest in trusted}) for tool in listing.tools)
        self._put(name, listing.model_copy(update={"tools": tools}))

    def trust(self, names: Sequence[str], trusted: bool) -> None:
        """Let tools be called without asking the person, or not any more. Raises InvalidRequest, StoreError."""
        known = self.tools()
        for name in names:
            if name not in known:
                raise InvalidRequest(f"No MCP server has a tool named {name!r}.", "`tools mcp list` shows them.")
        for server in self.all():
            if listing := self.listing(server):
                tools = tuple(
                    tool.model_copy(update={"trusted": trusted}) if tool.name in names else tool
                    for tool in listing.tools
                )
                self._put(server.name, listing.model_copy(update={"tools": tools}))

    def remove(self, name: str) -> None:
        """Forget a server. Raises InvalidRequest, StoreError."""
        self.find(name)
        raw = self._raw()
        raw[SERVERS] = {other: entry for other, entry in raw[SERVERS].items() if other != name}
        self._write(self._file, raw)
        self._put(name, None)

    def _put(self, name: str, listing: Listing | None) -> None:
        kept = {**self._listings(), name: listing}
        self._write(self._listed, {other: one.model_dump(mode="json") for other, one in kept.items() if one})

    def _read(self, name: str, entry: Any) -> ToolServer:
        try:
            return ToolServer.model_validate({**entry, "name": name} if isinstance(entry, dict) else entry)
        except ValidationError as error:
            first = error.errors()[0]
            said = first["msg"].removeprefix("Value error, ")
            if first["loc"] == ("name",):
                said = f"a name has letters and digits, single - or _ between them, and {LONGEST_NAME} signs at most"
            hint = f"Correct it in {FILE} in the data folder." if self._file.exists() else "Correct it."
            raise InvalidRequest(f"The MCP server {name[:40]!r} cannot be used: {said}.", hint) from None

    def checked(self, server: Mapping[str, Any]) -> ToolServer:
        """A server from plain fields. Raises InvalidRequest."""
        return self._read(str(server.get("name", "")), dict(server))

    def _raw(self) -> dict[str, Any]:
        found = _json(self._file)
        if not isinstance(found, dict):
            raise InvalidRequest(f"{self._file} is no JSON object.", "Correct the file, or remove it.")
        return found

    def _listings(self) -> dict[str, Listing]:
        """By the servers' names; a damaged file is as none: the servers are looked at again."""
        with suppress(ValidationError, InvalidRequest, AttributeError):
            return {name: Listing.model_validate(one) for name, one in _json(self._listed).items()}
        return {}

    def _write(self, path: Path, value: Any) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # only its owner may read it
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(value, file, indent=2, ensure_ascii=False)
            os.replace(temporary, path)
        except OSError as error:
            raise StoreError(f"{path} cannot be written: {error.strerror}.", "Free space or give permission.") from None


def bare(text: str) -> str:
    """An address without what may hold a key: for whom it is, and its query. Any other text is as it was."""
    with suppress(ValueError):
        parts = urlsplit(text)
        if "://" in text and parts.netloc:
            return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    return text


def _keys_in(text: str) -> Iterator[str]:
    """What in an address may be a key, as it is written and as it is meant."""
    with suppress(ValueError):
        parts = urlsplit(text if "://" in text else "")
        found = parts.netloc.rpartition("@")[0].split(":", 1)
        found += [part for part in parts.path.split("/") if _KEY.fullmatch(part)]
        for name, _, value in (pair.partition("=") for pair in parts.query.split("&")):
            if _NAMES_KEY.search(name) or any(sign.isdigit() for sign in value):
                found.append(value)
        for value in found:
            yield from (value, unquote_plus(value))


def _longest(values: Iterable[str]) -> list[str]:
    """Those that are no mere words, longest first."""
    return sorted({value for value in values if len(value) >= SHORTEST_SECRET}, key=len, reverse=True)


def masked(text: str, secrets: Sequence[str]) -> str:
    """A text of a server's without the values that it was given."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def digest_of(own_name: str, description: str, parameters: Any, reads_only: bool) -> str:
    """What a tool claims to be: it changes when any of it does."""
    return _digest([own_name, description, parameters, reads_only])


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _is_disabled(entry: Any) -> bool:
    return isinstance(entry, dict) and entry.get("disabled") is True


def _json(path: Path) -> Any:
    """The file's value; an empty object where there is none. Raises InvalidRequest."""
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except (OSError, ValueError, RecursionError) as error:
        raise InvalidRequest(f"{path} cannot be read: {error}.", "Correct the file, or remove it.") from None
