"""An Ollama server's models cared for: loaded, unloaded, kept, pulled, copied, deleted, read."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.backends.asking import ask, collect
from tests.ollama_server import CHAT, DEFAULT_CONTEXT, EMBEDDER, LAYERS, PULLABLE, OllamaServer
from workbench.backends import manage
from workbench.backends.manage import Errands, Load, LoadedModel, ManagesModels, Pull, PullProgress, Pulls
from workbench.backends.ollama import OllamaBackend
from workbench.errors import (
    BackendError,
    BackendUnreachable,
    InvalidRequest,
    ModelMissing,
    ModelUnusable,
    ReplyTooLong,
    ServerFault,
    StreamBroken,
)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop in a thread of its own, as the engine has one."""
    own = asyncio.new_event_loop()
    thread = threading.Thread(target=own.run_forever)
    thread.start()
    yield own
    own.call_soon_threadsafe(own.stop)
    thread.join()
    own.close()


def spawner(loop: asyncio.AbstractEventLoop) -> Any:
    def spawn(work: Coroutine[Any, Any, None], backend: ManagesModels) -> None:
        asyncio.run_coroutine_threadsafe(work, loop)

    return spawn


async def only(backend: OllamaBackend) -> LoadedModel:
    (model,) = await backend.loaded()
    return model


def left(model: LoadedModel) -> float:
    seconds = model.seconds_left()
    assert seconds is not None
    return seconds


# --- what there is ---


def test_it_says_that_it_can_care_for_its_models() -> None:
    assert isinstance(OllamaBackend("127.0.0.1:9"), ManagesModels)


async def test_all_models_are_listed_with_the_servers_own_words_for_what_they_can(client: OllamaBackend) -> None:
    found = {info.name: info for info in await client.installed()}
    assert found[CHAT].abilities == ("completion", "tools")
    assert found[CHAT].modified == "2026-11-01T12:00:00+01:00"
    assert found[EMBEDDER].abilities == ("embedding",)
    assert EMBEDDER not in [info.name for info in await client.models()], "it cannot answer"


async def test_a_server_without_models_is_empty_and_one_that_is_down_is_not(
    ollama: OllamaServer, client: OllamaBackend
) -> None:
    ollama.models.clear()
    assert (await client.status()).empty
    assert not (await OllamaBackend("http://127.0.0.1:9").status()).empty


async def test_what_there_is_to_read_of_a_model(client: OllamaBackend) -> None:
    told = await client.details(CHAT)
    assert "{{ .Prompt }}" in told.template
    assert "<|im_end|>" in told.parameters
    assert (told.system, told.licence, told.modelfile) == (
        "You are a helpful assistant.",
        "Apache-2.0",
        f"FROM {CHAT}",
    )
    with pytest.raises(ModelMissing):
        await client.details("llama9")


# --- memory ---


async def test_a_loaded_model_says_its_memory_its_window_and_when_it_goes(
    ollama: OllamaServer, client: OllamaBackend
) -> None:
    ollama.gpu_share = 0.25
    await client.load(CHAT, context=8192, keep_alive="10m")
    model = await only(client)
    assert (model.name, model.context) == (CHAT, 8192)
    assert model.size > ollama.models[CHAT].size
    assert model.on_gpu == model.size // 4
    assert 590 < left(model) <= 600
    assert (model.parameters, model.quantisation) == ("494.03M", "Q4_K_M")


async def test_forever_has_no_end_and_the_past_has_come(client: OllamaBackend) -> None:
    await client.load(CHAT, keep_alive=manage.span("forever"))
    assert (await only(client)).expires is None
    assert (await only(client)).seconds_left() is None
    leaving = LoadedModel(name=CHAT, expires=datetime.now(UTC) - timedelta(seconds=3))
    assert leaving.seconds_left() == 0


