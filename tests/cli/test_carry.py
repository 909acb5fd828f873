"""Bundles and training data in a terminal."""

import json
from pathlib import Path

import pytest

from tests.carry.test_training import keep, preference_lines, scored, supervised_lines
from tests.cli.typing import Terminal
from tests.ollama_server import CHAT, ollama_server
from workbench.carry.training import Data
from workbench.settings import load
from workbench.store.runs import RunStore


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Go to another machine."""
    return lambda: monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "elsewhere"))


def data(text: str) -> Data:
    return Data(lines=text.splitlines())


def test_a_run_goes_into_a_file_and_out_of_it_on_another_machine(terminal: Terminal, store, tmp_path, elsewhere):
    keep(store, "run1", "What is 6 times 7?", verdict="good")
    file = str(tmp_path / "run.zip")
    code, out, err = terminal("runs", "bundle", "run1", "-o", file)
    assert (code, out) == (0, "") and f"1 run in {file}" in err
    elsewhere()
    code, out, err = terminal("import", file, "--dry-run")
    assert code == 0 and "A bundle of 1 run, made by Second Thought" in out and "What is 6 times 7?" in out
    assert "Nothing was imported." in err and RunStore(load().store_url).count() == 0
    code, out, err = terminal("import", file)
    (row,) = RunStore(load().store_url).runs()
    assert code == 0 and f"Imported as {row.id}." in err and row.foreign_id == "run1"
    code, out, err = terminal("import", file)
    assert code == 0 and f"It has been imported before, as {row.id}." in err
    assert terminal("import", file, "--dry-run")[2].endswith(f"It has been imported before, as {row.id}.\n")
    assert "42" in terminal("runs", "show", row.id)[1]


def test_what_was_imported_can_be_read_by_a_program(terminal: Terminal, store, tmp_path, elsewhere):
    keep(store, "run1")
    file = str(tmp_path / "run.zip")
    terminal("runs", "bundle", "run1", "-o", file)
    looked = json.loads(terminal("import", file, "--dry-run", "--json")[1])
    assert looked["imported"] is False and looked["runs"][0]["id"] == "run1"
    elsewhere()
    taken = json.loads(terminal("import", file, "--json")[1])
    assert taken["imported"] is True and len(taken["run_ids"]) == 1 and taken["kind"] == "run"


def test_what_cannot_be_read_or_written_is_said_in_a_sentence(terminal: Terminal, store, tmp_path):
    keep(store, "run1")
    for name, said in (("notes.zip", "This is no bundle"), ("notes.txt", "This is no log of ReAct or Reflexion")):
        (tmp_path / name).write_text("Buy milk.")
        code, _, err = terminal("import", str(tmp_path / name))
        assert code == 2 and said in err
    assert terminal("import", str(tmp_path / "nowhere.zip"))[0] == 2
    assert terminal("import", str(tmp_path))[0] == 2
    code, _, err = terminal("runs", "bundle", "run1", "-o", str(tmp_path / "no" / "such" / "folder.zip"))
    assert code == 3 and "cannot be written" in err
    assert terminal("runs", "bundle", "nobody", "-o", "x.zip")[0] == 3


def test_good_answers_become_a_file_for_fine_tuning_with_a_report(terminal: Terminal, store, tmp_path):
    keep(store, "run1", verdict="good")
    keep(store, "run2", "How?", verdict="bad")
    file = tmp_path / "sft.jsonl"
    code, out, err = terminal("training", "sft", "-o", str(file), "--verdict", "good")
    assert (code, out) == (0, "") and len(supervised_lines(data(file.read_text()))) == 1
    assert "1 example from 1 run." in err and "Left out (1): runs that were called bad." in err
    assert "script (scripted)" not in err and "demo (scripted): no model." in err
    code, out, _ = terminal("training", "sft", "--extent", "whole")
    assert code == 0 and len(supervised_lines(data(out))) == 2


def test_pairs_go_to_standard_output_and_the_report_to_standard_error(terminal: Terminal, store):
    keep(store, "run1", "Why?", "Because.", "good")
    keep(store, "run2", "Why?", "Dunno.", "bad")
    code, out, err = terminal("training", "preference", "--json")
    assert code == 0 and len(preference_lines(data(out))) == 1
    assert json.loads(err)["lines"] == 1 and json.loads(err)["licences"][0]["licence"] == "no model"
    assert "prompt" in json.loads(terminal("training", "preference", "--form", "trl")[1])


def test_nothing_to_write_is_said_with_what_was_left_out(terminal: Terminal, store, tmp_path):
    keep(store, "run1", verdict="bad")
    code, _, err = terminal("training", "sft", "-o", str(tmp_path / "none.jsonl"))
    assert code == 2 and "Left out (1): runs that were called bad." in err and "There is no example to write." in err
    assert not (tmp_path / "none.jsonl").exists()
    assert "no experiment" in terminal("training", "sft", "--experiment", "Products")[2]
    assert "--min-score" in terminal("training", "sft", "--min-score", "7")[2]


def test_imported_runs_and_an_experiments_runs_are_chosen_with_flags(terminal: Terminal, store, tmp_path, elsewhere):
    keep(store, "run1", "What is 6 times 7?", verdict="good")
    file = str(tmp_path / "run.zip")
    terminal("runs", "bundle", "run1", "-o", file)
    elsewhere()
    terminal("import", file)
    code, _, err = terminal("training", "sft")
    assert code == 2 and "Left out (1): runs that were imported." in err
    code, out, err = terminal("training", "sft", "--imported")
    assert code == 0 and len(supervised_lines(data(out))) == 1
    assert "1 example from 1 run, 1 of them imported." in err
    assert json.loads(terminal("training", "sft", "--imported", "--json")[2])["imported"] == 1
    there = RunStore(load().store_url)
    keep(there, "run2", "How?", "So.", "good")
    keep(there, "run3", "Who?", "Me.", "good")
    scored(there, ("run2", 0, 0, 0.0))
    (one,) = supervised_lines(data(terminal("training", "sft", "--experiment", "Sums")[1]))
    assert one["messages"][-1]["content"] == "So."


def test_ollamas_own_word_on_a_licence_is_told(terminal: Terminal, store, monkeypatch):
    with ollama_server() as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        keep(store, "run1", backend="ollama", model=CHAT, verdict="good")
        assert f"{CHAT} (ollama): Apache-2.0. As its backend says" in terminal("training", "sft")[2]
    assert f"{CHAT} (ollama): " in terminal("training", "sft")[2]
