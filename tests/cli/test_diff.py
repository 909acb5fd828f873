"""`runs diff` in the terminal: what it prints, and with which code it ends."""

import json

import pytest

from tests.logs import Log, three_steps
from tests.store.samples import begin
from workbench import cli
from workbench.store.runs import RunStore

Said = tuple[int, str, str]


def keep(store: RunStore, log: Log) -> None:
    begin(store, log.run_id)
    store.append(log.events)


def diff(capsys: pytest.CaptureFixture[str], *arguments: str) -> Said:
    try:
        code = cli.main(["runs", "diff", *arguments])
    except SystemExit as leave:
        code = int(str(leave.code))
    out, err = capsys.readouterr()
    return code, out, err


def test_runs_that_are_the_same_end_with_code_0(store: RunStore, capsys: pytest.CaptureFixture[str]):
    keep(store, three_steps("aaaa1111"))
    keep(store, three_steps("bbbb2222"))
    code, out, err = diff(capsys, "aaaa", "bbbb")
    assert (code, err) == (0, "")
    assert out.startswith("A  aaaa1111 · ") and "No difference." in out


def test_runs_that_differ_end_with_code_1_and_the_first_difference(store: RunStore, capsys: pytest.CaptureFixture[str]):
    keep(store, three_steps("aaaa1111"))
    keep(store, three_steps("bbbb2222", second="Two and then three.", request={"settings": {"seed": 9}}))
    code, out, err = diff(capsys, "aaaa1111", "bbbb2222")
    assert (code, err) == (1, "")
    assert "  seed  A: none  B: 9\n" in out
    assert "2 of 4 steps are the same.\n" in out
    assert (
        "First difference (event 10 of A, event 10 of B): The answers of think, step 2, differ from word 3 on." in out
    )
    assert "  A: Two and two.\n  B: Two and then three.\n" in out


def test_requests_that_differ_are_a_difference_too(store: RunStore, capsys: pytest.CaptureFixture[str]):
    keep(store, three_steps("aaaa1111"))
    keep(store, three_steps("bbbb2222", request={"settings": {"seed": 9}}))
    assert diff(capsys, "aaaa1111", "bbbb2222")[0] == 1


def test_with_json_each_line_is_an_object_the_summary_first(store: RunStore, capsys: pytest.CaptureFixture[str]):
    keep(store, three_steps("aaaa1111"))
    keep(store, three_steps("bbbb2222", second="Two and then three."))
    code, out, err = diff(capsys, "aaaa1111", "bbbb2222", "--json")
    summary, *rows = map(json.loads, out.splitlines())
    assert (code, err) == (1, "")
    assert summary["first"] == 1 and summary["same"] is False
    assert [row["standing"] for row in rows] == ["same", "different", "different", "same"]
    code, out, _ = diff(capsys, "aaaa1111", "aaaa1111", "--json")
    assert (code, json.loads(out.splitlines()[0])["same"]) == (0, True)


def test_what_a_model_wrote_cannot_steer_the_terminal(store: RunStore, capsys: pytest.CaptureFixture[str]):
    keep(store, three_steps("aaaa1111"))
    keep(store, three_steps("bbbb2222", second="\x1b[2JTwo."))
    assert "\x1b" not in diff(capsys, "aaaa1111", "bbbb2222")[1]


@pytest.mark.parametrize("pair", [("aaaa1111", "zzzz9999"), ("zzzz9999", "aaaa1111")])
def test_an_unknown_run_is_said_with_how_to_find_others(
    store: RunStore, capsys: pytest.CaptureFixture[str], pair: tuple[str, str]
):
    keep(store, three_steps("aaaa1111"))
    code, out, err = diff(capsys, *pair)
    assert (code, out) == (3, "")
    assert "There is no run zzzz9999." in err and "runs list" in err


def test_one_run_alone_is_wrong_usage(capsys: pytest.CaptureFixture[str]):
    code, out, err = diff(capsys, "aaaa1111")
    assert (code, out) == (2, "") and "required: b" in err
