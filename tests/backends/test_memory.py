"""What a model needs in memory: held against llama.cpp's own report, and refused before anything is started."""

import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.backends import embedded, gguf, memory
from workbench.backends.base import AnswerPart, ChatRequest, Message, NoticePart, TellsMemory
from workbench.errors import ModelMissing, ModelUnusable
from workbench.settings import CHECKOUT, SMALL_MODEL, Settings

TELLING = """
import runpy, xllamacpp
real = xllamacpp.Server
def telling(params):
    params.verbosity = 4
    return real(params)
xllamacpp.Server = telling
runpy.run_module("workbench.backends.llama_server", run_name="__main__", alter_sys=True)
"""
MIB = 1 << 20


def measured(model: Path, context: int, slots: int, log: Path) -> dict[str, float]:
    """What llama.cpp says that it took, in bytes, and what the system says that the process has."""
    options = [f"--model={model}", f"--context={context}", f"--slots={slots}", "--threads=1"]
    with log.open("wb") as said:
        child = subprocess.Popen(
            [sys.executable, "-c", TELLING, *options],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
        )
    assert child.stdin and child.stdout
    child.stdin.write(b"key\n")
    child.stdin.flush()
    try:
        assert child.stdout.readline()  # it listens: the model is loaded
        found = {"resident": float(memory.resident(child.pid)), "own": float(memory.own(child.pid))}
    finally:
        child.kill()
        child.communicate()
    text = log.read_text(errors="replace")
    for name in ("KV", "compute", "output", "CPU_REPACK model"):
        found[name] = sum(float(size) * MIB for size in re.findall(rf"{name} buffer size = +([\d.]+) MiB", text))
    return found


def test_the_estimate_is_what_the_engine_reports_and_the_process_grows_by(small_model: Path, tmp_path: Path):
    seen = {}
    for context, slots in ((2048, 1), (16_384, 2)):
        real = seen[context] = measured(small_model, context, slots, tmp_path / "log")
        wanted = memory.needs(small_model, context, slots)
        assert real["KV"] == wanted.cache
        assert wanted.compute == pytest.approx(real["compute"] + real["output"], rel=0.15)
        assert wanted.total == pytest.approx(real["resident"], rel=0.15)
        assert wanted.fixed == pytest.approx(real["own"], abs=32 * MIB)  # the libraries are shared
        if sys.platform.startswith("linux") and real["CPU_REPACK model"]:
            assert wanted.copied == pytest.approx(real["CPU_REPACK model"], rel=0.01)
    more = memory.needs(small_model, 16_384, 2).cache - memory.needs(small_model, 2048, 1).cache
    assert seen[16_384]["resident"] - seen[2048]["resident"] == pytest.approx(more, rel=0.15)


def header(**more: Any) -> gguf.Header:
    usual: dict[str, Any] = {
        **dict.fromkeys(("name", "architecture", "parameters", "quantisation", "chat_template"), ""),
        "context_length": 32_768,
        "layers": (gguf.Layer(8),) * 32,
        "key_length": 128,
        "value_length": 128,
    }
    return gguf.Header(**usual | more)


def test_the_cache_of_a_common_model_is_what_everybody_computes_by_hand():
    assert memory.cache_bytes(header(), 8192, 1) == 1 << 30 == memory.kv_bytes(32, 8, 128, 128, 8192)
    assert memory.cache_bytes(header(), 8192, 4) == 4 << 30
    assert memory.cache_bytes(header(), 8100, 1) == 1 << 30  # in steps of 256 tokens


def test_sliding_layers_keep_their_window_and_layers_without_attention_nothing():
    layers = (gguf.Layer(8, slides=True), gguf.Layer(8), gguf.Layer(0))
    mixed = header(layers=layers, sliding_window=1024)
    assert memory.cache_bytes(mixed, 8192, 1) == memory.kv_bytes(1, 8, 128, 128, 8192 + 1280)
    assert memory.cache_bytes(mixed, 512, 1) == memory.kv_bytes(2, 8, 128, 128, 512)


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def numbers(*values: int) -> bytes:
    return struct.pack("<IIQ", 9, 4, len(values)) + struct.pack(f"<{len(values)}I", *values)


def number(value: int) -> bytes:
    return struct.pack("<II", 4, value)


def write_model(path: Path, keys: dict[str, bytes], tensors: int = 1, missing: int = 0) -> Path:
    """A model file without sense: some keys, some tensors of Q4_K with one block each."""
    pairs = b"".join(text(key) + value for key, value in keys.items())
    listed = b"".join(text(f"blk.{i}.w.weight") + struct.pack("<IQIQ", 1, 256, 12, 160 * i) for i in range(tensors))
    head = b"GGUF" + struct.pack("<IQQ", 3, tensors, len(keys)) + pairs + listed
    body = bytes(160 * tensors - 16 - missing)  # 144 bytes each, beginning at a multiple of 32
    path.write_bytes(head + bytes(-len(head) % 32) + body)
    return path


def named(name: str) -> bytes:
    return struct.pack("<I", 8) + text(name)


