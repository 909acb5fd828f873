"""Vectors of texts without a model: their words and pieces of words, each hashed to a place (feature hashing)."""

import hashlib
import math
import re

NAME = "hashed-words"
DIMENSIONS = 512
PIECE = 3  # letters: other forms of a word, and words written wrongly, share most of their pieces
OF_A_PIECE = 0.5
LEAST = 0.2  # texts whose words share no more than a few letters have less
_SHORT = 3  # words of so few letters say little
OF_A_SHORT_WORD = 0.1


def vector(text: str) -> list[float]:
    """A vector of length 1, always the same for the same text; one without words has zeros alone."""
    found = [0.0] * DIMENSIONS
    for word in re.findall(r"[^\W_]+", text.lower()):
        weight = OF_A_SHORT_WORD if len(word) <= _SHORT else 1.0
        _add(found, word, weight)
        marked = f"<{word}>"
        for start in range(len(marked) - PIECE + 1):
            _add(found, marked[start : start + PIECE], weight * OF_A_PIECE)
    length = math.hypot(*found)
    return [number / length for number in found] if length else found


def _add(numbers: list[float], piece: str, weight: float) -> None:
    """Add a piece at its place, with its sign: pieces that meet by chance cancel out on average."""
    digest = int.from_bytes(hashlib.blake2b(piece.encode(), digest_size=8).digest())
    numbers[digest % DIMENSIONS] += weight if digest >> 63 else -weight
