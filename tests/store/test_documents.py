"""The library of documents: what is added is found by its words, whatever a person types."""

import random
import sqlite3
import threading
from itertools import pairwise
from pathlib import Path

import pytest

from workbench.errors import InvalidRequest, StoreError
from workbench.store.documents import MAX_BYTES, OVERLAP, PASSAGE, Documents, split


@pytest.fixture
def library(tmp_path: Path) -> Documents:
    return Documents(tmp_path / "home" / "documents.db")


def test_an_empty_library_makes_no_file(library, tmp_path):
    assert (library.list(), library.search("anything"), library.remove("x")) == ([], [], False)
    assert list(tmp_path.iterdir()) == []


def test_an_added_document_is_listed_and_found(library):
    assert library.add("guide.md", "First line.\n\nThe café opens at nine.") == 1
    (document,) = library.list()
    assert (document.name, document.characters, document.chunks) == ("guide.md", 36, 1)
    assert document.added_at.endswith("+00:00")
    (found,) = library.search("cafe")
    assert (found.source, found.line, found.text) == ("guide.md", 1, "First line.\n\nThe café opens at nine.")
    assert found.score > 0


def test_a_document_of_the_same_name_replaces_the_old_one(library):
    library.add("a.txt", "old words " * 300)
    library.add("a.txt", "new words")
    assert [document.chunks for document in library.list()] == [1]
    assert library.search("old") == []
    assert [found.text for found in library.search("words")] == ["new words"]


def test_a_removed_document_is_found_no_more(library):
    library.add("a.txt", "apples")
    library.add("b.txt", "apples")
    assert library.remove("a.txt")
    assert not library.remove("a.txt")
    assert [found.source for found in library.search("apples")] == ["b.txt"]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("They were returning the tables.", "returned table"),
        ("Die Grüße der Königin", "grusse konigin"),
        ("E\u0301cole", "école"),
        ("东京是日本的首都。", "首都"),
        ("東京は日本の首都です。", "日本の首都"),
        ("서울은 한국의 수도이다", "수도"),
        ("Столица Франции", "столица"),
        ("the value of max_speed is 7", "max_speed"),
        ("The Who", "the who"),
        ("version 3.11.7", "3.11"),
    ],
)
def test_words_are_found_in_other_forms_and_scripts(library, text, query):
    library.add("other.txt", "Something else altogether.")
    library.add("wanted.txt", text)
    assert [found.source for found in library.search(query)][:1] == ["wanted.txt"]


def test_the_name_of_a_document_counts_too(library):
    library.add("holiday-rules.txt", "Thirty days.")
    library.add("other.txt", "Forty days.")
    assert library.search("What do the holiday rules say?")[0].source == "holiday-rules.txt"


def test_common_words_do_not_decide(library):
    library.add("noise.txt", "What is the what is the what is the.")
    library.add("wanted.txt", "A refund takes long.")
    assert [found.source for found in library.search("What is the refund?")] == ["wanted.txt"]


def test_the_limit_holds(library):
    for number in range(9):
        library.add(f"{number}.txt", "apples")
    assert len(library.search("apples")) == 4
    assert len(library.search("apples", limit=7)) == 7


@pytest.mark.parametrize(
    "query",
    [
        "",
        '"',
        '""',
        "'",
        "*",
        "NEAR(",
        "a NEAR b",
        "apples AND",
        "OR",
        "NOT apples",
        "body:apples",
        "^apples",
        "-apples",
        "+",
        "{body}: x",
        "apples*",
        "(apples",
        "'; DROP TABLE words; --",
        "\x00apples",
        "apples\ud800",
        "\ud800",
        "🍎",
        "_",
        "a" * 100_000,
        "word " * 50_000,
    ],
)
def test_no_query_is_an_error(library, query):
    library.add("a.txt", "apples")
    found = library.search(query)
    assert [passage.text for passage in found] == (["apples"] if "apples" in query else [])


def test_random_queries_are_no_error(library):
    library.add("a.txt", 'apples and pears, "quoted" (in brackets) * ^ : -')
    chance = random.Random(13)
    alphabet = "\"'*^:-+(){}[]<>|&~!@#$%\\/.,;?=_ \t\n\x00\ud800aANDORNOTéß日🍎apples"
    for _ in range(500):
        library.search("".join(chance.choice(alphabet) for _ in range(chance.randrange(40))))


