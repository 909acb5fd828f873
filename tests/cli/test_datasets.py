"""Data sets in a terminal: what is said before a file is kept, and what can be done with it then."""

import io
import json
from pathlib import Path

import pytest

from tests.cli.typing import Terminal
from workbench.experiments import datasets

TABLE = 'Frage;answer;level\n"Was ist\n2 + 2?";4;easy\nWer?;;hard\nWie viel ist 3 + 3?;6;easy\n'
COLUMN = ("--column", "question=Frage")


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "sums.csv"
    path.write_text(TABLE)
    return str(path)


def test_the_list_has_the_shipped_sets_and_those_that_were_added(terminal: Terminal, file: str):
    digest = terminal("datasets", "add", file, *COLUMN)[1].strip()
    code, out, err = terminal("datasets", "list")
    rows = [line.split() for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [row[:2] for row in rows[1:]] == [*([shipped.name, "50"] for shipped in datasets.SHIPPED), ["sums", "2"]]
    assert rows[-1][2] == digest[:12]
    listed = [json.loads(line) for line in terminal("datasets", "list", "--json")[1].splitlines()]
    assert listed[-1]["digest"] == digest and len(listed) == 6


def test_check_shows_the_schema_and_the_bad_rows_and_keeps_nothing(terminal: Terminal, file: str):
    code, out, err = terminal("datasets", "check", file, *COLUMN)
    assert code == 1
    assert out.startswith("sums · CSV · 2 items · SHA-256 ")
    assert [line.split()[:3] for line in out.splitlines()[2:]] == [
        ["Frage", "text", "question"],
        ["answer", "text", "answer"],
        ["level", "text", "tags"],
    ]
    assert err == "line 4: it has no answer\n"
    assert "sums" not in terminal("datasets", "list")[1]


def test_check_of_a_sound_file_ends_with_0_and_of_an_unreadable_one_with_2(terminal: Terminal, tmp_path: Path):
    good = tmp_path / "good.jsonl"
    good.write_text('{"question": "?", "answer": 1}\n')
    code, out, _ = terminal("datasets", "check", str(good), "--json")
    found = json.loads(out)
    assert (code, found["items"], found["problems"], found["unit"]) == (0, 1, [], "line")
    code, out, err = terminal("datasets", "check", str(tmp_path / "none.jsonl"))
    assert (code, out) == (2, "") and "is no file" in err


def test_a_table_without_a_question_says_what_to_do(terminal: Terminal, file: str):
    code, _, err = terminal("datasets", "check", file)
    assert code == 2 and "Frage, answer, level" in err
    code, _, err = terminal("datasets", "check", file, "--column", "Frage")
    assert code == 2 and "--column question=" in err


def test_an_added_set_has_the_chosen_name_and_can_be_shown_whole(terminal: Terminal, file: str):
    code, digest, err = terminal("datasets", "add", file, "--name", "German sums", *COLUMN)
    assert code == 0 and len(digest.strip()) == 64
    assert "Kept as German sums: 2 items." in err and "line 4" in err
    code, out, err = terminal("datasets", "show", "German sums")
    assert "── 1 ──\nWas ist\n2 + 2?\nAnswer: 4\n" in out and err == ""
    assert [
        json.loads(line)["answer"] for line in terminal("datasets", "show", digest[:8], "--json")[1].splitlines()
    ] == [
        "4",
        "6",
    ]


def test_adding_the_same_items_again_says_that_they_are_kept(terminal: Terminal, file: str):
    first = terminal("datasets", "add", file, *COLUMN)[1]
    code, again, err = terminal("datasets", "add", file, "--name", "other", *COLUMN)
    assert (code, again) == (0, first)
    assert "kept already, as sums" in err


def test_what_show_prints_as_json_can_be_added_again(
    terminal: Terminal, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, whole, err = terminal("datasets", "show", "programs", "--limit", "50", "--json")
    assert err == ""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(whole.encode())))
    _, digest, _ = terminal("datasets", "add", "-", "--name", "mine")
    assert digest.strip() == datasets.load("programs").digest


def test_a_set_is_renamed_and_deleted(terminal: Terminal, file: str):
    terminal("datasets", "add", file, *COLUMN)
    assert terminal("datasets", "rename", "sums", "totals")[0] == 0
    assert terminal("datasets", "delete", "totals")[1] == "Deleted totals, 2 items.\n"
    code, _, err = terminal("datasets", "delete", "totals")
    assert code == 2 and "None is kept yet." in err


def test_an_unknown_set_is_answered_with_those_that_there_are(terminal: Terminal):
    code, out, err = terminal("datasets", "show", "leters")
    assert (code, out) == (2, "") and "letters, decimals, arithmetic, dates, programs" in err


def test_what_a_file_says_cannot_steer_the_terminal(terminal: Terminal, tmp_path: Path):
    file = tmp_path / "evil.jsonl"
    file.write_text(json.dumps({"question": "\x1b[2Jgone?", "answer": "\x1b]0;x\x07"}))
    for command in (("check", str(file)), ("show", str(file))):
        code, out, _ = terminal("datasets", *command)
        assert code == 0 and "\x1b" not in out and "gone?" in out
