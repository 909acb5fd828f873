"""Vectors of passages: kept by model, gone with their passages, and fused with what is found by words."""

import sqlite3
import time
from pathlib import Path

import numpy as np
import pytest

from workbench.store.documents import Documents, Passage
from workbench.store.passage_vectors import PIECE, Near, fused, pieces
from workbench.store.reading import read_passages

NORTH, EAST, BETWEEN = [1.0, 0.0], [0.0, 1.0], [0.6, 0.8]


@pytest.fixture
def library(tmp_path: Path) -> Documents:
    return Documents(tmp_path / "documents.db")


def give(library: Documents, model: str, **vectors: list[float]) -> None:
    """Passages of these texts get these vectors."""
    missing = library.without_vectors(model, 100)
    library.keep_vectors(model, [(number, text, [vectors[text]]) for number, text in missing if text in vectors])


def sources(found: list[Passage] | tuple[Passage, ...]) -> list[str]:
    return [passage.text for passage in found]


@pytest.fixture
def filled(library: Documents) -> Documents:
    for text in ("apples", "pears", "plums"):
        library.add(f"{text}.txt", text)
    give(library, "m", apples=NORTH, pears=BETWEEN, plums=EAST)
    return library


def test_what_shares_no_word_is_found_by_its_vector(filled):
    assert filled.search("quinces") == []
    assert sources(filled.search("quinces", near=Near("m", EAST))) == ["plums", "pears", "apples"]
    assert sources(filled.search("!?", near=Near("m", EAST), limit=1)) == ["plums"]


def test_both_ways_of_finding_count(filled):
    """Apples are first by words and last by vector: 1/61 + 1/63 is more than the 1/61 of the other's first place."""
    found = filled.search("apples", near=Near("m", EAST))
    assert sources(found) == ["apples", "plums", "pears"]
    assert [round(passage.score, 6) for passage in found] == [
        round(1 / 61 + 1 / 63, 6),
        round(1 / 61, 6),
        round(1 / 62, 6),
    ]


def test_what_has_nothing_in_common_is_left_out(filled):
    assert sources(filled.search("quinces", near=Near("m", EAST, least=0.5))) == ["plums", "pears"]


def test_a_place_counts_by_its_reciprocal_after_sixty():
    assert fused([[7, 3], [3]]) == [(3, 1 / 62 + 1 / 61), (7, 1 / 61)]
    assert fused([[2, 1], [1, 2]]) == [(1, 1 / 62 + 1 / 61), (2, 1 / 61 + 1 / 62)], "equals in the order they came in"


def test_each_model_has_its_own_vectors(filled):
    assert filled.read_by("m") == (3, 3)
    assert filled.read_by("other") == (0, 3)
    assert filled.search("quinces", near=Near("other", EAST)) == []
    give(filled, "other", apples=EAST)
    assert sources(filled.search("quinces", near=Near("other", EAST))) == ["apples"]
    assert filled.read_by("m") == (3, 3)


def test_vectors_of_another_length_are_passed_over(filled):
    assert filled.search("quinces", near=Near("m", [1.0, 0.0, 0.0])) == []


def test_the_vector_of_a_document_goes_with_it(filled):
    """Numbers of passages are given again: the next one must not get the vector of the one before."""
    filled.remove("plums.txt")
    assert filled.read_by("m") == (2, 2)
    filled.add("figs.txt", "figs")
    assert filled.read_by("m") == (2, 3)
    assert "figs" not in sources(filled.search("quinces", near=Near("m", EAST)))


def test_a_passage_that_changed_while_it_was_read_does_not_get_the_old_ones_vector(library):
    library.add("a.txt", "old")
    ((number, text),) = library.without_vectors("m", 9)
    library.add("a.txt", "new")
    library.keep_vectors("m", [(number, text, [NORTH])])
    assert library.read_by("m") == (0, 1)


def test_a_file_from_before_there_were_vectors_is_taken_over(filled, tmp_path):
    with sqlite3.connect(tmp_path / "documents.db") as db:
        db.executescript("DROP TRIGGER vectors_of_gone_passages; DROP TABLE vectors;")
    assert sources(filled.search("apples")) == ["apples"]
    assert filled.read_by("m") == (0, 3)
    give(filled, "m", plums=EAST)
    assert sources(filled.search("quinces", near=Near("m", EAST))) == ["plums"]


