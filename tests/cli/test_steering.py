"""Taking a run in hand in the terminal: replying to one that waits, forking, running again, continuing."""

import json
from pathlib import Path

import pytest

from tests.cli.typing import Script, Terminal
from workbench.events import Paused, RunStarted, RunView, from_json
from workbench.store.runs import RunStore

DRAFTS: list[object] = [
    {"text": "A first draft."},
    {"object": {"issues": ["Too short."], "score": 4, "verdict": "revise"}},
    {"text": "A second draft."},
    {"object": {"issues": [], "score": 9, "verdict": "accept"}},
]
ACTING: list[object] = [
    {"object": {"thought": "Compute it.", "action": "calculator", "input": "6*7"}},
    {"object": {"thought": "Done.", "action": "finish", "input": "42"}},
]


@pytest.fixture
def waiting(script: Script, terminal: Terminal, store: RunStore) -> str:
    """A run that waits before its critic."""
    script(DRAFTS[:1])
    code, out, err = terminal("run", "reflection", "Write.", "--pause-before", "critique")
    (row,) = store.runs()
    assert code == 4 and "Waiting for you: before critique" in out
    assert f"python -m workbench runs resume {row.id} --approve" in err
    return row.id


@pytest.fixture
def whole(script: Script, terminal: Terminal, store: RunStore) -> str:
    """A run that has its answer."""
    script(DRAFTS)
    assert terminal("run", "reflection", "Write.", "--seed", "7")[0] == 0
    return store.runs()[0].id


def newest(store: RunStore) -> RunView:
    """The fold of the run that began last."""
    return RunView.of(store.events(store.runs()[0].id))


def test_a_run_that_waits_is_approved(waiting: str, script: Script, terminal: Terminal) -> None:
    script(DRAFTS[3:])
    code, out, _ = terminal("runs", "resume", waiting, "--approve")
    assert code == 0 and out.endswith("── Answer ──\nA first draft.\n")


def test_what_it_is_about_to_see_is_edited(waiting: str, script: Script, terminal: Terminal) -> None:
    script(DRAFTS[3:])
    code, out, _ = terminal("runs", "resume", waiting, "--edit", "A better draft.")
    assert code == 0 and out.endswith("── Answer ──\nA better draft.\n")


def test_it_is_answered_in_the_models_place(waiting: str, script: Script, terminal: Terminal) -> None:
    script([])
    code, _, err = terminal("runs", "resume", waiting, "--answer", '{"score": 9}')
    assert code == 4 and "--answer TEXT" in err
    verdict = json.dumps({"issues": [], "score": 9, "verdict": "accept"})
    assert terminal("runs", "resume", waiting, "--answer", verdict)[0] == 0


def test_it_is_rejected_with_a_word(waiting: str, script: Script, terminal: Terminal, store: RunStore) -> None:
    script(DRAFTS[3:])
    assert terminal("runs", "resume", waiting, "--reject", "Be kind.", "--json")[0] == 0
    assert newest(store).calls[1].called.messages[-1] == {"role": "user", "content": "Be kind."}


def test_a_run_that_waits_says_so_when_it_is_resumed_without_a_word(waiting: str, terminal: Terminal) -> None:
    code, _, err = terminal("runs", "resume", waiting)
    assert code == 2 and "This run waits for you." in err and "--reject WORD" in err
    code, _, err = terminal("runs", "resume", waiting, "--reject", " ")
    assert code == 2 and "Say in a word why you reject it" in err


def test_a_tools_arguments_are_edited_as_json(script: Script, terminal: Terminal, store: RunStore) -> None:
    script(ACTING)
    code, _, err = terminal("run", "react", "6 times 7?", "--approve-tool", "calculator", "--json")
    (row,) = store.runs()
    paused = [event for event in store.events(row.id) if isinstance(event, Paused)]
    assert code == 4 and paused[0].arguments == {"expression": "6*7"} and "waits for you" not in err.lower()
    code, _, err = terminal("runs", "resume", row.id, "--edit", "6*8")
    assert code == 2 and "--edit is not JSON" in err
    script(ACTING[1:])
    assert terminal("runs", "resume", row.id, "--edit", '{"expression": "6*8"}')[0] == 0
    assert "48" in newest(store).calls[1].called.messages[-1]["content"]


