"""Servers that a person has named, cared for: tried, kept with their keys, changed and removed."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from pydantic import SecretStr

from workbench.backends import keys, registry
from workbench.backends.base import Backend, BackendStatus
from workbench.backends.servers import KEYRING, Server, checked, name_of, origin, unknown
from workbench.errors import InvalidRequest, WorkbenchError
from workbench.settings import Settings
from workbench.store.database import Database
from workbench.store.servers import ServerStore

TRIAL_SECONDS = 20.0
NO_ANSWER = f"It did not answer within {TRIAL_SECONDS:.0f} seconds."
PLAIN_TEXT = (
    "Prompts, answers and the key go to this address as plain text: whoever is on the way can read them."
    " Use https, or a tunnel such as SSH's."
)


@dataclass(frozen=True)
class Trial:
    """What came of asking a server; `milliseconds` is how long it took to ask again, None when it did not answer."""

    status: BackendStatus
    milliseconds: int | None = None

    @property
    def answers(self) -> bool:
        """Whether something of the right kind is there, models or not."""
        return self.milliseconds is not None

    def __str__(self) -> str:
        """What it found, in a sentence or two."""
        detail = self.status.detail.rstrip(".")
        return f"{detail}. It answers in {self.milliseconds:,} ms." if self.answers else f"{detail}."


async def tried(server: Server, settings: Settings, secret: SecretStr | None = None) -> Trial:
    """Ask a server how it is, with a key that need not be kept yet. Never raises but InvalidRequest for its fields."""
    server = checked(server)
    key = keys.given(secret, f"The key of {server.id}", "Correct the key.") if secret else None
    try:
        backend = registry.create(server.id, settings, server, key)
    except WorkbenchError as error:
        return Trial(BackendStatus(ready=False, detail=error.message, hint=error.hint))
    try:
        async with asyncio.timeout(TRIAL_SECONDS):
            return await _asked_twice(backend)
    except TimeoutError:
        return Trial(BackendStatus(ready=False, detail=NO_ANSWER))
    finally:
        await backend.close()


async def _asked_twice(backend: Backend) -> Trial:
    """The second time no connection has to come about, and no keyring to be unlocked."""
    status = await backend.status()
    if not (status.ready or status.empty):
        return Trial(status)
    began = time.perf_counter()
    status = await backend.status()
    return Trial(status, max(1, round((time.perf_counter() - began) * 1000)))


def keep(store: ServerStore, server: Server, settings: Settings, secret: SecretStr | None = None) -> Server:
    """Keep a server, in place of one of the same id, and its key if its place is the keyring.

    The keyring may wait for its person. Raises InvalidRequest when something is amiss: then nothing has changed.
    """
    before = store.find(server.id)
    server = _with_key_id(checked(server), before, secret)
    if server.variable and settings.secret(server.variable) is None:
        raise InvalidRequest(
            f"The variable {server.variable} is not set.", "Put the key there first, in .env or your shell."
        )
    has_key = before is not None and before.key_from == KEYRING and _same_place(before, server)
    if server.key_from == KEYRING:
        if secret is not None:
            keys.put(server, secret)
        elif not has_key:
            raise InvalidRequest(*_key_wanted(before, server))
    now = datetime.now(UTC).isoformat()
    options = {**server.options} | ({"key_kept_at": now} if secret is not None else {})
    kept = server.model_copy(update={"created_at": before.created_at if before else now, "options": options})
    store.keep(kept)
    if before is not None and before.key_from == KEYRING and not (server.key_from == KEYRING and has_key):
        keys.remove(before)
    return kept


def _with_key_id(server: Server, before: Server | None, secret: SecretStr | None) -> Server:
    """The keyring belongs to all data folders: a key that is given goes to a place of this one's."""
    known = before.options.get("key_id", "") if before is not None and before.key_from == KEYRING else ""
    if not known and secret is not None:
        known = uuid4().hex
    others = {name: value for name, value in server.options.items() if name != "key_id"}
    given = {"key_id": known} if known and server.key_from == KEYRING else {}
    return server.model_copy(update={"options": others | given})


def _same_place(before: Server, after: Server) -> bool:
    return keys.account(before) == keys.account(after)


def _key_wanted(before: Server | None, server: Server) -> tuple[str, str]:
    if before is not None and before.key_from == KEYRING:
        said = f"The key in the keyring is for {origin(before.address)} alone, and is not sent to another address."
        return said, "Give the key that is for the new address."
    return "There is no key to keep.", "Give the key, or choose another place for it."


def remove(store: ServerStore, server: Server) -> None:
    """Forget a server and its key. Its runs stay. Raises InvalidRequest when the keyring does not let the key go."""
    if server.key_from == KEYRING:
        keys.remove(server)
    store.remove(server.id)


def find(store: ServerStore, name: str) -> Server:
    """The server of that id: kind@name. Raises InvalidRequest."""
    found = store.find(name)
    if found is None:
        raise unknown(name, [server.id for server in store.all()])
    return found


def named(settings: Settings) -> dict[str, Server]:
    """Every named server by its id, where no engine is at hand. Raises StoreError."""
    database = Database(settings.store_url)
    try:
        return {server.id: server for server in ServerStore(database).all()}
    finally:
        database.close()


def made(name: str, settings: Settings, servers: dict[str, Server]) -> Backend:
    """A backend of any name. Raises InvalidRequest for an unknown one, BackendUnreachable."""
    try:
        return registry.create(name, settings, servers.get(name))
    except KeyError:
        raise unknown(name, registry.BACKENDS) from None


def where_the_key_is(server: Server) -> str:
    """In a few words; empty where there is none."""
    if server.variable:
        return f"key from {server.variable}"
    return "key from the keyring" if server.key_from == KEYRING else ""


def where_the_key_of(backend: str, settings: Settings, store: ServerStore) -> str:
    """The same of any backend."""
    server = store.find(backend) if name_of(backend) else None
    if server is not None:
        return where_the_key_is(server)
    sent = {
        "openai": ("OPENAI_API_KEY", settings.openai_api_key),
        "ollama": ("OLLAMA_API_KEY", keys.of_ollama(settings)),
    }
    variable, secret = sent.get(backend, ("", SecretStr("")))
    return f"key from {variable}" if secret.get_secret_value() else ""


keyring_trouble = keys.keyring_trouble