def test_a_program_from_before_that_removes_a_document_removes_its_vectors(filled, tmp_path):
    with sqlite3.connect(tmp_path / "documents.db") as db:
        db.execute("DELETE FROM passages WHERE text = 'plums'")
    assert filled.read_by("m") == (2, 2)


def test_an_empty_library_has_nothing_to_read_and_makes_no_file(library, tmp_path):
    assert (library.read_by("m"), library.without_vectors("m", 5)) == ((0, 0), [])
    assert list(tmp_path.iterdir()) == []


def test_many_passages_are_searched_in_no_time(library):
    """Twenty thousand vectors of 384 numbers: half of it is what a quick disk and one core take."""
    rng = np.random.default_rng(5)
    library.add("a.txt", "word " * 100)
    with library._connected() as db:
        rows = [(number, f"passage {number}") for number in range(2, 20_002)]
        db.executemany("INSERT INTO passages (id, document, line, text) VALUES (?, 1, 1, ?)", rows)
        vectors = rng.normal(size=(20_000, 384)).astype(np.float16)
        packed = [(number, vectors[number - 2].tobytes()) for number, _ in rows]
        db.executemany("INSERT INTO vectors (passage, piece, model, numbers) VALUES (?, 0, 'm', ?)", packed)
    began = time.perf_counter()
    found = library.search("nothing", near=Near("m", vectors[777].astype(float).tolist()))
    assert found[0].text == "passage 779"
    assert time.perf_counter() - began < 5


def test_a_passage_is_as_near_as_the_nearest_of_its_pieces(library):
    for text, vectors in (("both", [NORTH, EAST]), ("between", [BETWEEN])):
        library.add(f"{text}.txt", text)
        ((number, said),) = library.without_vectors("m", 9)
        library.keep_vectors("m", [(number, said, vectors)])
    assert library.read_by("m") == (2, 2)
    assert sources(library.search("x", near=Near("m", NORTH))) == ["both", "between"]
    assert sources(library.search("x", near=Near("m", EAST))) == ["both", "between"]
    assert sources(library.search("x", near=Near("m", BETWEEN))) == ["between", "both"]


def test_pieces_are_whole_sentences_and_together_the_passage():
    short = "It rains. " * 30
    long = "word " * 100
    found = pieces(f"{short}\n{long}\nThe end.")
    assert " ".join(" ".join(found).split()) == " ".join(f"{short} {long} The end.".split())
    assert all(len(piece) <= PIECE for piece in found if "word" not in piece)
    assert all(piece.endswith(".") for piece in found[:2])
    assert len([piece for piece in found if "word" in piece]) == 1
    assert pieces("東京は首都です。" * 2) == ["東京は首都です。 東京は首都です。"]


# Reading


async def test_reading_gives_every_passage_its_vectors_and_goes_on_where_it_was_stopped(library):
    for number in range(30):
        library.add(f"{number}.txt", f"Paragraph {number}. " + "So it is said here in some more words. " * 6)
    seen: list[str] = []
    most = 20

    async def embed(texts):
        if len(seen) > most:
            return None
        seen.extend(texts)
        return [NORTH for _ in texts]

    assert not await read_passages(library, "m", embed)
    done = library.read_by("m")[0]
    assert 0 < done < 30
    before, seen, most = seen, [], 1_000
    assert await read_passages(library, "m", embed)
    assert library.read_by("m") == (30, 30)
    assert not set(named(before)) & set(named(seen)), "none is read twice"


def named(texts: list[str]) -> list[str]:
    return [text.split(".")[0] for text in texts if text.startswith("Paragraph")]


async def test_reading_is_over_when_all_is_read(library):
    for number in range(30):
        library.add(f"{number}.txt", f"Paragraph {number}.")
    sizes: list[int] = []

    async def embed(texts):
        sizes.append(len(texts))
        return [NORTH for _ in texts]

    assert await read_passages(library, "m", embed)
    assert library.read_by("m") == (30, 30)
    assert (sum(sizes), sizes[0]) == (30, 1) and max(sizes) > 4, "few at first, more where it is quick"
