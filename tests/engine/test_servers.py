"""Named servers wherever a backend can be named, while they are changed and removed, and their keys nowhere."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import cast

import pytest
from pydantic import SecretStr

from tests.echo_server import Echo
from tests.experiments.sweeping import plan
from tests.keyrings import MemoryKeyring
from tests.ollama_server import PULLABLE, ollama_server, serving
from tests.runs import finish
from workbench import doctor, servers
from workbench.backends import registry
from workbench.backends.manage import Errands, Pull
from workbench.backends.ollama import OllamaBackend
from workbench.backends.scripted import ScriptedBackend
from workbench.backends.servers import Server
from workbench.carry import leaving
from workbench.engine import Engine
from workbench.errors import InvalidRequest
from workbench.experiments.cells import base_of
from workbench.request import RunRequest
from workbench.settings import load
from workbench.ui import export

KEY = "sk-whole/run+5150-77"


@pytest.fixture(scope="module")
def echoing() -> Iterator[tuple[Echo, Echo]]:
    here, there = Echo(), Echo()
    with serving(here.app()) as here.url, serving(there.app()) as there.url:
        yield here, there


@pytest.fixture
def echo(echoing: tuple[Echo, Echo]) -> Echo:
    for server in echoing:
        server.headers.clear()
        server.refuse, server.pieces, server.pause = 0, 4, 0.0
    return echoing[0]


@pytest.fixture
def other(echoing: tuple[Echo, Echo], echo: Echo) -> Echo:
    return echoing[1]


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries that need not be waited for."""
    monkeypatch.setattr("workbench.retry.FIRST_WAIT", 0.02)


@pytest.fixture
def open_engine(tmp_path: Path) -> Iterator[Callable[..., Engine]]:
    opened: list[Engine] = []

    def open_(**variables: str) -> Engine:
        for engine in opened:
            engine.close()
        settings = load({"WORKBENCH_HOME": str(tmp_path), **variables}, None)
        opened.append(Engine(settings, {"scripted": ScriptedBackend(["Four."] * 5, speed=0)}))
        return opened[-1]

    yield open_
    for engine in opened:
        engine.close()


def lab(echo: Echo, kind: str = "openai", name: str = "lab", **more: str) -> Server:
    address = f"{echo.url}/v1" if kind == "openai" else echo.url
    return Server(kind=kind, name=name, address=address, **{"model": "m"} | more)


def asked(backend: str, **more: str) -> RunRequest:
    return RunRequest(machine="direct", question="What is 2 + 2?", backend=backend, **{"model": "m"} | more)


def answer(engine: Engine, run_id: str) -> str:
    _, view = finish(engine, run_id)
    assert view.finished is not None and view.finished.error is None, view.finished
    return view.finished.answer


@pytest.mark.parametrize("kind", ["openai", "ollama"])
def test_a_run_goes_to_the_server_that_it_names(kind: str, echo: Echo, other: Echo, open_engine: Callable[..., Engine]):
    engine = open_engine()
    for name, server in (("one", echo), ("two", other)):
        engine.servers.keep(lab(server, kind, name))
    assert engine.backends().index(f"{kind}@one") == engine.backends().index(kind) + 1
    assert answer(engine, engine.submit(asked(f"{kind}@two"))).startswith("You sent")
    assert other.headers and not echo.headers
    row = engine.store.runs()[0]
    assert row.backend == f"{kind}@two"


def test_a_named_server_s_own_model_is_the_default_one(echo: Echo, open_engine: Callable[..., Engine]):
    engine = open_engine()
    engine.servers.keep(lab(echo))
    run_id = engine.submit(asked("openai@lab", model=""))
    answer(engine, run_id)
    assert engine.store.run(run_id).model == "m"


def test_two_servers_with_the_same_model_are_two(echo: Echo, other: Echo, open_engine: Callable[..., Engine]):
    engine = open_engine()
    places = {}
    for name, server in (("one", echo), ("two", other)):
        engine.servers.keep(lab(server, name=name))
        backend = engine.backend(f"openai@{name}")
        places[backend.name] = engine.on_loop(backend.model("m")).place
    assert list(places) == ["openai@one", "openai@two"] and len(set(places.values())) == 2
    assert engine.slots("openai@one") is not engine.slots("openai@two")


