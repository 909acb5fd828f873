"""What every backend does with the vectors that its server gives."""

import math
from collections.abc import Sequence

from workbench.errors import ModelMissing, WrongServer

LONGEST = 6_000  # characters of a text that are sent; the servers cut further by themselves


def not_named(server: str) -> ModelMissing:
    """Of a server elsewhere: it would get all of a person's documents, so that they are to say so themselves."""
    return ModelMissing(
        f"{server} is not on this machine, and is asked to compare texts only if you name its model.",
        "Set WORKBENCH_EMBEDDING_MODEL in .env; it then gets your documents whole.",
    )


def sendable(texts: Sequence[str]) -> list[str]:
    """The texts as servers take them: none too long, and none empty, which some refuse."""
    return [text[:LONGEST].strip() or "-" for text in texts]


def unit(numbers: Sequence[float]) -> list[float]:
    """The vector with length 1; one of zeros as it is."""
    length = math.hypot(*numbers)
    return [number / length for number in numbers] if length else list(numbers)


def units(vectors: Sequence[Sequence[float]], texts: Sequence[str]) -> list[list[float]]:
    """A vector of length 1 for each text. Raises WrongServer for more or fewer, or some of another size."""
    if len(vectors) != len(texts) or len({len(vector) for vector in vectors}) > 1 or not all(vectors):
        raise WrongServer(
            f"The server gave {len(vectors)} vectors for {len(texts)} texts, or of several lengths.",
            "Choose another embedding model: WORKBENCH_EMBEDDING_MODEL in .env.",
        )
    return [unit(vector) for vector in vectors]
