"""Logs in the form in which ReAct's and Reflexion's authors publish theirs; the rows are invented."""

import json
import time
from argparse import Namespace
from pathlib import Path

import pytest

from workbench.carry import published
from workbench.cli import carry
from workbench.errors import BundleError
from workbench.events import CallView, Card, RunView, ToolView
from workbench.settings import Settings
from workbench.store.runs import RunStore

REFLEXION = """
########################################
BEGIN TRIAL 1
Trial summary: Correct: 1, Incorrect: 1, Halted: 1
#######################################
------------- BEGIN CORRECT AGENTS -------------

Question: In which county does the Arden Mill stand ?
Thought 1: I need to search Arden Mill.
Action 1: Search[Arden Mill]
Observation 1: Arden Mill is a watermill in Selby County.
It was built in 1802.
Thought 2: It is in Selby County.
Action 2: Finish[Selby County]
Observation 2: Answer is CORRECT
Correct answer: Selby" County

------------- BEGIN INCORRECT AGENTS -----------

Question: Who painted the ceiling of the hall?
Thought 1: I need to search Ida Voss.
Action 1: Search[Ida Voss]
Observation 1: Could not find [Ida Voss]. Similar: ['Ida Voss (singer)', "Voss's hall"]
Thought 2: I guess that it was Lund.
Action 2: Finish[Lund]
Observation 2: Answer is INCORRECT
Correct answer: Marta Holm

------------- BEGIN HALTED AGENTS --------------

Question: What year was the band of Pell Ode founded?
Thought 1: I need to search Pell Ode.
Action 1: Search[Pell Ode]
Observation 1: Pell Ode is a drummer.
Thought 2: I need the band.
Action 2: Lookup[band]
Observation 2: (Result 1 / 1) Ode's band is Grey Quay.
Correct answer: 1991


########################################
BEGIN TRIAL 2
Trial summary: Correct: 2, Incorrect: 1, Halted: 0
#######################################
------------- BEGIN CORRECT AGENTS -------------

Question: Who painted the ceiling of the hall?You have attempted to answer following question before and failed.
Reflections:
- I guessed instead of searching
the singer's own page.
- I should search Ida Voss (singer) first.
Thought 1: I need to search Ida Voss (singer).
Action 1: Search[Ida Voss (singer)]
Observation 1: Ida Voss sang in the Amber Hall, whose ceiling Marta Holm painted.
Thought 2: Marta Holm.
Action 2: Finish[Marta Holm]
Observation 2: Answer is CORRECT
Correct answer: Marta Holm
"""

REACT = """12 Question: Which is older, the Fen Bridge or the Toll House?
Thought 1: I need to search Fen Bridge.
Action 1: Search[Fen Bridge]
Observation 1: The Fen Bridge was built in 1840.

Thought 2: And the Toll House.
Action 2: Search[Toll House]
Observation 2: The Toll House was built in 1836.

Thought 3: The Toll House is older.
Action 3: Finish[Toll House]
Observation 3: Episode finished, reward = 1

{'steps': 3, 'answer': 'Toll House', 'gt_answer': 'The Toll House', 'question_idx': 12, 'em': True}

1 1 1.0 7.45
-----------

13 Question: Who wrote "The Salt Road"?
Thought 1: I do not know.
Action 1: Finish[]
Observation 1: Episode finished, reward = 0

{'steps': 1, 'answer': '', 'gt_answer': "O'Dell", 'question_idx': 13, 'em': False, 'f1': 0}
"""

COT = """
########################################
BEGIN TRIAL 1
Trial summary: Correct: 0, Incorrect: 1
#######################################
------------- BEGIN CORRECT AGENTS -------------

------------- BEGIN INCORRECT AGENTS -----------

Context: The Lark is a ship.

It was launched in Orvik, a port in Nordland. Question: In which region was the Lark launched?
Thought: The question asks for the region.
Action: Finish[Orvik]
Observation: Answer is INCORRECT
Correct answer: Nordland

"""


def test_a_reflexion_log_is_read_with_its_trials_and_outcomes() -> None:
    found = published.read(REFLEXION.encode())
    assert [(one.trial, one.outcome, one.answer, one.gold) for one in found] == [
        (1, "correct", "Selby County", 'Selby" County'),
        (1, "incorrect", "Lund", "Marta Holm"),
        (1, "halted", "", "1991"),
        (2, "correct", "Marta Holm", "Marta Holm"),
    ]
    assert found[0].question == "In which county does the Arden Mill stand ?"
    assert found[0].steps[0].observation == "Arden Mill is a watermill in Selby County.\nIt was built in 1802."
    assert found[2].steps[1].call == ("lookup", "band")


def test_its_self_reflections_are_not_part_of_the_question() -> None:
    later = published.read(REFLEXION.encode())[3]
    assert later.question == "Who painted the ceiling of the hall?"
    assert later.reflections == [
        "I guessed instead of searching\nthe singer's own page.",
        "I should search Ida Voss (singer) first.",
    ]


