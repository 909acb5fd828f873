"""Data sets as a person brings them: what is read, what each column becomes, and which rows are left out and why."""

import gzip
import json
from datetime import date
from pathlib import Path

import pytest

from workbench.errors import InvalidRequest
from workbench.experiments import dataset_rows, datasets
from workbench.experiments.model import Item
from workbench.experiments.reading import Reading, digest_of
from workbench.request import MAX_QUESTION_BYTES, RunRequest

TWO = [{"question": "What is 2 + 2?", "answer": "4"}, {"question": "Which is larger: 9.9 or 9.11?", "answer": "9.9"}]
JSONL = "\n".join(map(json.dumps, TWO))
CSV = 'question,answer\nWhat is 2 + 2?,4\n"Which is larger: 9.9 or 9.11?",9.9\n'


def lines(*rows: object) -> str:
    return "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)


def read(*rows: object) -> Reading:
    return datasets.read_text(lines(*rows))


def only(*rows: object) -> Item:
    """The only item of these rows."""
    (item,) = read(*rows).items
    return item


def left_out(reading: Reading) -> list[tuple[int, str]]:
    return [(problem.line, problem.message) for problem in reading.problems]


def refused(text: str) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as error:
        datasets.read_text(text)
    return error.value


def parquet(**columns: list[object]) -> bytes:
    import io

    import pyarrow as pa
    from pyarrow import parquet

    file = io.BytesIO()
    parquet.write_table(pa.table(columns), file)
    return file.getvalue()


# --- the same items from every format ---


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("JSONL", JSONL),
        ("JSONL", "\ufeff" + JSONL.replace("\n", "\r\n\r\n") + "\r\n"),
        ("JSON", json.dumps(TWO)),
        ("JSON", json.dumps(TWO, indent=2)),
        ("JSON", json.dumps({"version": 1, "data": TWO}, indent=2)),
        ("CSV", CSV),
        ("CSV", "\ufeff" + CSV.replace("\n", "\r\n")),
        ("CSV", "id;Question;ANSWER\n1;What is 2 + 2?;4\n2;Which is larger: 9.9 or 9.11?;9.9"),
        ("TSV", "Prompt\tGold\nWhat is 2 + 2?\t4\nWhich is larger: 9.9 or 9.11?\t9.9"),
    ],
)
def test_the_same_items_have_the_same_digest_in_every_text(form: str, text: str):
    pasted = datasets.read_text(text)
    assert [(item.question, item.answer) for item in pasted.items] == [(row["question"], row["answer"]) for row in TWO]
    assert (pasted.form, pasted.problems, pasted.digest) == (form, (), datasets.read_text(JSONL).digest)


def test_a_parquet_file_and_a_gzip_file_have_that_digest_too():
    data = parquet(question=[row["question"] for row in TWO], answer=[row["answer"] for row in TWO])
    reading = datasets.read_bytes("two.parquet", data)
    assert (reading.name, reading.form, reading.unit) == ("two", "Parquet", "row")
    packed = datasets.read_bytes("two.jsonl.gz", gzip.compress(JSONL.encode()))
    assert packed.name == "two"
    assert reading.digest == packed.digest == datasets.read_text(JSONL).digest


def test_an_object_that_has_a_list_of_choices_is_a_row_and_no_list_of_rows():
    choices = [{"text": "ice"}, {"text": "steam"}]
    row = {"question": "Hot?", "answer": "steam", "alternatives": ["vapour"], "sources": choices}
    assert only(row).question == datasets.read_text(json.dumps(row, indent=2)).items[0].question == "Hot?"


def test_other_items_or_another_order_have_another_digest():
    digests = {read(*TWO).digest, read(*reversed(TWO)).digest, read(TWO[0]).digest, read(*TWO, TWO[0]).digest}
    assert len(digests) == 4
    assert all(len(digest) == 64 for digest in digests)


def test_utf_16_as_spreadsheets_write_it_is_read():
    reading = datasets.read_bytes("table.csv", "question,answer\nWie heißt Gemüse?,légume\n".encode("utf-16"))
    assert reading.items[0].answer == "légume"


# --- which column is what ---


