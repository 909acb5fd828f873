"""Reads what a GGUF model file says of itself: its header and the list of its tensors, never their numbers."""

import math
import mmap
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from workbench.errors import ModelUnusable

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_MOST_KEPT = 1024  # entries of an array that are read: one for each layer, but no vocabulary
_MOST_LAYERS, _MOST_DIMENSIONS = 512, 4  # llama.cpp loads no more

# llama.cpp's llama_ftype: how most of the file's tensors are stored.
_FILE_TYPES = {
    **{0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S"},
    **{12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K"},
    **{19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL"},
    **{26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16"},
    **{36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4"},
}

# Of each of ggml's tensor types: how many numbers make a block, and the bytes of one.
_BLOCKS = {
    **{0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36)},
    **{10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292)},
    **{16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82)},
    **{23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2)},
    **{34: (256, 54), 35: (256, 66), 39: (32, 17)},
}
# Q4_0, Q4_K and IQ4_NL: llama.cpp keeps a second copy of such matrices, in the order that the processor likes.
_COPIED = (2, 12, 20)
# Every how many layers one looks at the whole context, where the file does not say so itself.
_WHOLE_EVERY = {"gemma2": 2, "gemma3": 6, "gpt-oss": 2, "cohere2": 4}

_ONE_VECTOR = (1, 2, 3)  # the mean of all tokens', the first one's, the last one's


@dataclass(frozen=True)
class Layer:
    """A layer's part in the cache of the context: how many key and value heads, and whether its window slides."""

    kv_heads: int
    slides: bool = False


@dataclass(frozen=True)
class Tensor:
    """A tensor of the file: where it begins after the header, its bytes (0 for an unknown type)."""

    name: str
    type: int
    offset: int
    size: int


@dataclass(frozen=True)
class Header:
    """What a model file says of itself; empty or 0 where it is silent.

    Lengths are counts of numbers, `sliding_window` is in tokens. `copied` are the bytes of matrices that llama.cpp
    keeps twice; `whole` is how many bytes the file must have. `pooling` is how one that was made to compare texts makes
    one vector of its tokens' (llama.cpp's numbers), None of all others.
    """

    name: str
    architecture: str
    parameters: str
    quantisation: str
    context_length: int
    chat_template: str
    layers: tuple[Layer, ...] = ()
    key_length: int = 0
    value_length: int = 0
    embedding_length: int = 0
    feed_forward_length: int = 0
    vocabulary: int = 0
    sliding_window: int = 0
    copied: int = 0
    whole: int = 0
    pooling: int | None = None

    @property
    def embeds(self) -> bool:
        """Whether it was made to compare texts: it gives one vector for each, and writes none."""
        return self.pooling in _ONE_VECTOR


class _Reader:
    """A cursor over the file's header."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        self.at = 0

    def scalar(self, code: str) -> Any:
        value = struct.unpack_from("<" + code, self.data, self.at)[0]
        self.at += struct.calcsize("<" + code)
        return value

    def string(self) -> str:
        size = self.scalar("Q")
        if size > len(self.data) - self.at:
            raise struct.error("a string runs past the end of the file")
        text = self.data[self.at : self.at + size]
        self.at += size
        return text.decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            return self.array(self.scalar("I"), self.scalar("Q"))
        return self.scalar(_SCALARS[kind])

    def array(self, kind: int, count: int) -> Any:
        """A short array's numbers; of any other only how many entries it has."""
        if kind in _SCALARS and count <= _MOST_KEPT:
            return tuple(self.scalar(_SCALARS[kind]) for _ in range(count))
        self.skip_array(kind, count)
        return count

    def skip_array(self, kind: int, count: int) -> None:
        """Vocabularies have hundreds of thousands of entries and tell us nothing: step over them."""
        if kind in _SCALARS:
            self.at += count * struct.calcsize("<" + _SCALARS[kind])
            return
        for _ in range(count):
            if kind == _STRING:
                self.at += 8 + struct.unpack_from("<Q", self.data, self.at)[0]
            else:
                self.value(kind)


# What a file may make of us whose bytes are not what they should be.
_DAMAGED = (OSError, ValueError, TypeError, KeyError, struct.error, ArithmeticError, MemoryError, RecursionError)


def read(path: Path) -> Header:
    """The header of the model file at `path`; a file that has not changed is read once. Raises ModelUnusable."""
    try:
        stat = path.stat()
        return _read(path, stat.st_size, stat.st_mtime_ns)
    except _DAMAGED as error:
        raise ModelUnusable(
            f"{path} is not a readable GGUF model file: {_reason(error)}.",
            "Choose another model, or fetch the file again.",
        ) from None


def _reason(error: Exception) -> str:
    if isinstance(error, struct.error):
        return "it ends within its header"
    return str(error) or type(error).__name__


@lru_cache(maxsize=64)
def _read(path: Path, _size: int, _modified: int) -> Header:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        reader = _Reader(data)
        count, found = _metadata(reader)
        tensors = list(_tensors(reader, count))
        alignment = int(found.get("general.alignment", 32))
        if alignment < 1:
            raise ValueError(f"its alignment is {alignment}")
        return _header(found, tensors, math.ceil(reader.at / alignment) * alignment)


def _metadata(reader: _Reader) -> tuple[int, dict[str, Any]]:
    """How many tensors there are, and every key with its value."""
    if reader.data[:4] != b"GGUF":
        raise ValueError("it does not begin with GGUF")
    reader.at = 4
    version = reader.scalar("I")
    if version not in (2, 3):
        raise ValueError(f"its format version {version} is not known")
    count = reader.scalar("Q")
    found = {}
    for _ in range(reader.scalar("Q")):
        key = reader.string()
        found[key] = reader.value(reader.scalar("I"))
    return count, found


def _tensors(reader: _Reader, count: int) -> Iterator[Tensor]:
    for _ in range(count):
        name = reader.string()
        if (dimensions := reader.scalar("I")) > _MOST_DIMENSIONS:
            raise ValueError(f"a tensor of it has {dimensions} dimensions")
        numbers = math.prod(reader.scalar("Q") for _ in range(dimensions))
        kind, offset = reader.scalar("I"), reader.scalar("Q")
        per_block, size = _BLOCKS.get(kind, (1, 0))
        yield Tensor(name, kind, offset, numbers // per_block * size)


def _header(found: dict[str, Any], tensors: list[Tensor], begin: int) -> Header:
    architecture = str(found.get("general.architecture", ""))
    name = str(found.get("general.name", ""))
    own = {key.removeprefix(f"{architecture}."): value for key, value in found.items()}
    width, heads = _number(own, "embedding_length"), _number(own, "attention.head_count")
    usual = width // heads if heads else 0
    return Header(
        name=name,
        architecture=architecture,
        parameters=str(found.get("general.size_label", "")) or _size_in(name),
        quantisation=_FILE_TYPES.get(found.get("general.file_type", -1), ""),
        context_length=_number(own, "context_length"),
        chat_template=str(found.get("tokenizer.chat_template", "")),
        layers=_layers(own, architecture),
        key_length=_number(own, "attention.key_length") or usual,
        value_length=_number(own, "attention.value_length") or usual,
        embedding_length=width,
        feed_forward_length=_number(own, "feed_forward_length"),
        vocabulary=_number(own, "vocab_size") or _number(found, "tokenizer.ggml.tokens"),
        sliding_window=_number(own, "attention.sliding_window"),
        copied=sum(one.size for one in tensors if one.type in _COPIED and not one.name.startswith("token_embd")),
        whole=max((begin + one.offset + one.size for one in tensors), default=0),
        pooling=own.get("pooling_type"),
    )


def _layers(own: dict[str, Any], architecture: str) -> tuple[Layer, ...]:
    """Each layer, as far as the cache of the context depends on it."""
    if (count := _number(own, "block_count")) > _MOST_LAYERS:
        raise ValueError(f"it announces {count} layers")
    heads = own.get("attention.head_count_kv", _number(own, "attention.head_count"))
    each = [int(one) for one in heads] if isinstance(heads, tuple) else [int(heads)] * count
    if interval := _number(own, "full_attention_interval"):  # the layers between have a state of fixed size instead
        each = [one if (number + 1) % interval == 0 else 0 for number, one in enumerate(each)]
    pattern = own.get("attention.sliding_window_pattern", _WHOLE_EVERY.get(architecture, 1))
    if isinstance(pattern, tuple):
        slides = [bool(one) for one in pattern]
    else:
        slides = [number % max(int(pattern), 1) < int(pattern) - 1 for number in range(count)]
    return tuple(Layer(one, does) for one, does in zip(each, slides, strict=False))


def _number(found: dict[str, Any], key: str) -> int:
    """A whole number, the largest of several; 0 where there is none."""
    value = found.get(key, 0)
    return int(max(value, default=0)) if isinstance(value, tuple) else int(value)


def _size_in(name: str) -> str:
    match = re.search(r"\b\d+(\.\d+)?b\b", name, re.IGNORECASE)
    return match.group().upper() if match else ""