async def test_unloading_is_at_once_and_twice_does_no_harm(client: OllamaBackend) -> None:
    await client.load(CHAT)
    await client.unload(CHAT)
    assert await client.loaded() == []
    await client.unload(CHAT)
    with pytest.raises(ModelMissing):
        await client.unload("llama9")


async def test_keeping_a_model_longer_does_not_load_it_again(ollama: OllamaServer, client: OllamaBackend) -> None:
    await client.load(CHAT, context=8192)
    await client.keep(CHAT, "1h30m")
    assert ollama.loads == [(CHAT, 8192)]
    assert 5390 < left(await only(client)) <= 5400
    await client.keep(CHAT, "0")
    assert await client.loaded() == []
    with pytest.raises(InvalidRequest, match="not loaded"):
        await client.keep(CHAT, "5m")


async def test_a_run_leaves_the_window_and_the_time_that_the_person_chose(ollama: OllamaServer) -> None:
    backend = OllamaBackend(ollama.url, keep_alive="1m")
    await backend.load("thinks", context=8192, keep_alive="1h")
    _, answer = await collect(backend, ask("thinks"))
    assert answer.context_window == 8192
    assert ollama.loads == [("thinks:latest", 8192)]
    assert left(await only(backend)) > 3500
    await collect(backend, ask("thinks", context_window=2048))
    assert ollama.loads[-1] == ("thinks:latest", 2048), "a run's own choice comes first"
    await backend.unload("thinks")
    await collect(backend, ask("thinks"))
    assert ollama.loads[-1] == ("thinks:latest", DEFAULT_CONTEXT), "unloaded, the choice is forgotten"
    assert left(await only(backend)) <= 60
    await backend.close()


async def test_a_model_that_only_embeds_is_loaded_too(client: OllamaBackend) -> None:
    await client.load(EMBEDDER, keep_alive="5m")
    assert (await only(client)).name == EMBEDDER
    await client.keep(EMBEDDER, manage.FOREVER)
    assert (await only(client)).expires is None
    await client.unload(EMBEDDER)
    assert await client.loaded() == []


async def test_a_model_that_does_not_fit_says_so(client: OllamaBackend) -> None:
    with pytest.raises(ModelUnusable, match=r"5\.6 GiB"):
        await client.load("no-memory")


@pytest.mark.parametrize(
    ("said", "meant"), [("10m", "10m"), (" 1h30m ", "1h30m"), ("-1", "-1"), ("Forever", "-1"), ("90", "90")]
)
def test_how_long_to_keep_a_model_is_said_in_many_ways(said: str, meant: str) -> None:
    assert manage.span(said) == meant


