"""Where keys come from, whom they are sent to, and that nothing which comes back holds one."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest
from keyring.backends.fail import Keyring as NoKeyring
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import workbench.servers
from tests.backends.asking import ask, collect, texts
from tests.echo_server import Echo
from tests.keyrings import MemoryKeyring
from tests.ollama_server import serving
from workbench.backends import keys, registry
from workbench.backends.guard import Guard, _cleaned
from workbench.backends.keys import SERVICE, Key
from workbench.backends.servers import Server
from workbench.errors import AuthenticationFailed, InvalidRequest
from workbench.settings import Settings, load
from workbench.store.database import Database
from workbench.store.servers import ServerStore

KEY = "sk-echo/77aa+31bc"
LAB = Server(kind="openai", name="lab", address="https://lab.example/v1", key_from="keyring")


@pytest.fixture(scope="module")
def echoing() -> Iterator[Echo]:
    application = Echo()
    with serving(application.app()) as application.url:
        yield application


@pytest.fixture
def echo(echoing: Echo) -> Echo:
    """The server, which remembers nothing of the test before."""
    echoing.headers.clear()
    echoing.refuse, echoing.pieces = 0, 1
    return echoing


def server_at(echo: Echo, kind: str, key_from: str = "") -> Server:
    return Server(kind=kind, name="lab", address=f"{echo.url}/v1" if kind == "openai" else echo.url, key_from=key_from)


def environment(**variables: str) -> Settings:
    return load(variables, dotenv=None)


@pytest.fixture(params=["openai", "ollama"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# --- where a key is ---


async def test_a_key_is_read_from_the_variable_that_its_server_names(echo: Echo, kind: str):
    server = server_at(echo, kind, "env:LAB_KEY")
    backend = registry.create(server.id, environment(LAB_KEY=f" {KEY}\n"), server)
    await backend.status()
    await backend.close()
    assert {sent["authorization"] for sent in echo.headers} == {f"Bearer {KEY}"}


async def test_a_variable_that_is_not_set_is_named_and_nothing_is_sent(echo: Echo, kind: str):
    server = server_at(echo, kind, "env:LAB_KEY")
    status = await registry.create(server.id, environment(), server).status()
    assert not status.ready and "LAB_KEY is not set" in status.detail and ".env" in status.hint
    assert echo.headers == []


async def test_a_variable_of_env_is_read_when_it_is_wanted(tmp_path: Path, echo: Echo):
    dotenv = tmp_path / ".env"
    dotenv.write_text("")
    settings, server = load({}, dotenv), server_at(echo, "openai", "env:LAB_KEY")
    backend = registry.create(server.id, settings, server)
    assert not (await backend.status()).ready
    dotenv.write_text(f"LAB_KEY={KEY}\n")
    assert (await backend.status()).ready
    assert settings.secret("LAB_KEY") is not None and KEY not in f"{settings!r}{settings.model_dump()}"
    await backend.close()


async def test_a_key_in_the_keyring_is_the_one_of_its_server_and_its_address(own_keyring: MemoryKeyring):
    keys.put(LAB, SecretStr(f" {KEY} "))
    assert own_keyring.kept == {(SERVICE, "openai@lab https://lab.example"): KEY}
    assert await keys.of(LAB, environment()).value() == KEY
    moved = LAB.model_copy(update={"address": "https://evil.example/v1"})
    with pytest.raises(AuthenticationFailed, match=r"no key of openai@lab for https://evil\.example"):
        await keys.of(moved, environment()).value()
    other_path = LAB.model_copy(update={"address": "https://LAB.example:443/v2"})
    assert await keys.of(other_path, environment()).value() == KEY


async def test_without_a_keyring_there_is_a_sentence_and_a_way_out():
    assert keys.keyring_trouble()
    with pytest.raises(InvalidRequest, match="no keyring") as caught:
        keys.put(LAB, SecretStr(KEY))
    assert "environment variable" in caught.value.hint and KEY not in caught.value.message
    with pytest.raises(AuthenticationFailed, match="no keyring"):
        await keys.of(LAB, environment()).value()
    keys.remove(LAB)


@pytest.mark.parametrize("module", ["fail", "null"])
def test_a_keyring_that_keeps_nothing_is_none(module: str):
    before = keyring.get_keyring()
    kept: Any = NoKeyring() if module == "fail" else __import__("keyring.backends.null").backends.null.Keyring()
    keyring.set_keyring(kept)
    try:
        assert keys.keyring_trouble()
    finally:
        keyring.set_keyring(before)


async def test_a_keyring_that_waits_for_its_person_does_not_hold_up_the_loop(own_keyring: MemoryKeyring):
    keys.put(LAB, SecretStr(KEY))
    own_keyring.pause, key = 0.3, keys.of(LAB, environment())
    waiting = [asyncio.ensure_future(key.value()) for _ in range(3)]
    beats = 0
    while not all(task.done() for task in waiting):
        await asyncio.sleep(0.01)
        beats += 1
    assert beats > 10
    assert [task.result() for task in waiting] == [KEY] * 3
    assert own_keyring.asked == 1


@pytest.mark.parametrize("text", ["schlüssel", "sk-a b", "sk-a\r\nX-Other: b"])
async def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(text: str, own_keyring: MemoryKeyring):
    with pytest.raises(AuthenticationFailed, match="LAB_KEY holds characters") as caught:
        await Key(lambda: SecretStr(text), "LAB_KEY").value()
    assert text not in str(caught.value)
    with pytest.raises(InvalidRequest, match="no key") as refused:
        keys.put(LAB, SecretStr(text))
    assert text not in refused.value.message and own_keyring.kept == {}


async def test_a_refused_key_is_read_anew_the_next_time(echo: Echo, kind: str, own_keyring: MemoryKeyring):
    server = server_at(echo, kind, "keyring")
    keys.put(server, SecretStr("sk-old-1234567"))
    backend = registry.create(server.id, environment(), server)
    echo.refuse = 401
    status = await backend.status()
    assert not status.ready and f"models servers key {server.id}" in status.hint
    keys.put(server, SecretStr(KEY))
    echo.refuse = 0
    await backend.status()
    await backend.close()
    assert echo.headers[-1]["authorization"] == f"Bearer {KEY}"


# --- whom it is sent to ---


async def test_ollama_s_own_client_sends_no_key_by_itself(echo: Echo, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OLLAMA_API_KEY", KEY)
    monkeypatch.setenv("OLLAMA_HOST", echo.url)
    for name, server in (("ollama", None), ("ollama@lab", server_at(echo, "ollama"))):
        backend = registry.create(name, load(dotenv=None), server)
        await backend.status()
        await backend.close()
    assert echo.headers and not any("authorization" in sent for sent in echo.headers)


@pytest.mark.parametrize(
    ("host", "is_sent"),
    [
        ("https://ollama.com", True),
        ("HTTPS://ollama.com/", True),
        ("http://ollama.com", False),
        ("http://127.0.0.1:11434", False),
        ("ollama.com", False),
        ("https://me:word@ollama.com", False),
    ],
)
def test_ollama_s_key_goes_only_where_nobody_on_the_way_can_read_it(host: str, is_sent: bool):
    settings = environment(OLLAMA_HOST=host, OLLAMA_API_KEY=KEY)
    assert bool(keys.of_ollama(settings).get_secret_value()) is is_sent


async def test_an_account_at_openai_is_not_told_to_a_named_server(echo: Echo, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai-itself-1")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-mine")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-mine")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Gateway: gateway-secret")
    server = server_at(echo, "openai", "env:LAB_KEY")
    backend = registry.create(server.id, environment(LAB_KEY=KEY), server)
    await backend.models()
    await collect(backend, ask("m"))
    await backend.close()
    sent = json.dumps(echo.headers)
    assert KEY in sent
    assert not [word for word in ("openai-itself", "org-mine", "project-mine", "gateway-secret") if word in sent]


# --- what comes back ---


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
async def test_an_error_that_echoes_the_key_is_told_without_it(echo: Echo, kind: str, status: int):
    server = server_at(echo, kind, "env:LAB_KEY")
    backend = registry.create(server.id, environment(LAB_KEY=KEY), server)
    echo.refuse = status
    seen: list[BaseException] = []
    for attempt in (backend.models(), collect(backend, ask("m"))):
        with pytest.raises(Exception) as caught:
            await attempt
        seen.append(caught.value)
    await backend.close()
    whole = "".join(f"{error!r} {error} {vars(error)} {error.__cause__!r} {error.__cause__}" for error in seen)
    assert KEY not in whole
    assert "[key]" in whole


@pytest.mark.parametrize("pieces", [1, 2, 5, 30])
async def test_an_answer_that_echoes_the_key_is_kept_without_it(echo: Echo, kind: str, pieces: int):
    server = server_at(echo, kind, "env:LAB_KEY")
    backend = registry.create(server.id, environment(LAB_KEY=KEY), server)
    echo.pieces = pieces
    parts, answer = await collect(backend, ask("m", top_logprobs=1))
    await backend.close()
    assert answer.text == "You sent [key] to me."
    assert "".join(texts(parts)) == answer.text
    assert KEY not in "".join(str(part) for part in parts)


async def test_a_list_that_echoes_the_key_is_shown_without_it(echo: Echo):
    server = server_at(echo, "openai", "env:LAB_KEY")
    backend = registry.create(server.id, environment(LAB_KEY=KEY), server)
    assert [model.name for model in await backend.models()] == ["m", "m-[key]"]
    await backend.close()


@pytest.mark.parametrize("word", ["none", "ollama", "lm-studio", "not-needed", "sk-no-key-required"])
async def test_a_word_in_the_place_of_a_key_may_stand_in_an_answer(echo: Echo, kind: str, word: str):
    server = server_at(echo, kind, "env:LAB_KEY")
    backend = registry.create(server.id, environment(LAB_KEY=word), server)
    _, answer = await collect(backend, ask("m"))
    await backend.close()
    assert answer.text == f"You sent {word} to me."


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
async def test_bytes_are_cleaned_wherever_their_chunks_end(size: int):
    text = b"a sk-12 sk-123x sk-1sk-123 sk-12"

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(text), size):
            yield text[at : at + size]

    clean = b"".join([chunk async for chunk in _cleaned(chunks(), [b"sk-123"])])
    assert clean == b"a sk-12 [key]x sk-1[key] sk-12"


@pytest.mark.parametrize("secret", [KEY, "correcthorsebattery"])
async def test_a_refusal_that_echoes_the_key_in_other_letters_is_told_without_it(kind: str, secret: str):
    async def refuse(request: Request) -> Response:
        echoed = "".join(f"\\u{ord(sign):04x}" for sign in request.headers["authorization"])
        return Response(f'{{"error": "bad token {echoed}"}}', status_code=401, media_type="application/json")

    with serving(Starlette(routes=[Route("/{path:path}", refuse, methods=["GET", "POST"])])) as url:
        server = Server(kind=kind, name="lab", address=url, key_from="env:LAB_KEY")
        backend = registry.create(server.id, environment(LAB_KEY=secret), server)
        seen = [str(await backend.status()) for _ in range(2)]  # the first refusal forgets the key
        for attempt in (backend.models(), collect(backend, ask("m"))):
            with pytest.raises(AuthenticationFailed) as caught:
                await attempt
            seen.append(f"{caught.value.message} {caught.value.hint}")
        await backend.close()
    assert len(seen) == 4 and all(seen) and secret not in "".join(seen)


async def test_what_was_a_key_is_masked_after_it_was_refused_and_another_one_is_given():
    given = iter([KEY, f"{KEY}-and-more"])
    key = Key(lambda: SecretStr(next(given)))
    guard = Guard("http://lab", key, "")
    for _ in range(2):
        await key.value()
        key.forget()
    assert guard.mask(f"<{KEY}> <{KEY}-and-more>") == "<[key]> <[key]>"
    assert KEY.encode() in [needle.encode() for needle in guard._needles()]


def test_two_data_folders_with_a_server_of_one_name_keep_each_their_key(tmp_path: Path, own_keyring: MemoryKeyring):
    stores = [ServerStore(Database(f"sqlite:///{tmp_path / name}.db")) for name in ("one", "two")]
    for number, store in enumerate(stores):
        workbench.servers.keep(store, LAB, environment(), SecretStr(f"sk-of-folder-{number}"))
    one, two = (store.all()[0] for store in stores)
    assert asyncio.run(keys.of(one, environment()).value()) == "sk-of-folder-0"
    workbench.servers.keep(stores[1], two, environment(), SecretStr("sk-of-folder-2"))
    assert asyncio.run(keys.of(stores[1].all()[0], environment()).value()) == "sk-of-folder-2"
    workbench.servers.remove(stores[1], stores[1].all()[0])
    assert list(own_keyring.kept.values()) == ["sk-of-folder-0"]
    assert asyncio.run(keys.of(one, environment()).value()) == "sk-of-folder-0"
