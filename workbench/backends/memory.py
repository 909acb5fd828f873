"""How much memory a model file needs with a context window and some slots, and how much of it there is."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from workbench.backends import gguf
from workbench.backends.llama_server import BATCH
from workbench.errors import ModelUnusable

NUMBER_BYTES = 2  # keys and values are kept as 16-bit floats
CELLS = 256  # llama.cpp rounds a slot's window up to a multiple of this
SMALLEST = 512  # tokens: the least window that may be chosen
OF_THE_ENGINE, OF_THE_CALL = " under Models", " under Model settings"  # where a person chooses a window
# Python, llama.cpp's libraries, the vocabulary and its merges: 90 to 95 MiB were measured for both models that we pin.
OVERHEAD = 96 << 20
# What llama.cpp computes with while it reads a batch, in widths of the layers; its own reports for two models fit.
_FEED_FORWARDS, _EMBEDDINGS = 3, 5
_SPLIT = re.compile(r"-00001-of-(\d{5})$")
_UNLIMITED = 1 << 60  # what a control group says that has no limit


@dataclass(frozen=True)
class Needs:
    """Bytes that a loaded model takes with `context` tokens in each of its slots.

    `weights` is its file, which is mapped: the system may drop pages of it and read them again. `copied` of them are
    kept a second time, in another order, in place of the file's own, which are not looked at again.
    """

    context: int
    weights: int
    copied: int
    cache: int
    compute: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.cache + self.compute + OVERHEAD

    @property
    def fixed(self) -> int:
        """What has to stay in memory: without it the engine is ended by the system."""
        return self.copied + self.cache + self.compute + OVERHEAD

    @property
    def least(self) -> int:
        """What it can begin to work with: `fixed` and half of what is left of the file.

        A token needs nearly all weights once. With half of them in memory the rest is read from the disk for every
        token, which takes about a second for each GB: slow, and a person may want it. Below that it only looks hung.
        """
        return self.fixed + max(0, self.weights - self.copied) // 2


Measure = Callable[[Needs], int]


def whole(wanted: Needs) -> int:
    """What a model needs that is to be quick."""
    return wanted.total


def barely(wanted: Needs) -> int:
    """What a model needs that may be slow."""
    return wanted.least


def kv_bytes(layers: int, kv_heads: int, key_length: int, value_length: int, context: int) -> int:
    """Bytes of the keys and values of `context` tokens, 16 bits each."""
    return layers * kv_heads * (key_length + value_length) * NUMBER_BYTES * context


def needed(model: gguf.Header | Path, context: int, slots: int) -> int:
    """Bytes that a model takes in all with `context` tokens in each of its slots; of a header without the file's own.

    Raises ModelUnusable for a file that is no model.
    """
    if isinstance(model, Path):
        return needs(model, context, slots).total
    return _needs(model, 0, context, slots).total


def needs(path: Path, context: int, slots: int) -> Needs:
    """What a model file takes with `context` tokens in each of its slots. Raises ModelUnusable."""
    files = parts(path)
    weights, copied = sum(one.stat().st_size for one in files), sum(gguf.read(one).copied for one in files)
    return _needs(gguf.read(path), weights, context, slots, copied)


def parts(path: Path) -> list[Path]:
    """The files of a model: one, or all those into which it was split. Raises ModelUnusable when one is missing."""
    found = _SPLIT.search(path.stem)
    if not found:
        return [path]
    stem = path.stem[: found.start()]
    files = [path.with_name(f"{stem}-{one:05}-of-{found[1]}.gguf") for one in range(1, int(found[1]) + 1)]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise ModelUnusable(
            f"The model {path.name} was split into {len(files)} files, and {missing[0]} is missing.",
            f"Put it beside the others, into {path.parent}.",
        )
    return files


def cache_bytes(header: gguf.Header, context: int, slots: int) -> int:
    """Bytes of the cache of keys and values, all slots together. A sliding layer keeps its window and one batch."""
    whole = _padded(context)
    sliding = min(whole, _padded(header.sliding_window + BATCH)) if header.sliding_window else whole
    numbers = sum(one.kv_heads * (sliding if one.slides else whole) for one in header.layers)
    return kv_bytes(1, numbers, header.key_length, header.value_length, 1) * slots


def compute_bytes(header: gguf.Header, context: int, slots: int) -> int:
    """Bytes that llama.cpp computes with: a batch's activations and mask, and each slot's answer."""
    widths = _FEED_FORWARDS * header.feed_forward_length + _EMBEDDINGS * header.embedding_length
    return BATCH * (4 * widths + NUMBER_BYTES * _padded(context)) + 4 * header.vocabulary * slots


def available(root: Path = Path("/")) -> int:
    """Bytes that can be had without swapping: the machine's, or less where a control group (a container) says so."""
    return min([psutil.virtual_memory().available, *_group_rooms(root)])


def own(pid: int) -> int:
    """Bytes of a process that are free again when it ends: all but what it shares or has mapped from files."""
    try:
        info = psutil.Process(pid).memory_info()
    except psutil.Error:
        return 0
    return max(0, int(info.rss) - int(getattr(info, "shared", 0)))