def test_the_places_for_a_fork_are_listed_with_their_state(whole: str, terminal: Terminal) -> None:
    code, out, _ = terminal("runs", "steps", whole)
    lines = [line.split() for line in out.splitlines()]
    assert code == 0 and lines[0] == ["SEQ", "STEP", "AFTER", "NEXT"]
    assert [line[1:] for line in lines[1:]] == [
        ["0", "(start)", "generate"],
        ["1", "generate", "critique"],
        ["2", "critique", "generate"],
        ["3", "generate", "critique"],
        ["4", "critique", "(end)"],
    ]
    code, out, _ = terminal("runs", "steps", whole, "--at", lines[3][0])
    assert json.loads(out)["verdict"] == "revise" and json.loads(out)["messages"][1]["content"] == "A first draft."


def test_a_run_is_forked_with_another_state_options_and_prompt(
    whole: str, script: Script, terminal: Terminal, store: RunStore, tmp_path: Path
) -> None:
    at = terminal("runs", "steps", whole)[1].splitlines()[2].split()[0]
    (tmp_path / "critic.txt").write_text("Judge it kindly.")
    script([DRAFTS[1], {"text": "A forked draft."}])
    changes = ["--option", "rounds=1", "--set", "rounds=0", "--prompt", f"essay_critic={tmp_path / 'critic.txt'}"]
    code, out, _ = terminal("runs", "fork", whole, "--at", at, *changes, "--temperature", "0.1", "--json")
    started = from_json(out.splitlines()[0])
    view = newest(store)
    assert code == 0 and isinstance(started, RunStarted)
    assert (started.parent_run, started.relation, started.edited) == (whole, "fork", {"rounds": 0})
    assert view.finished is not None and view.finished.answer == "A forked draft."
    assert view.calls[1].called.messages[0]["content"] == "Judge it kindly."
    assert started.request["settings"]["temperature"] == 0.1 and started.request["settings"]["seed"] == 7


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--set", "rounds"], "has no value"),
        (["--set", "rounds=many"], "--set rounds is not JSON"),
        (["--set", "mood=1"], "has no 'mood'"),
        (["--prompt", "essay_critic=/nowhere"], "cannot be read"),
        (["--option", "rounds=99"], "option rounds"),
        (["--pause-before", "dream"], "no node 'dream'"),
    ],
)
def test_a_fork_that_cannot_be_made_says_why(
    whole: str, terminal: Terminal, store: RunStore, flags: list[str], says: str
) -> None:
    code, _, err = terminal("runs", "fork", whole, "--at", "0", *flags)
    assert code in (2, 3) and says in err
    assert store.count() == 1


def test_a_run_is_run_again_and_compared(whole: str, script: Script, terminal: Terminal, store: RunStore) -> None:
    script(DRAFTS)
    code, out, _ = terminal("runs", "again", whole)
    assert code == 0 and "No difference." in out
    script([{"text": "Another draft."}, *DRAFTS[1:]])
    code, out, _ = terminal("runs", "again", whole)
    assert code == 0 and "No difference." not in out and "Another draft." in out
    assert [row.relation for row in store.family(whole)] == ["", "reproduce", "reproduce"]


def test_a_follow_up_is_asked_in_the_thread(whole: str, script: Script, terminal: Terminal, store: RunStore) -> None:
    script(DRAFTS)
    assert terminal("runs", "continue", whole, "Shorter, please.")[0] == 0
    view = newest(store)
    assert "User: Write.\nAssistant: A second draft." in view.calls[0].called.messages[0]["content"]
    assert view.calls[0].called.messages[1]["content"] == "Shorter, please."
    code, _, err = terminal("runs", "continue", whole, "  ")
    assert code == 2 and "empty" in err
