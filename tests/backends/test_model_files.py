"""The embedded engine's model files: listed with what is wrong, verified, removed, taken in; and its sizes."""

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.backends.test_memory import named, write_model
from workbench.backends import embedded, fetch, model_files, sizes
from workbench.backends.base import AnswerPart, ChatRequest, Message, TakesPreferences
from workbench.backends.embedded import EmbeddedBackend
from workbench.errors import InvalidRequest, ModelMissing, ModelUnusable
from workbench.settings import DEFAULT_MODEL, SMALL_MODEL, Settings

KEYS = {"general.architecture": named("llama"), "general.name": named("Mine 7B")}
CONTENT = b"the pinned bytes"
PIN = fetch.PinnedModel(DEFAULT_MODEL, "pinned.gguf", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), ())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty models folder."""
    found = tmp_path / "models"
    found.mkdir()
    return found


@pytest.fixture
async def backend(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EmbeddedBackend]:
    """The backend on that folder; the default model is a few bytes."""
    monkeypatch.setattr(fetch, "MODELS", (PIN,))
    monkeypatch.setattr(embedded, "MODELS", (PIN,))
    made = embedded.create(Settings(home=tmp_path, models_folder=folder))
    yield made
    await made.close()


def verdict_of(backend: EmbeddedBackend, name: str) -> model_files.Verdict:
    seen: list[model_files.Verdict] = []
    verdict = model_files.progress_of(backend.verify(name), seen.append, 0.01)
    assert verdict.state != "checking"
    return verdict


async def test_a_broken_file_is_listed_with_what_is_wrong(backend: EmbeddedBackend, folder: Path):
    write_model(folder / "whole.gguf", KEYS, tensors=4)
    write_model(folder / "cut.gguf", KEYS, tensors=4, missing=100)
    write_model(folder / "half-00001-of-00002.gguf", KEYS)
    (folder / "notes.gguf").write_text("not a model")
    (folder / "gone.gguf").symlink_to(folder.parent / "elsewhere.gguf")
    found = {info.name: info for info in await backend.models()}
    assert not found["whole"].wrong and found["whole"].installed
    told = {name: info.wrong for name, info in found.items() if info.wrong}
    assert "corrupted or incomplete" in told.pop("cut")
    assert "half-00002-of-00002.gguf is missing" in told.pop("half-00001-of-00002")
    assert "does not begin with GGUF" in told.pop("notes")
    assert f"a link to {folder.parent / 'elsewhere.gguf'}, and nothing is there" in told.pop("gone")
    assert told == {}
    assert not any(info.installed for info in found.values() if info.name != "whole")


async def test_the_home_of_nobody_is_a_model_that_is_missing(tmp_path: Path, folder: Path):
    nobody = "~nosuchuser/x.gguf"
    backend = embedded.create(Settings(home=tmp_path, models_folder=folder, embedded_model=nobody))
    request = ChatRequest(model=nobody, messages=(Message(role="user", content="hello"),))
    with pytest.raises(ModelMissing, match="~nosuchuser is nobody's home folder"):
        model_files.add(Path(nobody), folder)
    with pytest.raises(ModelMissing, match="nobody's home"):
        backend.verify(nobody)
    with pytest.raises(ModelMissing, match="nobody's home"):
        _ = [part async for part in backend.chat(request)]
    assert await backend.count_tokens(request) is None and await backend.memory_for(nobody, 512) is None
    listed = next(info for info in await backend.models() if info.name == nobody)
    assert "nobody's home" in listed.wrong and listed.size is None and not listed.installed
    assert not (await backend.status()).ready
    await backend.close()


async def test_a_pinned_file_with_other_bytes_is_found_out_even_with_its_old_time(
    backend: EmbeddedBackend, folder: Path
):
    path = folder / PIN.file
    path.write_bytes(CONTENT)
    assert fetch.verified(PIN, folder)
    time = path.stat().st_mtime_ns
    path.write_bytes(CONTENT[::-1])
    os.utime(path, ns=(time, time))
    assert fetch.verified(PIN, folder)  # which looks no further than the size and the time
    verdict = verdict_of(backend, DEFAULT_MODEL)
    wrong = hashlib.sha256(CONTENT[::-1]).hexdigest()
    assert (verdict.state, verdict.digest) == ("wrong", wrong)
    assert wrong in verdict.said and PIN.sha256 in verdict.said and "Fetch it again" in verdict.hint
    info = await backend.model(DEFAULT_MODEL)
    assert not info.installed and wrong in info.wrong


async def test_a_file_of_ones_own_has_the_digest_that_was_computed(backend: EmbeddedBackend, folder: Path):
    path = write_model(folder / "mine.gguf", KEYS, tensors=4)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (await backend.model("mine")).digest == ""
    verdict = verdict_of(backend, "mine")
    assert (verdict.state, verdict.digest) == ("right", digest) and "no digest to hold it against" in verdict.said
    assert (await backend.model("mine")).digest == digest
    write_model(path, KEYS, tensors=5)
    assert (await backend.model("mine")).digest == ""
    write_model(path, KEYS, tensors=5, missing=50)
    assert verdict_of(backend, "mine").state == "wrong"
    with pytest.raises(ModelMissing):
        backend.verify("nobody has it")


async def test_removing_frees_the_file_and_all_that_was_kept_beside_it(backend: EmbeddedBackend, folder: Path):
    size = write_model(folder / "mine.gguf", KEYS, tensors=4).stat().st_size
    verdict_of(backend, "mine")
    (folder / "mine.gguf.part").write_bytes(bytes(1000))
    (folder / "mine.gguf.wheels").mkdir()
    (folder / "mine.gguf.wheels" / "one.whl").write_bytes(bytes(200))
    assert await backend.remove("mine") > size + 1200
    assert list(folder.iterdir()) == []
    with pytest.raises(ModelMissing):
        await backend.remove("mine")


async def test_nothing_outside_the_folder_is_removed(backend: EmbeddedBackend, folder: Path, tmp_path: Path):
    outside = write_model(tmp_path / "outside.gguf", KEYS)
    for name in (str(outside), str(folder / ".." / "outside.gguf")):
        with pytest.raises(InvalidRequest, match="outside the models folder"):
            await backend.remove(name)
    model_files.add(outside, folder)
    assert await backend.remove("outside") < 10
    assert outside.is_file() and not (folder / "outside.gguf").is_symlink()


async def test_what_is_being_fetched_or_verified_stays(
    backend: EmbeddedBackend, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    path = write_model(folder / "mine.gguf", KEYS)
    with fetch.at_rest(path), pytest.raises(InvalidRequest, match="being fetched"):
        await backend.remove("mine")
    with monkeypatch.context() as patched:
        patched.setattr(model_files.Check, "wait", lambda check, seconds=None: True)
        patched.setattr(model_files.Check, "_run", lambda check: None)
        backend.verify("mine")
        with pytest.raises(InvalidRequest, match="being verified"):
            await backend.remove("mine")
        assert path.is_file()
        backend.checks.forget("mine")


async def test_a_file_elsewhere_is_linked_into_the_folder(backend: EmbeddedBackend, folder: Path, tmp_path: Path):
    mine = write_model(tmp_path / "mine.gguf", KEYS, tensors=4)
    assert model_files.add(mine, folder) == "mine"
    info = await backend.model("mine")
    assert info.installed and info.size == mine.stat().st_size
    with pytest.raises(InvalidRequest, match=r"has a mine\.gguf already"):
        model_files.add(mine, folder)
    with pytest.raises(ModelUnusable):
        model_files.add(write_model(tmp_path / "cut.gguf", KEYS, missing=90), folder)
    with pytest.raises(ModelMissing):
        model_files.add(tmp_path / "none.gguf", folder)
    assert [file.name for file in folder.iterdir()] == ["mine.gguf"]


def test_sizes_are_those_of_the_settings_until_they_are_set(tmp_path: Path):
    backend = embedded.create(Settings(home=tmp_path, embedded_threads=3))
    assert isinstance(backend, TakesPreferences)
    backend.prefer({"context": 4096, "slots": 5})
    assert (backend.settings.embedded_context, backend.slots, backend.settings.embedded_threads) == (4096, 5, 3)
    backend.prefer({})
    assert (backend.settings.embedded_context, backend.slots) == (8192, 2)
    for wrong in ({"slots": 17}, {"context": 8}, {"threads": "many"}, {"speed": 3}):
        with pytest.raises(InvalidRequest, match="cannot be"):
            backend.prefer(wrong)
    assert sizes.of(backend.settings) == backend.given


async def test_new_sizes_are_taken_by_the_next_call_and_a_loaded_model_stays(small_model: Path, tmp_path: Path):
    settings = Settings(home=tmp_path, models_folder=small_model.parent, embedded_threads=1, embedded_context=1024)
    backend = embedded.create(settings)
    asked = ChatRequest(model=SMALL_MODEL, messages=(Message(role="user", content="Count to 20."),), max_tokens=6)

    async def answer() -> AnswerPart:
        *_, last = [part async for part in backend.chat(asked)]
        assert isinstance(last, AnswerPart)
        return last

    stream = backend.chat(asked)
    await anext(stream)
    before = backend.pid
    backend.prefer({"context": 512, "slots": 1})
    with pytest.raises(InvalidRequest, match="answering a call"):
        await backend.unload()
    rest = [part async for part in stream]
    assert isinstance(rest[-1], AnswerPart) and backend.pid is not None and before in (None, backend.pid)
    running = backend.running()
    assert running and running.outdated and (running.context, running.slots) == (1024, 2)
    with pytest.raises(InvalidRequest, match="is loaded"):
        await backend.remove(SMALL_MODEL)
    other = embedded.create(settings)
    with pytest.raises(InvalidRequest, match=r"is loaded by process \d+"):
        await other.remove(SMALL_MODEL)
    await answer()
    running = backend.running()
    assert running and not running.outdated and (running.context, running.slots) == (512, 1)
    pid = backend.pid
    await answer()
    assert backend.pid == pid
    await backend.close()
    assert small_model.is_file()
