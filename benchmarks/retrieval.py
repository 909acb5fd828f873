"""How well the documents' search finds a passage by a question in other words: by words, by meaning, and by both."""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from benchmarks.report import table, title
from workbench import settings as settings_module
from workbench.backends import registry
from workbench.backends.base import Embeds
from workbench.store.documents import Documents, Passage
from workbench.store.passage_vectors import Near
from workbench.store.reading import read_passages

PAIRS = Path(__file__).with_name("retrieval.yaml")
HEAD = ["the passages are", "found", "first", "among three", "not at all"]
BEGINNING = 40  # characters by which a passage is known


def measure(name: str = "embedded") -> str:
    """The table for a backend's embedding model."""
    return asyncio.run(_measured(name))


async def _measured(name: str) -> str:
    pairs = yaml.safe_load(PAIRS.read_text(encoding="utf-8"))
    whole = "\n\n".join(pair["passage"] for pair in pairs)
    backend = registry.create(name, settings_module.load())
    assert isinstance(backend, Embeds)
    try:
        model, seconds, rows = "", 0.0, list[list[str]]()
        vectors: list[list[float]] = []
        with tempfile.TemporaryDirectory() as folder:
            for how, documents in (("documents", [pair["passage"] for pair in pairs]), ("in one document", [whole])):
                library = Documents(Path(folder) / f"{how}.db")
                for number, document in enumerate(documents):
                    library.add(f"{number}.txt", document)
                model, seconds = await _read(library, backend)
                vectors = vectors or (await backend.embed([pair["question"] for pair in pairs])).vectors
                rows += _rows(how, library, pairs, model, vectors)
    finally:
        await backend.close()
    head = title(f"Retrieval: {len(pairs)} questions in other words than their passages", model)
    return f"{head}\n{table(HEAD, rows)}\n\n{len(whole) / seconds:.0f} characters were read a second.\n"


async def _read(library: Documents, backend: Embeds) -> tuple[str, float]:
    """The model that reads the passages, and the seconds that it takes; the time to load it is not among them."""
    model = (await backend.embed(["Ready?"])).model
    began = time.perf_counter()

    async def embed(texts: Sequence[str]) -> list[list[float]]:
        return (await backend.embed(texts)).vectors

    await read_passages(library, model, embed)
    return model, time.perf_counter() - began


def _rows(
    how: str, library: Documents, pairs: Sequence[Mapping[str, str]], model: str, vectors: Sequence[Sequence[float]]
) -> list[list[str]]:
    count = len(pairs)
    places: dict[str, list[int]] = {"by words": [], "by meaning": [], "by both": []}
    for pair, vector in zip(pairs, vectors, strict=True):
        near, question = Near(model, vector), pair["question"]
        places["by words"].append(_place(pair, library.search(question, count)))
        places["by meaning"].append(_place(pair, library.search("", count, near)))
        places["by both"].append(_place(pair, library.search(question, count, near)))
    return [
        [how, way, f"{each.count(1)}", f"{sum(0 < one <= 3 for one in each)}", f"{each.count(0)}"]
        for way, each in places.items()
    ]


def _place(pair: Mapping[str, str], found: Sequence[Passage]) -> int:
    """The place of the right passage, from 1; 0 where it was not found."""
    beginning = " ".join(pair["passage"].split())[:BEGINNING]
    holds = [beginning in " ".join(passage.text.split()) for passage in found]
    return holds.index(True) + 1 if True in holds else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", default="embedded")
    print(measure(parser.parse_args().backend))