def test_cells_of_two_servers_with_the_same_model_are_not_taken_for_each_other(
    echo: Echo, other: Echo, open_engine: Callable[..., Engine]
):
    engine = open_engine()
    for name, server in (("one", echo), ("two", other)):
        engine.servers.keep(lab(server, "ollama", name))
    lanes = [{"name": name, "machine": "direct", "backend": f"ollama@{name}"} for name in ("one", "two")]
    chosen = plan(lanes=lanes, backend="", model="m:latest")
    one, two = (base_of(engine, chosen, lane) for lane in chosen.lanes)
    assert one.model_digest == two.model_digest == "abc"
    assert one.key("What?", 7) != two.key("What?", 7)


def test_the_next_run_goes_to_the_new_address_and_the_one_in_progress_keeps_its_own(
    echo: Echo, other: Echo, open_engine: Callable[..., Engine]
):
    engine = open_engine()
    engine.servers.keep(lab(echo))
    before = engine.backend("openai@lab")
    echo.pause = 0.2
    first = engine.submit(asked("openai@lab"))
    while not any("content-type" in sent for sent in echo.headers):
        time.sleep(0.01)
    engine.servers.keep(lab(other))
    assert engine.backend("openai@lab") is not before
    assert "_sdk" in vars(before)
    answer(engine, engine.submit(asked("openai@lab")))
    assert other.headers and answer(engine, first).startswith("You sent")
    until = time.monotonic() + 5
    while "_sdk" in vars(before) and time.monotonic() < until:
        time.sleep(0.01)
    assert "_sdk" not in vars(before)


def test_a_changed_server_that_nobody_uses_is_closed_at_once(
    echo: Echo, other: Echo, open_engine: Callable[..., Engine]
):
    engine = open_engine()
    engine.servers.keep(lab(echo))
    before = engine.backend("openai@lab")
    engine.on_loop(before.models())
    assert "_sdk" in vars(before)
    engine.servers.keep(lab(other))
    engine.on_loop(engine.backend("openai@lab").models())
    engine.on_loop(asyncio.sleep(0.05))
    assert "_sdk" not in vars(before)


def test_a_server_that_was_removed_is_named_with_what_to_do(echo: Echo, open_engine: Callable[..., Engine]):
    engine = open_engine()
    engine.servers.keep(lab(echo))
    echo.refuse = 400
    _, failed = finish(engine, run_id := engine.submit(asked("openai@lab")))
    assert failed.status == "failed"
    engine.servers.remove("openai@lab")
    with pytest.raises(InvalidRequest, match="no server named lab here") as caught:
        engine.submit(asked("openai@lab"))
    assert "models servers add openai@lab" in caught.value.hint
    engine.resume(run_id)
    _, resumed = finish(engine, run_id)
    assert resumed.finished is not None and resumed.finished.error is not None
    assert "no server named lab" in resumed.finished.error.message
    echo.refuse = 0
    engine.servers.keep(lab(echo))
    engine.resume(run_id)
    assert answer(engine, run_id).startswith("You sent")


def test_a_run_of_a_server_that_is_gone_is_forked_to_another_backend(echo: Echo, open_engine: Callable[..., Engine]):
    engine = open_engine()
    engine.servers.keep(lab(echo))
    run_id = engine.submit(asked("openai@lab"))
    answer(engine, run_id)
    engine.servers.remove("openai@lab")
    point = engine.fork_point(run_id, 0)
    forked = engine.fork(run_id, point.at, asked("scripted", model="demo"))
    assert answer(engine, forked) == "Four."


def test_a_name_that_was_never_one_of_a_backend_is_told_apart(open_engine: Callable[..., Engine]):
    engine = open_engine()
    for name in ("mainframe", "embedded@lab", "mainframe@lab"):
        with pytest.raises(InvalidRequest, match="no backend named"):
            engine.backend(name)


