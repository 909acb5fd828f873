"""Experiments in a terminal: run a file, go on with it, look at it, compare, export, retry, delete."""

import csv
import io
import json
import signal
from pathlib import Path

import pytest
import yaml

from tests.cli.typing import Script, Terminal, started_process
from workbench.settings import load
from workbench.store.database import Database
from workbench.store.experiments import ExperimentStore
from workbench.store.runs import RunStore

SUMS = [{"id": str(n), "question": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(4)]
LANES = [{"name": "plain", "machine": "direct"}, {"name": "brief", "machine": "direct", "options": {"brief": True}}]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An experiment in a folder of its own, with its data set beside it; the terminal stands elsewhere."""
    folder = tmp_path / "experiments"
    folder.mkdir()
    (folder / "sums.jsonl").write_text("".join(json.dumps(item) + "\n" for item in SUMS))
    write(folder / "sums.yaml")
    monkeypatch.chdir(tmp_path)
    return folder / "sums.yaml"


def write(file: Path, **changes: object) -> None:
    whole = {"name": "sums", "dataset": "sums.jsonl", "scorer": "numeric", "backend": "scripted", "lanes": LANES}
    file.write_text(yaml.safe_dump(whole | changes))


def conversation(script: Script, answer: str = "Answer: 1", **more: object) -> None:
    """Let the scripted backend answer everything so."""
    script({"conversations": [{"name": "all", "answers": [{"text": answer, **more}]}]})


def test_a_file_is_run_with_progress_on_standard_error_and_results_on_standard_output(
    script: Script, terminal: Terminal, file: Path
):
    conversation(script)
    code, out, err = terminal("experiment", "run", str(file))
    assert code == 0
    assert out.startswith("sums · done · sums.jsonl, 4 items · numeric\nLANE ")
    rows = [line.split()[:3] for line in out.splitlines()[2:4]]
    assert rows == [["plain", "4", "25%"], ["brief", "4", "25%"]]
    assert "No difference is seen between plain and brief" in out
    assert err.startswith("sums: 8 cells.\n") and "8 of 8 done" in err


def test_running_the_same_file_again_runs_nothing(script: Script, terminal: Terminal, file: Path, store: RunStore):
    conversation(script)
    terminal("experiment", "run", str(file))
    code, _, err = terminal("experiment", "run", str(file))
    assert code == 0 and "8 are kept from before, 0 are new, 0 have gone." in err
    assert store.count() == 8


def test_a_changed_file_keeps_what_has_not_changed(script: Script, terminal: Terminal, file: Path, store: RunStore):
    conversation(script)
    terminal("experiment", "run", str(file))
    write(file, limit=3, lanes=[LANES[1], {"name": "warm", "machine": "direct", "settings": {"temperature": 1.0}}])
    _, out, err = terminal("experiment", "run", str(file))
    assert "sums: 6 cells. 3 are kept from before, 3 are new, 5 have gone." in err
    assert [line.split()[0] for line in out.splitlines()[2:4]] == ["brief", "warm"]
    assert store.count() == 11


def test_prompts_are_seen_from_the_files_folder(script: Script, terminal: Terminal, file: Path, store: RunStore):
    conversation(script)
    (file.parent / "terse.txt").write_text("Say as little as you can.")
    write(file, limit=1, lanes=[LANES[0] | {"prompts": {"system": "file:terse.txt"}}])
    code, _, _ = terminal("experiment", "run", str(file))
    (row,) = store.runs()
    called = store.events(row.id, kinds=["model_called"])[0]
    assert code == 0 and called.messages[0]["content"] == "Say as little as you can."


def test_rows_that_are_no_items_are_named(script: Script, terminal: Terminal, file: Path):
    conversation(script)
    with (file.parent / "sums.jsonl").open("a") as rows:
        rows.write('{"answer": "no question"}\n')
    code, _, err = terminal("experiment", "run", str(file))
    assert code == 0 and "sums.jsonl, line 5 is left out: " in err


def test_some_failed_cells_are_exit_code_1_and_can_be_retried(script: Script, terminal: Terminal, file: Path):
    conversation(script, "", error="request_refused")
    code, out, err = terminal("experiment", "run", str(file))
    assert code == 1 and "8 failed" in err
    conversation(script)
    code, out, err = terminal("experiment", "retry", "sums")
    assert code == 0 and "8 cells are run again." in err and "25%" in out
    code, _, err = terminal("experiment", "retry", "sums")
    assert code == 0 and err == "No cell of sums has failed or waits.\n"


def test_a_backend_that_is_down_is_exit_code_3_with_its_sentence(script: Script, terminal: Terminal, file: Path):
    conversation(script)
    write(file, backend="ollama", model="m")
    code, out, err = terminal("experiment", "run", str(file))
    assert code == 3 and "127.0.0.1:11434" in err and out == ""


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"lanes": []}, "sums.yaml, lanes: "),
        ({"dataset": "nothing.csv"}, "There is no data set 'nothing.csv'"),
        ({"scorer": "magic"}, "There is no scorer named 'magic'"),
        ({"lanes": [{"name": "a", "machine": "magic"}]}, "Lane a: "),
    ],
)
def test_a_file_that_cannot_be_run_is_exit_code_2(
    script: Script, terminal: Terminal, file: Path, change: dict, sentence: str
):
    conversation(script)
    write(file, **change)
    code, out, err = terminal("experiment", "run", str(file))
    assert code == 2 and sentence in err and out == ""


def test_ctrl_c_stops_it_cleanly_and_the_same_command_goes_on(script: Script, terminal: Terminal, file: Path):
    conversation(script, delay=0.2)
    write(file, parallel=1)
    process = started_process("experiment", "run", str(file))
    assert process.stderr is not None
    said = process.stderr.readline() + process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130, said + rest
    assert f"To go on: python -m workbench experiment run {file}" in rest and "Traceback" not in rest
    database = Database(load().store_url)
    assert ExperimentStore(database).get("sums").status == "stopped"
    database.close()
    conversation(script)
    code, out, _ = terminal("experiment", "run", str(file))
    assert code == 0 and out.startswith("sums · done")


def done(script: Script, terminal: Terminal, file: Path) -> None:
    conversation(script)
    assert terminal("experiment", "run", str(file))[0] == 0


def test_the_list_says_how_far_each_is(script: Script, terminal: Terminal, file: Path):
    assert "No experiments." in terminal("experiment", "list")[2]
    done(script, terminal, file)
    title, row = terminal("experiment", "list")[1].splitlines()
    assert title.split() == ["ID", "MADE", "STATUS", "DONE", "ERRORS", "NAME"]
    assert row.split()[-4:] == ["done", "8/8", "0", "sums"]
    found = json.loads(terminal("experiment", "list", "--json")[1])
    assert (found["name"], found["done"], found["plan"]["scorer"]["name"]) == ("sums", 8, "numeric")


def test_the_results_as_json_have_what_is_promised(script: Script, terminal: Terminal, file: Path):
    done(script, terminal, file)
    code, out, _ = terminal("experiment", "show", "sums", "--json")
    found = json.loads(out)
    assert code == 0 and found["status"] == "done"
    wanted = {"n", "score", "low", "high", "errors", "tokens", "seconds", "feedback"}
    assert all(wanted <= set(lane) for lane in found["lanes"])
    assert {"p", "effect", "needed"} <= set(found["pairs"][0])
    assert [lane["score"] for lane in found["lanes"]] == [0.25, 0.25]


def test_two_lanes_are_compared(script: Script, terminal: Terminal, file: Path):
    done(script, terminal, file)
    code, out, _ = terminal("experiment", "compare", "sums", "brief", "plain")
    assert code == 0 and "No difference is seen" in out and "McNemar" in out
    found = json.loads(terminal("experiment", "compare", "sums", "brief", "plain", "--json")[1])
    assert (found["a"], found["b"], found["p"], found["ties"]) == ("brief", "plain", 1.0, 4)
    code, _, err = terminal("experiment", "compare", "sums", "plain", "none")
    assert code == 2 and "Its lanes are: plain, brief." in err


def test_the_report_and_the_answers_are_exported(script: Script, terminal: Terminal, file: Path, tmp_path: Path):
    done(script, terminal, file)
    page, sheet = tmp_path / "report.html", tmp_path / "answers.csv"
    code, out, err = terminal("experiment", "export", "sums", "--html", str(page), "--csv", str(sheet))
    assert code == 0 and out == "" and f"Written: {page}" in err
    assert page.read_text().startswith("<!doctype html>") and len(list(csv.reader(io.StringIO(sheet.read_text())))) == 9
    assert len(list(csv.reader(io.StringIO(terminal("experiment", "export", "sums")[1])))) == 9
    code, _, err = terminal("experiment", "export", "sums", "--csv", str(tmp_path / "no" / "where.csv"))
    assert code == 3 and "cannot be written" in err


def test_deleting_asks_first_and_takes_the_runs_along(script: Script, terminal: Terminal, file: Path, store: RunStore):
    done(script, terminal, file)
    assert terminal("experiment", "delete", "sums")[0] == 2
    code, _, err = terminal("experiment", "delete", "sums", "--yes")
    assert code == 0 and "The experiment sums and 8 of its runs were deleted." in err
    assert store.count() == 0 and terminal("experiment", "show", "sums")[0] == 2