def test_a_react_log_is_read_as_it_is_printed() -> None:
    older, unknown = published.read(REACT.encode())
    assert (older.question, older.outcome, older.gold) == (
        "Which is older, the Fen Bridge or the Toll House?",
        "correct",
        "The Toll House",
    )
    assert [step.call for step in older.steps] == [
        ("search", "Fen Bridge"),
        ("search", "Toll House"),
        ("finish", "Toll House"),
    ]
    assert (unknown.outcome, unknown.gold, unknown.answer) == ("incorrect", "O'Dell", "")


def test_a_context_belongs_to_its_question() -> None:
    (one,) = published.read(COT.encode())
    assert one.context == "The Lark is a ship.\n\nIt was launched in Orvik, a port in Nordland."
    assert (one.question, one.answer, one.outcome) == (
        "In which region was the Lark launched?",
        "Orvik",
        "incorrect",
    )


LAST_TRIAL = """Question: Who led the expedition?
Below is the last trial you attempted to answer the question:
Question: Who led the expedition?
Thought 1: I guess.
Action 1: Finish[Nobody]
(END PREVIOUS TRIAL)

Thought 1: I need to search the expedition.
Action 1: Finish[Ann Roe]
Observation 1: Answer is CORRECT
Correct answer: Ann Roe
"""


def test_the_last_trial_in_a_prompt_is_no_step_of_this_one() -> None:
    (one,) = published.read(LAST_TRIAL.encode())
    assert [step.thought for step in one.steps] == ["I need to search the expedition."]
    assert one.answer == "Ann Roe"


def test_the_runs_are_kept_once_and_can_be_seen(there: RunStore) -> None:
    kept = published.keep(there, REFLEXION.encode())
    assert (len(kept.ids), kept.again) == (4, False)
    assert published.keep(there, REFLEXION.encode()) == published.Kept(kept.ids, True)
    rows = [there.run(run_id) for run_id in kept.ids]
    assert [row.status for row in rows] == ["answered", "answered", "limit", "answered"]
    assert (rows[3].parent, rows[3].relation) == (kept.ids[1], "continue")
    view = RunView.of(there.events(kept.ids[3]))
    assert view.finished is not None and view.finished.feedback == "gold"
    tools = [entry for entry in view.entries if isinstance(entry, ToolView)]
    assert [(tool.called.name, tool.called.arguments) for tool in tools] == [
        ("search", {"input": "Ida Voss (singer)"}),
    ]
    thoughts = [entry.card.content for entry in view.entries if isinstance(entry, CallView) and entry.card]
    assert thoughts[0].startswith("I need to search Ida Voss (singer).")
    assert view.node_visits == {"reflect": 1, "think": 2, "act": 2}


def test_a_log_says_that_its_times_are_made_up() -> None:
    (one,) = published.read(COT.encode())
    log = published.events(one, "r1")
    assert [event.seq for event in log] == list(range(len(log)))
    said = [event.message for event in log if event.kind == "warning"]
    assert "no times" in said[0]
    assert "incorrect" in said[1] and "Nordland" in said[1]
    assert [event.title for event in log if isinstance(event, Card)][-1] == "Finish"


def test_single_attempts_can_be_chosen(there: RunStore) -> None:
    kept = published.keep(there, REFLEXION.encode(), [3])
    (row,) = [there.run(run_id) for run_id in kept.ids]
    assert (row.question, row.parent) == ("Who painted the ceiling of the hall?", "")


@pytest.mark.parametrize(
    "data", [b"", b"Dear diary,\nQuestion: none\n", b"\xff\xfe\x00", b"Question: a\nAction 1: Search[x]\n\x00"]
)
def test_what_is_no_such_log_is_refused(data: bytes) -> None:
    with pytest.raises(BundleError):
        published.read(data)


def test_choosing_nothing_is_refused(there: RunStore) -> None:
    with pytest.raises(BundleError, match="Nothing of the log"):
        published.keep(there, COT.encode(), [])


@pytest.mark.parametrize(
    "filler",
    [" " * 200_000, "word Question " * 20_000, "\n".join(["short"] * 200_000)],
    ids=["blanks", "words", "lines"],
)
def test_a_log_that_is_made_to_be_slow_is_read_at_once(filler: str) -> None:
    began = time.process_time()
    text = f"Context: {filler} Question: Where?\nThought: Here.\nAction: Finish[Here].\nObservation: {filler}\n"
    (one,) = published.read(("Question: \nAction: Search[x]\n" + text).encode())[1:]
    assert (one.question, one.answer) == ("Where?", "Here")
    assert time.process_time() - began < 2


def test_a_question_that_is_too_long_to_be_kept_is_refused_with_its_line(there: RunStore) -> None:
    long = f"Context: {'word ' * 60_000} Question: Where?\nThought: Here.\nAction: Finish[Here]\n"
    with pytest.raises(BundleError, match="line 1"):
        published.keep(there, long.encode())


def test_the_terminal_takes_a_log_in(settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "log.txt"
    log.write_text(REFLEXION)
    options = Namespace(file=log, dry_run=True, json=False)
    assert carry.import_file(options, settings) == 0
    assert "Marta Holm" in capsys.readouterr().out
    assert RunStore(settings.store_url).count() == 0
    assert carry.import_file(Namespace(file=log, dry_run=False, json=True), settings) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["outcome"] for line in lines] == ["correct", "incorrect", "halted", "correct"]
    assert RunStore(settings.store_url).run(lines[3]["id"]).answer == "Marta Holm"