def test_the_app_may_open_on_a_named_server(echo: Echo, open_engine: Callable[..., Engine]):
    engine = open_engine(WORKBENCH_BACKEND="openai@lab")
    engine.servers.keep(lab(echo))
    assert engine.settings.backend in engine.backends()


def test_doctor_looks_at_named_servers_and_says_which_is_missing(
    echo: Echo, open_engine: Callable[..., Engine], tmp_path: Path
):
    open_engine().servers.keep(lab(echo, key_from="env:LAB_KEY"))
    variables = {"WORKBENCH_HOME": str(tmp_path), "OLLAMA_HOST": "http://127.0.0.1:9", "WORKBENCH_BACKEND": "ollama@x"}
    findings = {one.name: one for one in doctor.examine(load(variables | {"LAB_KEY": KEY}, None))}
    assert findings["Backend openai@lab"].state == "ok"
    missing = findings["Backend ollama@x (default)"]
    assert missing.state == "bad" and "no server named x" in missing.detail
    out = StringIO()
    assert doctor.report(list(findings.values()), out) == 1
    assert KEY not in out.getvalue()


# --- keys ---


def keep_with_key(engine: Engine, server: Server) -> None:
    servers.keep(engine.servers, server, engine.settings, SecretStr(KEY) if server.key_from == "keyring" else None)


@contextmanager
def listening() -> Iterator[StringIO]:
    """All that is logged, debug messages of every library too."""
    said, root = StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(said), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield said
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.mark.parametrize("key_from", ["keyring", "env:LAB_KEY"])
@pytest.mark.parametrize("kind", ["openai", "ollama"])
def test_a_key_that_its_server_echoes_is_in_no_file_no_export_and_no_log(
    kind: str,
    key_from: str,
    echo: Echo,
    open_engine: Callable[..., Engine],
    own_keyring: MemoryKeyring,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
):
    with listening() as said:
        engine = open_engine(LAB_KEY=KEY)
        keep_with_key(engine, lab(echo, kind, key_from=key_from))
        taken, runs = b"", []
        for status in (0, 400, 401, 404, 500):
            echo.refuse = status
            runs.append(engine.submit(asked(f"{kind}@lab")))
            events, view = finish(engine, runs[-1])
            assert view.status == ("failed" if status else "answered")
            taken += export.jsonl(events).encode() + export.markdown(view).encode() + repr(view).encode()
            taken += b"".join(read for _, read in unpacked(leaving.export_run(engine.store, runs[-1])))
        engine.close()
    assert any(sent.get("authorization") == f"Bearer {KEY}" for sent in echo.headers)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "runs.db" for path in files)
    kept = b"".join(path.read_bytes() for path in files) + taken + said.getvalue().encode()
    kept += "".join(capfd.readouterr()).encode()
    assert b"You sent [key] to me." in kept
    for needle in (KEY, KEY.replace("/", "\\/"), KEY[3:]):
        assert needle.encode() not in kept


def unpacked(bundle: bytes) -> list[tuple[str, bytes]]:
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(bundle)) as packed:
        return [(name, packed.read(name)) for name in packed.namelist()]


def test_a_key_is_not_sent_to_the_new_address_of_its_server(
    echo: Echo, other: Echo, open_engine: Callable[..., Engine], own_keyring: MemoryKeyring
):
    engine = open_engine()
    keep_with_key(engine, lab(echo, key_from="keyring"))
    (kept,) = engine.servers.all()
    moved = kept.model_copy(update={"address": lab(other).address})
    with pytest.raises(InvalidRequest, match="not sent to another address"):
        servers.keep(engine.servers, moved, engine.settings)
    assert engine.servers.all()[0].address == lab(echo).address
    engine.servers.keep(moved)  # as another program could
    status = engine.on_loop(engine.backend("openai@lab").status())
    assert not status.ready and "no key of openai@lab" in status.detail
    assert other.headers == []
    engine.servers.keep(kept)
    servers.keep(engine.servers, moved, engine.settings, SecretStr("sk-another-1234567"))
    assert engine.on_loop(engine.backend("openai@lab").status()).ready
    assert list(own_keyring.kept.values()) == ["sk-another-1234567"]