def test_a_header_tells_its_layers_heads_and_how_long_the_file_must_be(tmp_path: Path):
    keys = {
        "general.architecture": named("gemma3"),
        "gemma3.block_count": number(12),
        "gemma3.embedding_length": number(1024),
        "gemma3.attention.head_count": number(8),
        "gemma3.attention.head_count_kv": numbers(*[4] * 11, 0),
        "gemma3.attention.sliding_window": number(512),
        "gemma3.attention.value_length": number(64),
    }
    found = gguf.read(write_model(tmp_path / "a.gguf", keys, tensors=3))
    assert [layer.slides for layer in found.layers] == ([True] * 5 + [False]) * 2
    assert [layer.kv_heads for layer in found.layers] == [4] * 11 + [0]
    assert (found.key_length, found.value_length, found.sliding_window) == (128, 64, 512)
    assert found.copied == 3 * 144 and found.whole == (tmp_path / "a.gguf").stat().st_size


DAMAGED = {
    "alignment 0": ({"general.alignment": number(0)}, "alignment is 0"),
    "endless layers": (
        {"general.architecture": named("x"), "x.block_count": struct.pack("<IQ", 10, 1 << 50)},
        "1125899906842624 layers",
    ),
    "a text for a number": ({"general.alignment": named("x")}, "x"),
    "no number": (
        {"general.architecture": named("x"), "x.embedding_length": struct.pack("<If", 6, float("inf"))},
        "infinity",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_header_is_told_as_such(tmp_path: Path, case: str):
    keys, why = DAMAGED[case]
    with pytest.raises(ModelUnusable, match=f"is not a readable GGUF model file: .*{why}"):
        gguf.read(write_model(tmp_path / "bad.gguf", keys))


def test_a_header_too_large_for_the_memory_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(gguf, "_header", full)
    with pytest.raises(ModelUnusable, match="MemoryError"):
        gguf.read(write_model(tmp_path / "large.gguf", {}))


def test_a_tensor_of_endless_dimensions_is_not_read_through(tmp_path: Path):
    tensor = text("w") + struct.pack("<I", 1 << 31) + bytes(64)
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + tensor)
    with pytest.raises(ModelUnusable, match="2147483648 dimensions"):
        gguf.read(tmp_path / "bad.gguf")


def test_a_split_model_is_weighed_whole_and_misses_its_parts(tmp_path: Path):
    keys = {"general.architecture": named("llama")}
    first = write_model(tmp_path / "big-00001-of-00002.gguf", keys)
    with pytest.raises(ModelUnusable, match=r"big-00002-of-00002\.gguf is missing"):
        memory.needs(first, 512, 1)
    second = write_model(tmp_path / "big-00002-of-00002.gguf", keys, tensors=50)
    assert memory.needs(first, 512, 1).weights == first.stat().st_size + second.stat().st_size


def test_what_does_not_fit_says_both_numbers_and_what_would(small_model: Path):
    assert memory.refusal(small_model, 8192, 2, 2_000_000_000) is None
    free = 700_000_000
    refused = memory.refusal(small_model, 32_768, 2, free)
    assert refused is not None
    assert refused.message.endswith(
        "2 slots of 32,768 tokens each needs at least 1.2 GB of memory (1.4 GB to be quick), and 700 MB are free."
    )
    fitting = int(re.findall(r"a context window of ([\d,]+) tokens", refused.hint)[0].replace(",", ""))
    assert memory.needed(small_model, fitting, 2) <= free < memory.needed(small_model, fitting + 256, 2)
    assert "slow" not in refused.hint
    fewer = memory.refusal(small_model, 4096, 16, 800_000_000)
    assert fewer and re.search(r" or \d slots under Models", fewer.hint)
    assert memory.needed(small_model, 4096, int(fewer.hint.split(" slots under")[0][-1])) <= 800_000_000
    hopeless = memory.refusal(small_model, 512, 1, 50_000_000)
    assert hopeless and hopeless.hint == "Choose a smaller model, or close other programs."


def test_what_would_fit_only_with_patience_is_offered_where_nothing_fits_whole(small_model: Path):
    free = 500_000_000  # the file alone has 491 MB
    refused = memory.refusal(small_model, 8192, 2, free)
    assert refused and "needs at least 570 MB of memory (801 MB to be quick), and 500 MB are free." in refused.message
    offered = re.search(r"a context window of ([\d,]+) tokens or 1 slot under Models \(slow", refused.hint)
    assert offered is not None
    window = int(offered[1].replace(",", ""))
    assert memory.refusal(small_model, window, 2, free) is None and memory.refusal(small_model, 8192, 1, free) is None
    assert memory.refusal(small_model, window + 256, 2, free) is not None


def test_a_model_whose_file_does_not_fit_whole_is_loaded_with_a_warning(small_model: Path):
    wanted = memory.needs(small_model, 2048, 1)
    free = (wanted.least + wanted.total) // 2
    assert memory.refusal(small_model, 2048, 1, free) is None
    assert "which is slow" in memory.shortage(small_model, 2048, 1, free)
    assert memory.shortage(small_model, 2048, 1, wanted.total) == ""


GROUPS: dict[str, tuple[str, dict[str, str], int | None]] = {
    "a container's own limit": (
        "0::/\n",
        {"memory.max": "1000000", "memory.current": "900000", "memory.stat": "inactive_file 50000\nactive_file 1\n"},
        150_001,
    ),
    "a group above ours": (
        "0::/a/b\n",
        {"a/b/memory.max": "max", "a/b/memory.current": "5", "a/b/memory.stat": "", "a/memory.max": "1000"}
        | {"a/memory.current": "400", "a/memory.stat": "anon 9\n"},
        600,
    ),
    "an old kernel's": (
        "7:cpu,memory:/box\n1:name=systemd:/\n",
        {"memory/box/memory.limit_in_bytes": "5000", "memory/box/memory.usage_in_bytes": "4000"}
        | {"memory/box/memory.stat": "total_inactive_file 30\ninactive_file 7\ntotal_active_file 2\n"},
        1032,
    ),
    "an old kernel's without limit": (
        "7:memory:/\n",
        {"memory/memory.limit_in_bytes": str(1 << 62), "memory/memory.usage_in_bytes": "1", "memory/memory.stat": ""},
        None,
    ),
    "none": ("0::/\n", {}, None),
}


@pytest.mark.parametrize("case", GROUPS)
def test_a_control_groups_limit_counts_where_it_is_lower(tmp_path: Path, case: str):
    line, files, room = GROUPS[case]
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(line)
    for name, content in files.items():
        file = tmp_path / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    free = memory.available(tmp_path)
    assert free == room if room is not None else free > 10_000_000


@pytest.fixture
def small(small_model: Path, tmp_path: Path) -> Settings:
    """The small model, one slot, one thread."""
    return Settings(
        home=tmp_path,
        models_folder=small_model.parent,
        embedded_model=SMALL_MODEL,
        embedded_context=1024,
        embedded_slots=1,
        embedded_threads=1,
    )


HELLO = ChatRequest(model=SMALL_MODEL, messages=(Message(role="user", content="hello"),), max_tokens=2)
Room = Callable[[int], None]


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    """Let the machine have so many bytes free."""
    return lambda free: monkeypatch.setattr(memory, "available", lambda: free)


async def test_a_model_that_does_not_fit_is_refused_before_a_process_begins(
    small: Settings, room: Room, monkeypatch: pytest.MonkeyPatch
):
    room(200_000_000)
    monkeypatch.setattr(embedded.LlamaProcess, "_spawn", lambda process: pytest.fail("a process was started"))
    backend = embedded.create(small)
    with pytest.raises(
        ModelUnusable, match=r"1,024 tokens needs at least \d+ MB of memory .*, and 200 MB are free"
    ) as caught:
        _ = [part async for part in backend.chat(HELLO)]
    assert "smaller model" in caught.value.hint and backend.pid is None
    await backend.close()


async def test_a_window_that_the_call_asked_for_is_made_smaller_where_it_was_chosen(small: Settings, room: Room):
    room(500_000_000)
    backend = embedded.create(small)
    with pytest.raises(ModelUnusable, match="32,768") as caught:
        _ = [part async for part in backend.chat(HELLO.model_copy(update={"context_window": 32_768}))]
    assert re.match(r"Choose a context window of [\d,]+ tokens under Model settings \(slow", caught.value.hint)
    await backend.close()


async def test_with_the_check_off_it_is_loaded_with_a_warning_and_its_own_memory_counts_as_free(
    small: Settings, room: Room
):
    room(200_000_000)
    backend = embedded.create(small.model_copy(update={"embedded_memory_check": "off"}))
    parts = [part async for part in backend.chat(HELLO)]
    assert [part.code for part in parts if isinstance(part, NoticePart)] == ["memory"]
    assert isinstance(parts[-1], AnswerPart)
    running = backend.running()
    assert (
        running and running.model == SMALL_MODEL and (running.context, running.slots, running.threads) == (1024, 1, 1)
    )
    wanted = backend.needs(SMALL_MODEL)
    assert running.own == pytest.approx(wanted.fixed, rel=0.25)
    assert backend.free() - 200_000_000 == pytest.approx(running.own, rel=0.05)
    await backend.unload()
    assert backend.running() is None and backend.free() == 200_000_000
    await backend.close()


async def test_the_memory_of_a_window_is_told_to_others(small: Settings):
    backend = embedded.create(small)
    assert isinstance(backend, TellsMemory)
    small_one, large = [await backend.memory_for(SMALL_MODEL, context) for context in (1024, 8192)]
    assert small_one and large
    assert large - small_one == pytest.approx(memory.kv_bytes(24, 2, 64, 64, 8192 - 1024), rel=0.02)
    assert await backend.memory_for("nobody has it", 1024) is None
    with pytest.raises(ModelMissing):
        backend.needs("nobody has it")
    trained = backend.needs(SMALL_MODEL, 1_000_000)
    assert trained.context == 32_768 and trained == backend.needs(SMALL_MODEL, 32_768)
    assert await backend.memory_for(SMALL_MODEL, 1_000_000) == trained.total
    await backend.close()
