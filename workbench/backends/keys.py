"""Where servers' keys are: in environment variables or in the operating system's keyring, and nowhere of ours."""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import SecretStr

from workbench.backends.servers import KEYRING, Server, origin
from workbench.errors import AuthenticationFailed, InvalidRequest
from workbench.settings import Settings

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SERVICE = "second-thought"
READ_SECONDS = 120.0  # for a person to unlock their keyring
RECOMMENDED = 1  # the least priority of a keyring that the operating system guards; files in plain text have less
VARIABLE_HINT = "Keep the key in an environment variable instead, for example in .env."
_SENDABLE = re.compile(r"[\x21-\x7e]+")


class Key:
    """A server's key, read when it is first wanted, beside the event loop: a keyring may have to ask the person.

    `hint` says what to do when the server refuses it.
    """

    def __init__(self, read: Callable[[], SecretStr], called: str = "The key", hint: str = "") -> None:
        """Read nothing yet. `called` begins the sentence on a key that cannot be used."""
        self.hint = hint
        self._read, self._called = read, called
        self._known: SecretStr | None = None
        self._ever: list[SecretStr] = []
        self._reading: asyncio.Future[SecretStr] | None = None

    async def value(self) -> str:
        """The key; empty when the server needs none. Raises AuthenticationFailed."""
        if self._known is None:
            self._known = self._checked(await self._from_its_place())
            if self._known.get_secret_value() not in self.ever:
                self._ever.append(self._known)
        return self._known.get_secret_value()

    @property
    def ever(self) -> tuple[str, ...]:
        """Every key that was read, forgotten ones too: what a server was sent may stand in any answer of it."""
        return tuple(secret.get_secret_value() for secret in self._ever if secret.get_secret_value())

    def forget(self) -> None:
        """Read it anew the next time: a server has refused it, and the person may have put another one in its place."""
        self._known = None

    async def _from_its_place(self) -> SecretStr:
        # One thread at a time, however often it is asked for while a keyring waits for its person.
        if self._reading is None or self._reading.get_loop() is not asyncio.get_running_loop():
            self._reading = asyncio.ensure_future(asyncio.to_thread(self._read))
            self._reading.add_done_callback(lambda _: setattr(self, "_reading", None))
        try:
            async with asyncio.timeout(READ_SECONDS):
                return await asyncio.shield(self._reading)
        except TimeoutError:
            raise AuthenticationFailed(
                f"The keyring did not give the key within {READ_SECONDS:.0f} seconds.", "Unlock it, then try again."
            ) from None

    def _checked(self, secret: SecretStr) -> SecretStr:
        text = secret.get_secret_value().strip()
        if text and not _SENDABLE.fullmatch(text):  # a client's own error would show it whole
            raise AuthenticationFailed(f"{self._called} holds characters that no key has.", self.hint)
        return SecretStr(text)


def given(secret: SecretStr, called: str = "The key", hint: str = "") -> Key:
    """A key that is at hand."""
    return Key(lambda: secret, called, hint)


def of_ollama(settings: Settings) -> SecretStr:
    """OLLAMA_API_KEY where OLLAMA_HOST may have it: at an https address alone, as Ollama's cloud is."""
    is_sent = settings.ollama_host.lower().startswith("https://") and "@" not in settings.ollama_host
    return settings.ollama_api_key if is_sent else SecretStr("")


def of(server: Server, settings: Settings) -> Key:
    """The key of a named server."""
    if server.variable:
        variable = server.variable
        return Key(lambda: _from_variable(variable, settings), variable, f"Check {variable} in .env or your shell.")
    again = f"Give the right one: Edit under Models, or `python -m workbench models servers key {server.id}`."
    if server.key_from == KEYRING:
        return Key(lambda: _from_keyring(server, again), f"The key of {server.id}", again)
    needs = f"Say where its key is: Edit under Models, or `python -m workbench models servers change {server.id}`."
    return given(SecretStr(""), hint=needs)


def _from_variable(variable: str, settings: Settings) -> SecretStr:
    found = settings.secret(variable)
    if found is None:
        raise AuthenticationFailed(f"The variable {variable} is not set, which holds its key.", "Set it in .env.")
    return found


def _from_keyring(server: Server, hint: str) -> SecretStr:
    trouble = keyring_trouble()
    if trouble:
        raise AuthenticationFailed(f"The key of {server.id} is in a keyring. {trouble}", VARIABLE_HINT)
    import keyring.errors

    try:
        found = keyring.get_password(SERVICE, account(server))
    except keyring.errors.KeyringError as error:
        raise AuthenticationFailed(f"The keyring does not give the key: {_named(error)}.", "Unlock it.") from None
    if not found:
        raise AuthenticationFailed(f"The keyring has no key of {server.id} for {origin(server.address)}.", hint)
    return SecretStr(found)


def account(server: Server) -> str:
    """Under what its key is kept: with another host its key is another one too, so that it is never sent there.

    Servers of one name in two data folders have each their own.
    """
    return " ".join(filter(None, (server.id, origin(server.address), server.options.get("key_id"))))


def keyring_trouble() -> str:
    """Why this computer's keyring cannot be used, as a sentence; empty when it can."""
    found = _keyring()
    if found.priority < RECOMMENDED:
        return "This computer has no keyring that can be used here."
    return ""


def _keyring() -> "KeyringBackend":
    import keyring

    return keyring.get_keyring()


def put(server: Server, secret: SecretStr) -> None:
    """Keep a server's key in the keyring. May wait for the person. Raises InvalidRequest."""
    text = secret.get_secret_value().strip()
    if not _SENDABLE.fullmatch(text):
        raise InvalidRequest("That is no key: it is empty or holds characters that no key has.", "Copy it again.")
    trouble = keyring_trouble()
    if trouble:
        raise InvalidRequest(trouble, VARIABLE_HINT)
    with _explained("keep"):
        _keyring().set_password(SERVICE, account(server), text)


def remove(server: Server) -> None:
    """Take a server's key out of the keyring, if it is there. Raises InvalidRequest."""
    if keyring_trouble():
        return
    with _explained("delete"):
        keyring, where = _keyring(), account(server)
        if keyring.get_password(SERVICE, where) is not None:
            keyring.delete_password(SERVICE, where)


@contextmanager
def _explained(doing: str) -> Iterator[None]:
    import keyring.errors

    try:
        yield
    except keyring.errors.KeyringError as error:
        raise InvalidRequest(
            f"The keyring did not {doing} the key: {_named(error)}.", "Unlock it, then try again."
        ) from None


def _named(error: Exception) -> str:
    return type(error).__name__ if not str(error) else str(error).rstrip(".")