def test_a_key_that_was_given_anew_is_used_by_a_program_that_runs(
    echo: Echo, open_engine: Callable[..., Engine], own_keyring: MemoryKeyring
):
    engine = open_engine()
    keep_with_key(engine, lab(echo, key_from="keyring"))
    engine.on_loop(engine.backend("openai@lab").status())
    servers.keep(engine.servers, lab(echo, key_from="keyring"), engine.settings, SecretStr("sk-another-1234567"))
    engine.on_loop(engine.backend("openai@lab").status())
    assert echo.headers[-1]["authorization"] == "Bearer sk-another-1234567"


def test_what_is_removed_takes_its_key_along(
    echo: Echo, open_engine: Callable[..., Engine], own_keyring: MemoryKeyring
):
    engine = open_engine(LAB_KEY=KEY)
    for name in ("a", "b"):
        keep_with_key(engine, lab(echo, name=name, key_from="keyring"))
    assert len(own_keyring.kept) == 2
    servers.remove(engine.servers, servers.find(engine.servers, "openai@a"))
    keep_with_key(engine, lab(echo, name="b", key_from="env:LAB_KEY"))
    assert own_keyring.kept == {}
    assert [server.id for server in engine.servers.all()] == ["openai@b"]


def test_a_variable_that_is_not_set_is_not_kept_as_a_key(echo: Echo, open_engine: Callable[..., Engine]):
    engine = open_engine()
    with pytest.raises(InvalidRequest, match="LAB_KEY is not set"):
        keep_with_key(engine, lab(echo, key_from="env:LAB_KEY"))
    assert engine.servers.all() == []


async def test_a_trial_says_what_it_found_and_how_long_it_took(echo: Echo):
    trial = await servers.tried(lab(echo, "ollama"), load({}, None))
    assert trial.answers and "Ollama 1.2.3 at http://127.0.0.1:" in str(trial)
    assert str(trial).endswith(f"1 model. It answers in {trial.milliseconds:,} ms.")
    nobody = lab(echo).model_copy(update={"address": "http://127.0.0.1:9/v1"})
    trial = await servers.tried(nobody, load({}, None))
    assert not trial.answers and "does not answer" in str(trial) and trial.status.hint


def test_every_kind_that_can_have_servers_makes_its_own_backend(echo: Echo):
    for kind in ("ollama", "openai"):
        server = lab(echo, kind)
        backend = registry.create(server.id, load({}, None), server)
        assert (backend.name, backend.default_model) == (f"{kind}@lab", "m")
        assert backend.title.startswith("lab (")


def test_a_pull_outlives_a_change_of_its_server(open_engine: Callable[..., Engine]):
    with ollama_server() as ollama:
        ollama.pull_pause = 0.1
        engine, server = open_engine(), Server(kind="ollama", name="lab", address=ollama.url)
        engine.servers.keep(server)
        before = engine.backend(server.id)
        pull = Pull(cast(OllamaBackend, before), PULLABLE)
        Errands[Pull](engine.spawn).start(pull)
        while pull.snapshot().progress.done < 500_000:
            assert not pull.wait(0.01)
        engine.servers.keep(server.model_copy(update={"options": {"keep_alive": "10m"}}))
        assert engine.backend(server.id) is not before
        assert pull.wait(10) and (pull.state, pull.error) == ("done", None)
        until = time.monotonic() + 5
        while "_client" in vars(before) and time.monotonic() < until:
            time.sleep(0.01)
        assert "_client" not in vars(before), "then nobody needs it"


def test_a_backend_that_is_held_is_open_whatever_becomes_of_its_server(
    echo: Echo, other: Echo, open_engine: Callable[..., Engine]
):
    engine = open_engine()
    engine.servers.keep(lab(echo))
    before = engine.backend("openai@lab")
    with engine.holding(before):
        engine.on_loop(before.models())
        engine.servers.keep(lab(other))
        engine.on_loop(engine.backend("openai@lab").models())
        engine.on_loop(asyncio.sleep(0.05))
        assert "_sdk" in vars(before)
    engine.on_loop(asyncio.sleep(0.05))
    assert "_sdk" not in vars(before)
