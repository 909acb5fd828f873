"""Reads what a GGUF model file says of itself: its header only, never its tensors."""

import mmap
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import ModelUnusable

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9

# llama.cpp's llama_ftype: how most of the file's tensors are stored.
_FILE_TYPES = {
    **{0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S"},
    **{12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K"},
    **{19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL"},
    **{26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16"},
    **{36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4"},
}


@dataclass(frozen=True)
class Header:
    """What a model file says of itself; empty or 0 where it is silent."""

    name: str
    architecture: str
    parameters: str
    quantisation: str
    context_length: int
    chat_template: str


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
            return self.skip_array(self.scalar("I"), self.scalar("Q"))
        return self.scalar(_SCALARS[kind])

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


def read(path: Path) -> Header:
    """The header of the model file at `path`. Raises ModelUnusable when it is not one."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _header(_metadata(_Reader(data)))
    except (OSError, ValueError, TypeError, KeyError, struct.error, OverflowError, RecursionError) as error:
        raise ModelUnusable(
            f"{path} is not a readable GGUF model file: {error or type(error).__name__}.",
            "Choose another model, or fetch the file again.",
        ) from None


def _metadata(reader: _Reader) -> dict[str, Any]:
    if reader.data[:4] != b"GGUF":
        raise ValueError("it does not begin with GGUF")
    reader.at = 4
    version = reader.scalar("I")
    if version not in (2, 3):
        raise ValueError(f"its format version {version} is not known")
    reader.scalar("Q")  # how many tensors
    found = {}
    for _ in range(reader.scalar("Q")):
        key = reader.string()
        found[key] = reader.value(reader.scalar("I"))
    return found


def _header(found: dict[str, Any]) -> Header:
    architecture = str(found.get("general.architecture", ""))
    name = str(found.get("general.name", ""))
    size = str(found.get("general.size_label", "")) or _size_in(name)
    return Header(
        name=name,
        architecture=architecture,
        parameters=size,
        quantisation=_FILE_TYPES.get(found.get("general.file_type", -1), ""),
        context_length=int(found.get(f"{architecture}.context_length", 0)),
        chat_template=str(found.get("tokenizer.chat_template", "")),
    )


def _size_in(name: str) -> str:
    match = re.search(r"\b\d+(\.\d+)?b\b", name, re.IGNORECASE)
    return match.group().upper() if match else ""