@pytest.mark.parametrize("said", ["", "soon", "5 min", "10m; rm", "-", "m"])
def test_what_is_no_time_is_refused_before_it_is_sent(said: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        manage.span(said)
    assert "forever" in caught.value.hint


# --- names ---


async def test_a_copy_is_a_second_name_and_never_takes_anothers(ollama: OllamaServer, client: OllamaBackend) -> None:
    await client.copy(CHAT, "mine")
    assert "mine:latest" in ollama.models
    with pytest.raises(InvalidRequest, match=r"There is a model mine:latest already\."):
        await client.copy(EMBEDDER, "mine")
    assert ollama.models["mine:latest"] is ollama.models[CHAT]
    with pytest.raises(ModelMissing, match="llama9"):
        await client.copy("llama9", "other")
    with pytest.raises(InvalidRequest, match="needs a name"):
        await client.copy(CHAT, " ")


async def test_a_deleted_model_is_gone_and_one_that_is_not_there_says_so(
    ollama: OllamaServer, client: OllamaBackend
) -> None:
    await client.delete(CHAT)
    assert CHAT not in ollama.models
    with pytest.raises(ModelMissing):
        await client.delete(CHAT)


# --- pulls ---


async def test_a_pull_tells_each_layer_and_the_model_is_there_at_its_end(
    ollama: OllamaServer, client: OllamaBackend
) -> None:
    steps = [step async for step in client.pull(PULLABLE)]
    assert [len(step.layers) for step in steps if step.status.startswith("pulling ")][-1] == 2
    assert [(layer.done, layer.total) for layer in steps[-1].layers] == [(total, total) for total in LAYERS]
    assert (steps[-1].status, steps[-1].done) == ("success", sum(LAYERS))
    assert PULLABLE in [info.name for info in await client.models()]


async def test_a_pull_that_was_ended_goes_on_from_where_it_was(ollama: OllamaServer, client: OllamaBackend) -> None:
    ollama.pull_pause = 0.01
    async with aclosing(client.pull(PULLABLE)) as steps:
        async for step in steps:
            if step.done >= 500_000:
                break
    assert PULLABLE not in ollama.models
    again = [step async for step in client.pull(PULLABLE)]
    assert next(step for step in again if step.layers).done >= 500_000
    assert PULLABLE in ollama.models


@pytest.mark.parametrize(
    ("said", "error", "says", "advises"),
    [
        ("write blob: no space left on device", ServerFault, "The server's disk is full", "Free some space"),
        ("dial tcp: lookup registry: no such host", ServerFault, "cannot reach its library", "network"),
        ("pull model manifest: 412: requires a newer version of Ollama", ModelUnusable, "needs a newer", "Update"),
        ("digest mismatch", ServerFault, "digest mismatch", "goes on from where it was"),
    ],
)
async def test_a_pull_that_fails_inside_its_reply_says_why_and_what_to_do(
    ollama: OllamaServer, client: OllamaBackend, said: str, error: type[BackendError], says: str, advises: str
) -> None:
    ollama.pull_error = said
    with pytest.raises(error) as caught:
        _ = [step async for step in client.pull(PULLABLE)]
    assert says in caught.value.message
    assert advises in caught.value.hint


async def test_a_model_that_the_library_does_not_have_is_missing(client: OllamaBackend) -> None:
    with pytest.raises(ModelMissing, match="library has no model nobody/nothing") as caught:
        _ = [step async for step in client.pull("nobody/nothing")]
    assert "tag" in caught.value.hint
    with pytest.raises(BackendUnreachable):
        _ = [step async for step in OllamaBackend("http://127.0.0.1:9").pull(PULLABLE)]


async def test_a_reply_that_ends_too_early_is_no_success(
    ollama: OllamaServer, client: OllamaBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ollama.pulled

    async def cut(name: str) -> Any:
        async for line in whole(name):
            if b"verifying" in line:
                return
            yield line

    monkeypatch.setattr(ollama, "pulled", cut)
    with pytest.raises(StreamBroken, match="broke off") as caught:
        _ = [step async for step in client.pull(PULLABLE)]
    assert "goes on from where it was" in caught.value.hint


async def test_a_pull_of_hours_outlives_the_limit_of_one_reply(
    ollama: OllamaServer, client: OllamaBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.backends import wire

    monkeypatch.setattr(wire, "MOST_REPLY", 600)
    steps = [step async for step in client.pull(PULLABLE)]
    assert steps[-1].status == "success"
    assert [step.status for step in steps].count("pulling manifest") > 1
    monkeypatch.setattr(wire, "MOST_REPLY", 40)
    with pytest.raises(ReplyTooLong):  # nothing comes of it at all: it must not be asked for ever
        _ = [step async for step in client.pull(PULLABLE)]


# --- what goes on by itself ---


def pulls_of(loop: asyncio.AbstractEventLoop) -> Pulls:
    return Errands(spawner(loop))


def test_a_pull_belongs_to_no_reader_and_is_begun_once(ollama: OllamaServer, loop: asyncio.AbstractEventLoop) -> None:
    ollama.pull_pause = 0.05
    backend, pulls = OllamaBackend(ollama.url), pulls_of(loop)
    pull = pulls.start(Pull(backend, PULLABLE))
    assert pulls.start(Pull(backend, PULLABLE)) is pull
    pulls.forget(PULLABLE)
    assert pulls.all() == [pull], "one that is under way is not forgotten"
    assert pull.wait(10) and pull.state == "done"
    view = pull.snapshot()
    assert (view.progress.done, view.had, view.seconds_left) == (sum(LAYERS), 0, None)
    assert view.speed > 0
    pulls.forget(PULLABLE)
    assert pulls.get(PULLABLE) is None
    asyncio.run_coroutine_threadsafe(backend.close(), loop).result(5)


def test_a_cancelled_pull_goes_on_from_there_and_says_how_much_it_had(
    ollama: OllamaServer, loop: asyncio.AbstractEventLoop
) -> None:
    ollama.pull_pause = 0.1
    backend, pulls = OllamaBackend(ollama.url), pulls_of(loop)
    first = pulls.start(Pull(backend, PULLABLE))
    while first.snapshot().progress.done < 500_000:
        assert not first.wait(0.01)
    first.cancel()
    assert first.wait(5) and (first.state, first.error) == ("cancelled", None)
    ollama.pull_pause = 0
    second = pulls.start(Pull(backend, PULLABLE))
    assert second is not first
    assert second.wait(5) and second.state == "done"
    assert second.snapshot().had >= 500_000
    asyncio.run_coroutine_threadsafe(backend.close(), loop).result(5)


def test_what_fails_in_the_background_keeps_its_reason(ollama: OllamaServer, loop: asyncio.AbstractEventLoop) -> None:
    backend = OllamaBackend(ollama.url)
    loads: Errands[Load] = Errands(spawner(loop))
    failed = loads.start(Load(backend, "no-memory", None, None))
    assert failed.wait(5) and failed.state == "failed"
    assert "5.6 GiB" in str(failed.error)
    slow = loads.start(Load(backend, "slow-load", None, None))
    assert slow.state == "running" and slow.seconds >= 0
    slow.cancel()
    assert slow.wait(5) and slow.state == "cancelled"
    asyncio.run_coroutine_threadsafe(backend.close(), loop).result(5)


# --- what the person chose, and what became of the model meanwhile ---


async def test_a_run_has_the_chosen_window_also_after_the_model_has_left(ollama: OllamaServer) -> None:
    ollama.add("m:latest")
    backend, other = OllamaBackend(ollama.url), OllamaBackend(ollama.url)
    await backend.load("m:latest", 8192, "-1")
    await other.unload("m:latest")
    for _ in range(2):
        await collect(backend, ask("m:latest"))
    assert ollama.loads == [("m:latest", 8192), ("m:latest", 8192)], "loaded once more, with its window"
    assert not backend._kept, "how long it was to stay ended with its leaving"
    await backend.close()
    await other.close()


async def test_a_model_of_a_server_that_tells_no_window_is_kept_with_its_own(
    ollama: OllamaServer, client: OllamaBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = ollama.running
    monkeypatch.setattr(ollama, "running", lambda name: running(name) | {"context_length": None})
    await client.load(CHAT, 8192)
    await client.keep(CHAT, "30m")
    assert ollama.loads == [(CHAT, 8192)]


def test_a_layer_is_there_once_the_server_goes_on_to_the_next_step() -> None:
    pull = PullProgress(status="").taken("pulling a", "a", 970, 1000)
    assert pull.done == 970
    pull = pull.taken("pulling b", "b", 50, 100)
    assert [layer.done for layer in pull.layers] == [1000, 50]
    again = pull.taken("pulling manifest", "", 0, 0).taken("pulling a", "a", 1000, 1000)
    assert [layer.done for layer in again.layers] == [1000, 50], "the list of layers is not their end"
    assert [layer.done for layer in pull.taken("verifying sha256 digest", "", 0, 0).layers] == [1000, 100]
