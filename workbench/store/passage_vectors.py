"""The vectors of the passages' pieces: kept by model, compared one and all, and orders of passages fused.

A passage is as near to a query as the nearest of its pieces: one vector of a passage that speaks of several things is
near to none of them. benchmarks/retrieval.py measures it.
"""

import re
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

RANKS = 60  # k of reciprocal rank fusion (Cormack, Clarke and Buettcher 2009)
AT_ONCE = 4096  # vectors in memory at once
PIECE = 200  # characters
Vector = Sequence[float]

# A file from before there were vectors gets the table when it is opened. The trigger also works in a program of that
# time which opens the file later: numbers of passages are given again.
SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (
    passage INTEGER NOT NULL REFERENCES passages (id), piece INTEGER NOT NULL, model TEXT NOT NULL,
    numbers BLOB NOT NULL, PRIMARY KEY (model, passage, piece)) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS vectors_of_gone_passages AFTER DELETE ON passages BEGIN
    DELETE FROM vectors WHERE passage = OLD.id;
END;
CREATE INDEX IF NOT EXISTS vectors_of_passage ON vectors (passage);
"""
_MISSING = """
SELECT id, text FROM passages
WHERE NOT EXISTS (SELECT 1 FROM vectors WHERE vectors.passage = passages.id AND model = ?) ORDER BY id LIMIT ?
"""
_KEEP = """
INSERT OR REPLACE INTO vectors (passage, piece, model, numbers)
SELECT id, ?, ?, ? FROM passages WHERE id = ? AND text = ?
"""
_COUNTED = """
SELECT (SELECT count(DISTINCT passage) FROM vectors WHERE model = ?), (SELECT count(*) FROM passages)
"""
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])|\n+")


@dataclass(frozen=True)
class Near:
    """A query's vector by a model; a passage whose product with it is below `least` has nothing to do with it."""

    model: str
    vector: Vector
    least: float = -1.0


def missing(db: sqlite3.Connection, model: str, limit: int) -> list[tuple[int, str]]:
    """Passages (number, text) without a vector of the model."""
    return db.execute(_MISSING, (model, limit)).fetchall()


def pieces(text: str) -> list[str]:
    """A passage in pieces of about 200 characters: whole sentences, as many as fit, at least one."""
    found: list[str] = []
    for sentence in filter(None, map(str.strip, _SENTENCE.split(text))):
        if found and len(found[-1]) + len(sentence) < PIECE:
            found[-1] = f"{found[-1]} {sentence}"
        else:
            found.append(sentence)
    return found


def keep(db: sqlite3.Connection, model: str, vectors: Iterable[tuple[int, str, Sequence[Vector]]]) -> None:
    """Keep the vectors of passages (number, text, a vector for each piece) that are still there and say the same."""
    rows = [
        (piece, model, _packed(vector), number, text)
        for number, text, found in vectors
        for piece, vector in enumerate(found)
    ]
    db.executemany(_KEEP, rows)


def counted(db: sqlite3.Connection, model: str) -> tuple[int, int]:
    """How many passages have vectors of the model, and how many there are."""
    done, whole = db.execute(_COUNTED, (model,)).fetchone()
    return int(done), int(whole)


def closest(db: sqlite3.Connection, near: Near, limit: int) -> list[int]:
    """The passages of which a piece has the largest products with the query's vector, largest first."""
    query = np.asarray(near.vector, dtype=np.float32)
    best: list[tuple[int, float]] = []
    rows = db.execute("SELECT passage, numbers FROM vectors WHERE model = ? ORDER BY passage", (near.model,))
    while batch := rows.fetchmany(AT_ONCE):
        fitting = [(number, numbers) for number, numbers in batch if len(numbers) == 2 * len(query)]
        joined = np.frombuffer(b"".join(numbers for _, numbers in fitting), dtype=np.float16)
        products = joined.reshape(len(fitting), len(query)).astype(np.float32) @ query
        nearest = dict(best)
        for (number, _), product in zip(fitting, products.tolist(), strict=True):
            if product >= near.least:
                nearest[number] = max(product, nearest.get(number, product))
        best = sorted(nearest.items(), key=lambda one: (-one[1], one[0]))[:limit]
    return [number for number, _ in best]


def fused(orders: Iterable[Sequence[int]]) -> list[tuple[int, float]]:
    """Passages of several orders with the sum of their reciprocal ranks, largest first."""
    scores: dict[int, float] = {}
    for order in orders:
        for rank, number in enumerate(order, 1):
            scores[number] = scores.get(number, 0.0) + 1 / (RANKS + rank)
    return sorted(scores.items(), key=lambda one: (-one[1], one[0]))


def _packed(vector: Vector) -> bytes:
    """Half of the usual precision: it changes no order that means anything, and takes half of the room."""
    return np.asarray(vector, dtype=np.float16).tobytes()