def test_the_schema_says_what_was_found_and_what_it_is_taken_as():
    reading = read({"Problem": "1 + 1?", "expected_answer": 2, "Topic": "sums", "hint": ["x"], "note": None})
    found = {column.name: (column.kind, column.example, column.taken_as) for column in reading.columns}
    assert found == {
        "Problem": ("text", "1 + 1?", "question"),
        "expected_answer": ("number", "2", "answer"),
        "Topic": ("text", "sums", "tags"),
        "hint": ("list", '["x"]', ""),
        "note": ("empty", "", ""),
    }
    assert reading.items[0] == Item(id="1", question="1 + 1?", answer="2", tags=("sums",))


def test_a_column_of_two_kinds_names_both():
    column = read({"question": "a?", "answer": 2}, {"question": "b?", "answer": "two"}).columns[1]
    assert column.kind == "number or text"


def test_of_two_columns_that_could_be_it_the_better_name_wins():
    item = only({"instruction": "Translate.", "input": "chat", "output": "cat", "question": "Which animal?"})
    assert (item.question, item.context, item.answer) == ("Which animal?", "chat", "cat")


def test_chosen_columns_go_before_names():
    text = "text;solution;Frage;answer\nno;no;Was?;das\n"
    item = datasets.read_text(text, {"question": "Frage", "context": "text", "tags": ""}).items[0]
    assert (item.question, item.answer, item.context, item.tags) == ("Was?", "das", "no", ())


@pytest.mark.parametrize(
    ("columns", "said"),
    [({"question": "Fragen"}, "no column 'Fragen'"), ({"prompt": "Frage"}, "no field 'prompt'")],
)
def test_a_choice_of_what_is_not_there_is_refused(columns: dict[str, str], said: str):
    with pytest.raises(InvalidRequest, match=said):
        datasets.read_text("Frage,answer\nWas?,das\n", columns)


def test_a_table_without_a_question_says_which_columns_it_has():
    error = refused("Frage,Antwort\nWas?,das\n")
    assert "Frage, Antwort" in error.message and error.hint


@pytest.mark.parametrize(
    ("value", "answer", "aliases"),
    [
        (["Paris", "paris", "Paris"], "Paris", ("paris",)),
        ({"text": ["Paris"], "answer_start": [7]}, "Paris", ()),
        (72, "72", ()),
        (72.0, "72", ()),
        (0.5, "0.5", ()),
        (True, "true", ("yes",)),
        ("  padded ", "padded", ()),
    ],
)
def test_an_answer_may_be_a_list_a_number_or_a_truth(value: object, answer: str, aliases: tuple[str, ...]):
    item = only({"question": "?", "answer": value})
    assert (item.answer, item.aliases) == (answer, aliases)


@pytest.mark.parametrize("answer", ["B", "b", "(B)", "B.", "Bern"])
def test_an_answer_that_is_a_letter_or_the_text_of_a_choice_becomes_letter_and_text(answer: str):
    item = only({"question": "Capital?", "choices": ["Basel", "Bern", "Chur"], "answer": answer})
    assert (item.answer, item.aliases) == ("B", ("Bern",))
    assert item.asked == "Capital?\n\nA. Basel\nB. Bern\nC. Chur"


def test_choices_may_have_labels_of_their_own():
    choices = {"text": ["ice", "steam"], "label": ["1", "2"]}
    assert only({"question": "Hot?", "choices": choices, "answerKey": "2"}).answer == "B"


def test_answers_that_number_the_choices_from_0_are_recognised_in_the_whole_set():
    rows = [{"question": f"{n}?", "choices": ["0", "4", "2"], "answer": n} for n in (0, 1, 2)]
    reading = read(*rows)
    assert [(item.answer, item.aliases) for item in reading.items] == [("A", ("0",)), ("B", ("4",)), ("C", ("2",))]
    assert reading.columns[2].taken_as == "answer (the number of a choice, from 0)"
    with_texts = read(*rows[:2], {"question": "9?", "choices": ["0", "4", "9"], "answer": 9})
    assert [item.answer for item in with_texts.items] == ["A", "C"]  # 9 is no number of a choice, so 0 is a text


def test_lists_in_a_cell_are_read():
    cells = 'question,choices,tags,aliases\n"?","[""x"", ""y""]","a, b",one|two\n?,x|y|z,,\n'
    first, second = datasets.read_text(cells).items
    assert (first.choices, first.tags, first.aliases) == (("x", "y"), ("a", "b"), ("one", "two"))
    assert second.choices == ("x", "y", "z")