def resident(pid: int) -> int:
    """Bytes of a process that are in memory now, the pages of mapped files among them; 0 when it is gone."""
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def refusal(path: Path, context: int, slots: int, free: int, asked: bool = False) -> ModelUnusable | None:
    """Why the model cannot be loaded, with the numbers and what fits instead; None when it can.

    `asked` says that a call asked for the window: then it is chosen with the call's settings, not with the engine's.
    """
    wanted = needs(path, context, slots)
    if wanted.least <= free:
        return None
    each = f"{slots} slots of {context:,} tokens each" if slots > 1 else f"a context window of {context:,} tokens"
    message = (
        f"{path.stem} with {each} needs at least {size(wanted.least)} of memory ({size(wanted.total)} to be quick), and"
        f" {size(free)} are free."
    )
    return ModelUnusable(message, _what_fits(path, context, slots, free, asked))


def shortage(path: Path, context: int, slots: int, free: int) -> str:
    """A sentence for a model that can be loaded but does not fit whole; empty for one that does."""
    wanted = needs(path, context, slots).total
    if wanted <= free:
        return ""
    return (
        f"{path.stem} needs {size(wanted)} of memory, and {size(free)} are free: parts of its file are read from the"
        " disk again and again, which is slow."
    )


def largest_context(path: Path, slots: int, free: int, most: int, measure: Measure = whole) -> int:
    """The largest window up to `most` with which the model fits, a multiple of 256 tokens; 0 when none does."""
    low, high = SMALLEST // CELLS - 1, most // CELLS
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if measure(needs(path, middle * CELLS, slots)) <= free else (low, middle - 1)
    return low * CELLS if low * CELLS >= SMALLEST else 0


def size(count: int) -> str:
    """Bytes as a person reads them: 491 MB, 1.1 GB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _needs(header: gguf.Header, weights: int, context: int, slots: int, copied: int = 0) -> Needs:
    return Needs(context, weights, copied, cache_bytes(header, context, slots), compute_bytes(header, context, slots))


def _padded(tokens: int) -> int:
    return math.ceil(tokens / CELLS) * CELLS


def _what_fits(path: Path, context: int, slots: int, free: int, asked: bool) -> str:
    """What a person can do about it: what fits whole, else what is slow but not refused."""
    for measure, but in ((whole, ""), (barely, " (slow: parts of the file are read again and again)")):
        if ways := _ways(path, context, slots, free, asked, measure):
            where = "" if asked else OF_THE_ENGINE  # windows and slots are chosen in one place
            return f"Choose {' or '.join(ways)}{where}{but}, or a smaller model, or close other programs."
    return "Choose a smaller model, or close other programs."


def _ways(path: Path, context: int, slots: int, free: int, asked: bool, measure: Measure) -> list[str]:
    """A smaller window, fewer slots, or one slot with a smaller window, as far as each of them fits."""
    of_slots, of_window = (OF_THE_ENGINE, OF_THE_CALL) if asked else ("", "")
    fitting = largest_context(path, slots, free, context - 1, measure)
    fewer = next((count for count in range(slots - 1, 0, -1) if measure(needs(path, context, count)) <= free), 0)
    ways = [f"a context window of {fitting:,} tokens{of_window}"] if fitting else []
    if fewer:
        ways.append(f"{fewer} {'slot' if fewer == 1 else 'slots'}{of_slots}")
    elif not fitting and slots > 1 and (single := largest_context(path, 1, free, context - 1, measure)):
        ways.append(f"1 slot{of_slots} and a context window of {single:,} tokens{of_window}")
    return ways


def _group_rooms(root: Path) -> list[int]:
    """What each control group that we are in leaves us, where it has a limit."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    rooms = []
    for line in lines:
        _, controllers, name = line.split(":", 2)
        if not controllers:
            rooms += _rooms(root / "sys/fs/cgroup", name, ("memory.max", "memory.current"))
        elif "memory" in controllers.split(","):
            files = ("memory.limit_in_bytes", "memory.usage_in_bytes")
            rooms += _rooms(root / "sys/fs/cgroup/memory", name, files)
    return rooms


def _rooms(base: Path, name: str, files: tuple[str, str]) -> list[int]:
    """The rooms of a group and of those above it. In a container its own may stand at the top, whatever its name."""
    group = base / name.strip("/")
    folders = [one for one in (group, *group.parents) if one.is_relative_to(base)]
    return [room for folder in folders if (room := _room(folder, files)) is not None]


def _room(folder: Path, files: tuple[str, str]) -> int | None:
    try:
        limit, used = ((folder / name).read_text().strip() for name in files)
        if limit == "max" or int(limit) >= _UNLIMITED:
            return None
        return max(0, int(limit) - int(used) + _cached(folder))
    except (OSError, ValueError):
        return None


def _cached(folder: Path) -> int:
    """Bytes that a group has in use for files, which the system takes back when they are wanted."""
    pairs = (line.split() for line in (folder / "memory.stat").read_text().splitlines())
    found = {name: int(value) for name, value in pairs}
    own_names = ("inactive_file", "active_file")
    return sum(found.get(f"total_{name}", found.get(name, 0)) for name in own_names)