def test_passages_are_short_overlap_and_lose_nothing():
    chance = random.Random(17)
    for _ in range(50):
        ends = [" ", " ", " ", " ", ". ", "\n", "\n\n", "\t"]
        words = [f"w{number}" for number in range(chance.randrange(1, 1500))]
        text = "".join(word + chance.choice(ends) for word in words)
        pieces = list(split(text))
        seen = [piece.split() for _, piece in pieces]
        assert {word.rstrip(".") for piece in seen for word in piece} >= set(words)
        assert all(len(piece) <= PASSAGE for _, piece in pieces)
        for (_, earlier), (_, later) in pairwise(pieces):
            assert later.split()[0] in earlier[-OVERLAP:].split()


def test_a_passage_begins_on_the_line_that_it_names():
    text = "\n".join(f"Line {number} says something of its own." for number in range(1, 400))
    lines = text.split("\n")
    pieces = list(split(text))
    assert len(pieces) > 15
    assert all(piece.startswith(lines[line - 1]) for line, piece in pieces)


def test_passages_end_between_paragraphs_where_there_are_some():
    text = "\n\n".join(f"Paragraph {number}. " + "It goes on for a while. " * 12 for number in range(10))
    assert all(piece.startswith(("Paragraph", "It goes")) and piece.endswith("while.") for _, piece in split(text))


@pytest.mark.parametrize(
    ("text", "char", "count"),
    [("x" * 5_000, "x", 5_000), ("東" * 5_000, "東", 5_000), ("x\n" * 3_000, "x", 3_000), (" " * 5_000 + "x", "x", 1)],
)
def test_text_without_borders_is_cut_all_the_same(text, char, count):
    pieces = [piece for _, piece in split(text)]
    assert all(0 < len(piece) <= PASSAGE for piece in pieces)
    assert count <= sum(piece.count(char) for piece in pieces) <= count * 1.2


@pytest.mark.parametrize(
    "content",
    [
        "Grüße\r\nWelt".encode(),
        "Grüße\r\nWelt".encode("utf-8-sig"),
        "Grüße\r\nWelt".encode("utf-16"),
        "Grüße\rWelt",
        "Grüße\nWelt",
    ],
)
def test_text_is_read_from_bytes_with_or_without_a_mark(library, content):
    library.add("a.txt", content)
    assert library.search("welt")[0].text == "Grüße\nWelt"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"%PDF-1.7\n...", "is a PDF"),
        (b"PK\x03\x04\x00\x00", "not a text file in UTF-8"),
        ("Grüße".encode("latin-1"), "not a text file in UTF-8"),
        (b"a\x00b", "not a text file in UTF-8"),
        (b"\xff\xfea", "not a text file in UTF-8"),
        (b"", "has no text in it"),
        (b" \n\t", "has no text in it"),
        (b"a" * (MAX_BYTES + 1), "larger than 20 MB"),
    ],
)
def test_what_is_no_text_is_refused_with_what_to_do(library, content, why):
    with pytest.raises(InvalidRequest) as refused:
        library.add("file", content)
    assert why in refused.value.message
    assert refused.value.hint
    assert library.list() == []


@pytest.mark.parametrize("name", ["", "  ", "a" * 201, "a\x00b", "a\ud800"])
def test_a_document_needs_a_name(library, name):
    with pytest.raises(InvalidRequest, match="needs a name"):
        library.add(name, "text")


def test_half_a_character_in_a_text_is_replaced(library):
    library.add("a.txt", "apples \ud800 pears")
    assert library.search("pears")[0].text == "apples ? pears"


def test_threads_may_add_and_search_at_once(library):
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(6):
                library.add(f"{(number + turn) % 3}.txt", "apples " * 10 * (number + 1))
                library.search("apples")
                library.list()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [document.name for document in library.list()] == ["0.txt", "1.txt", "2.txt"]
    assert len(library.search("apples", 99)) == 3


def test_a_failed_addition_leaves_the_old_document(library, monkeypatch):
    library.add("a.txt", "old words")

    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("workbench.store.documents._insert_passages", fail)
    with pytest.raises(StoreError):
        library.add("a.txt", "new words")
    assert [found.text for found in library.search("words")] == ["old words"]


def test_a_damaged_library_says_what_to_do(library, tmp_path):
    library.add("a.txt", "apples")
    (tmp_path / "home" / "documents.db").write_bytes(b"no database" * 1_000)
    with pytest.raises(StoreError, match="is damaged") as failed:
        library.list()
    assert failed.value.hint == "Delete it and add the documents again."


def test_a_home_that_cannot_be_made_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be used") as failed:
        Documents(tmp_path / "file" / "documents.db").add("a.txt", "apples")
    assert failed.value.hint