def test_tests_may_be_a_list_of_assertions_and_keep_their_indents():
    program = "for n in range(3):\n    assert twice(n) == 2 * n"
    item = only({"text": "Double it.", "test_list": ["assert twice(1) == 2", program]})
    assert item.tests == f"assert twice(1) == 2\n{program}"


def test_a_context_may_be_a_list_of_passages():
    assert only({"question": "?", "context": ["One.", "Two."]}).context == "One.\n\nTwo."


def test_dates_and_decimals_of_a_parquet_file_are_texts():
    from decimal import Decimal

    data = parquet(question=["When?", "How much?"], answer=[date(2024, 2, 29), None], gold=[None, Decimal("1.50")])
    assert datasets.read_bytes("x.parquet", data).items[0].answer == "2024-02-29"
    other = datasets.read_bytes("x.parquet", data, {"answer": "gold"})
    assert other.items[0].answer == "1.50"
    assert left_out(other) == [(1, "it has no answer")]


# --- rows that are left out ---


def test_bad_rows_are_named_by_line_and_the_others_stay():
    reading = read(
        {"id": "a", "question": "First?", "answer": "1"},
        "",
        '{"question": "Second?", "answer": ',
        "[1, 2]",
        {"question": "", "answer": "3"},
        {"question": "Fifth?"},
        {"id": "a", "question": "Sixth?", "answer": "6"},
        {"question": ["Seventh?"], "answer": "7"},
        '{"question": "Eighth?", "answer": NaN}',
        {"question": "Nine\x00th?", "answer": "9"},
        '{"question": "Tenth?", "answer": "\\ud800"}',
        {"question": "Eleventh?", "choices": ["x", "y"], "answer": "z"},
        {"question": "Last?", "answer": "12"},
    )
    assert [item.question for item in reading.items] == ["First?", "Last?"]
    assert left_out(reading) == [
        (3, "it is not JSON: expecting value, column 34"),
        (4, "it is a list, where an object such as {...} was expected"),
        (5, "it has no question"),
        (6, "it has no answer"),
        (7, "its id, a, is that of line 1 too"),
        (8, "its question is not a text but of the kind list"),
        (9, "it cannot be read: NaN is no number that JSON has"),
        (10, "its question contains a NUL character"),
        (11, "its answer contains half of a surrogate pair, which is no character"),
        (12, "its answer, z, is none of its 2 choices"),
    ]


def test_lines_of_a_table_are_counted_through_cells_with_line_ends():
    text = 'question,answer\n"two\nlines",1\n\nno answer,\n"three\n\nlines",3\ntoo,many,cells\n"a"b,4\nlast,5\n'
    reading = datasets.read_text(text)
    assert [item.question for item in reading.items] == ["two\nlines", "three\n\nlines", "last"]
    assert [line for line, _ in left_out(reading)] == [5, 9, 10]
    assert "3 cells where the header has 2" in reading.problems[1].message
    assert "quotation marks" in reading.problems[2].message


def test_a_quotation_mark_that_is_never_closed_is_named_where_it_begins():
    reading = datasets.read_text('question,answer\nfine?,1\n"not closed,2\nlost?,3\n')
    assert len(reading.items) == 1
    assert left_out(reading) == [
        (3, "a quotation mark is opened and never closed, so that nothing after it could be read")
    ]


def test_items_of_a_list_on_one_line_are_counted_and_those_on_lines_are_named_by_line():
    rows = [{"question": "1?"}, {"question": ""}, {"question": "3?"}]
    one_line = datasets.read_text(json.dumps(rows))
    assert (one_line.unit, left_out(one_line)) == ("item", [(2, "it has no question")])
    many = datasets.read_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]")
    assert (many.unit, left_out(many)) == ("line", [(3, "it has no question")])


def test_a_set_without_any_answers_is_whole():
    reading = read({"question": "Write a poem."}, {"question": "Write another."})
    assert (len(reading.items), reading.problems) == (2, ())


def test_a_set_of_programs_needs_tests_in_every_row():
    reading = read({"question": "f?", "tests": "assert f()"}, {"question": "g?"})
    assert left_out(reading) == [(2, "it has no tests")]


def test_what_a_run_would_refuse_as_too_long_is_left_out_and_what_just_fits_can_be_asked():
    room = MAX_QUESTION_BYTES - len("?") - 2
    reading = read(*({"question": "?", "context": "x" * size, "answer": "1"} for size in (room, room + 1)))
    assert [line for line, _ in left_out(reading)] == [2]
    assert "too long" in reading.problems[0].message
    asked = reading.items[0].asked
    assert RunRequest(machine="m", question=asked, backend="b", model="m").question == asked


def test_rows_without_an_id_are_numbered_and_keep_their_numbers_when_another_row_is_bad():
    reading = read({"question": "1?"}, {"question": ""}, {"question": "3?"})
    assert [item.id for item in reading.items] == ["1", "3"]


# --- what cannot be read at all ---


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("  \n ", "is empty"),
        ("[]", "has no rows"),
        ("question,answer\n", "has no rows"),
        ('[{"question": "?"}, {"question": "!"', "line 1"),
        ('[\n{"question": "?"},\n{"question": }\n]', "line 3"),
        ('[{"question": "?"}] and more', "more after the end"),
        ("[" * 100_000, "nested too deeply"),
        ("question,answer,question\n1,2,3\n", "two columns named 'question'"),
        ("question,answer\n,1\n,2\n", "line 2: it has no question; line 3: it has no question"),
    ],
)
def test_nothing_readable_is_refused_with_a_sentence(text: str, said: str):
    error = refused(text)
    assert said in error.message and error.hint


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"PAR1 this is none PAR1", "cannot be read as Parquet"),
        (b"\x1f\x8b broken", "damaged gzip"),
        (b"PK\x03\x04 ...", "spreadsheet"),
        (b"question,answer\ncaf\xe9?,1\n", "not a text in UTF-8 (line 2)"),
    ],
)
def test_files_of_another_kind_are_refused_with_a_sentence(data: bytes, said: str):
    with pytest.raises(InvalidRequest) as error:
        datasets.read_bytes("file", data)
    assert said in error.value.message and error.value.hint


def test_a_small_gzip_file_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dataset_rows, "MOST_BYTES", 1_000_000)
    with pytest.raises(InvalidRequest, match="larger than"):
        datasets.read_bytes("bomb.jsonl.gz", gzip.compress(b'{"question": "?"}\n' * 100_000))


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dataset_rows, "MOST_ROWS", 2)
    with pytest.raises(InvalidRequest, match="more than 2 rows"):
        read(*TWO, TWO[0])
    with pytest.raises(InvalidRequest, match="3 rows"):
        datasets.read_bytes("x.parquet", parquet(question=["a", "b", "c"]))


def test_a_parquet_file_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(dataset_rows, "MOST_PARQUET_BYTES", 100_000)
    with pytest.raises(InvalidRequest, match="too large once it is decompressed"):
        datasets.read_bytes("x.parquet", parquet(question=["the same long text " * 100] * 1000))


def test_a_parquet_file_nested_beyond_reason_is_refused():
    value: object = 1
    for _ in range(20):
        value = [value]
    with pytest.raises(InvalidRequest, match="nested more than"):
        datasets.read_bytes("x.parquet", parquet(question=["a"], deep=[value]))


def test_a_table_with_too_many_columns_is_refused():
    with pytest.raises(InvalidRequest, match="more than 200 columns"):
        read({"question": "?", **{f"c{number}": 1 for number in range(300)}})


# --- found by name ---


def test_a_file_is_loaded_by_its_path_and_named_after_itself(tmp_path: Path):
    file = tmp_path / "my sums.v2.jsonl"
    file.write_text(JSONL)
    reading = datasets.load(str(file))
    assert (reading.name, reading.source, len(reading.items)) == ("my sums.v2", "my sums.v2.jsonl", 2)
    assert reading.digest == digest_of(reading.items)


def test_a_file_does_not_take_the_name_of_a_shipped_set(tmp_path: Path):
    (tmp_path / "letters.jsonl").write_text(JSONL)
    assert datasets.read_file(tmp_path / "letters.jsonl").name == "letters (own)"


@pytest.mark.parametrize("path", ["missing.jsonl", ".", "a\x00b"])
def test_a_path_that_is_no_file_is_refused(path: str):
    with pytest.raises(InvalidRequest):
        datasets.read_file(path)


def test_an_unknown_set_is_answered_with_those_that_there_are():
    with pytest.raises(InvalidRequest, match="There is no data set 'leters'") as error:
        datasets.load("leters")
    assert "letters, decimals, arithmetic, dates, programs" in error.value.hint
