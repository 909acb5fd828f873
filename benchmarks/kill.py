"""Runs killed at every step boundary and at random moments, then resumed: is anything lost or done twice?"""

import argparse
import os
import random
import shutil
import signal
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents import catalogue
from benchmarks.report import table, title
from workbench.backends.base import ChatRequest
from workbench.backends.scripted import DEMO, Conversation, ScriptedAnswer, ScriptedBackend, ScriptFile
from workbench.engine import Engine
from workbench.events import (
    AnyEvent,
    Card,
    Decision,
    ModelAnswered,
    NodeFinished,
    RunFinished,
    ToolAnswered,
)
from workbench.request import ModelSettings, RunRequest
from workbench.settings import Settings
from workbench.store.runs import RunStore

MOMENTS = 30
SPEED = 150.0  # words a second
PATIENCE = 30.0  # seconds; a busy machine is slow, not wrong


def _step(title: str, content: str, following: str = "continue") -> dict[str, Any]:
    return {"object": {"title": title, "content": content, "next_action": following}}


def _action(name: str, text: str) -> dict[str, Any]:
    return {"object": {"thought": f"Now {name}.", "action": name, "input": text}}


def _scores(score: int) -> dict[str, Any]:
    aspects = ("correctness", "completeness", "clarity")
    return {"object": {aspect: {"remark": f"The {aspect} is a {score}.", "score": score} for aspect in aspects}}


def _noted(*importance: int) -> dict[str, Any]:
    notes = [{"observation": f"The user has a thing of {n}.", "importance": n} for n in importance]
    return {"object": {"observations": notes}}


def _checked(claim: str, tool: str, text: str) -> dict[str, Any]:
    return {"object": {"checks": [{"claim": claim, "tool": tool, "input": text}]}}


WORDS = " ".join(f"word{number}" for number in range(12))
SCRIPTS: dict[str, list[dict[str, Any]]] = {
    "direct": [{"answers": [{"text": f"It is four, since {WORDS}."}]}],
    "cot": [{"answers": [{"text": f"I count: {WORDS}.\nAnswer: 4"}]}],
    "least_to_most": [
        {
            "when": {"properties": "questions"},
            "answers": [{"object": {"questions": ["What is half of it?", "What is twice that?"]}}],
        },
        {"answers": [{"text": f"Part {number}: {WORDS}.\nAnswer: {number}"} for number in (2, 3, 4)]},
    ],
    "pal": [
        {
            "answers": [
                {"text": "```python\nprint(half)\n```"},
                {"text": "```python\nhalf = 2\nprint(2 * half)\n```"},
            ]
        }
    ],
    "self_consistency": [
        {
            "by_seed": True,
            "answers": [{"text": f"Way {number}: {WORDS}.\nAnswer: {found}"} for number, found in enumerate("4545644")],
        }
    ],
    "debate": [
        {
            "when": {"last": "other answerers"},
            "by_seed": True,
            "answers": [{"text": f"Again {n}: {WORDS}.\nAnswer: {found}"} for n, found in enumerate("4445444")],
        },
        {
            "by_seed": True,
            "answers": [{"text": f"Way {n}: {WORDS}.\nAnswer: {found}"} for n, found in enumerate("4545644")],
        },
    ],
    "stepwise": [
        {
            "answers": [
                _step("Read", f"First {WORDS}."),
                _step("Count", f"Second {WORDS}."),
                _step("Check", f"Third {WORDS}.", "final_answer"),
                {"text": f"It is four, since {WORDS}."},
            ]
        }
    ],
    "reflection": [
        {
            "when": {"properties": "verdict"},
            "answers": [
                {"object": {"issues": ["It is too short."], "score": 5, "verdict": "revise"}},
                {"object": {"issues": ["There is no example."], "score": 7, "verdict": "revise"}},
                {"object": {"issues": [], "score": 9, "verdict": "accept"}},
            ],
        },
        {
            "answers": [
                {"text": f"A first draft of {WORDS}."},
                {"text": f"A second and longer draft of {WORDS}."},
                {"text": f"A third draft with an example of {WORDS}."},
            ]
        },
    ],
    "self_refine": [
        {"when": {"properties": "clarity"}, "answers": [_scores(2), _scores(4), _scores(5)]},
        {"answers": [{"text": f"Answer {number}: {WORDS}."} for number in range(3)]},
    ],
    "act": [
        {
            "answers": [
                {"object": {"action": "calculator", "input": "48 * 1.35"}},
                {"object": {"action": "python", "input": "print(48 * 1.35 * 0.85)"}},
                {"object": {"action": "finish", "input": "It costs 55.08."}},
            ]
        }
    ],
    "react": [
        {
            "answers": [
                _action("calculator", "48 * 1.35"),
                _action("python", "print(48 * 1.35 * 0.85)"),
                _action("finish", "It costs 55.08."),
            ]
        }
    ],
    "reflexion": [
        {
            "when": {"properties": "remark points", "last": "Answer: 5"},
            "by_seed": True,
            "answers": [{"object": {"remark": f"It is not five: {WORDS}.", "points": 1}}],
        },
        {
            "when": {"properties": "remark points"},
            "by_seed": True,
            "answers": [{"object": {"remark": f"That is right: {WORDS}.", "points": 5}}],
        },
        {
            "when": {"properties": "mistake plan"},
            "answers": [{"object": {"mistake": f"I was too hasty: {WORDS}.", "plan": "calculate"}}],
        },
        {
            "when": {"properties": "action", "last": "What you learned"},
            "by_seed": True,
            "answers": [_action("calculator", "48 * 1.35")],
        },
        {"when": {"properties": "action", "last": "64.8"}, "by_seed": True, "answers": [_action("finish", "64.8")]},
        {"when": {"properties": "action"}, "by_seed": True, "answers": [_action("finish", "5")]},
    ],
    "critic": [
        {
            "when": {"properties": "checks"},
            "answers": [
                _checked("It is surely five.", "calculator", "48 * 1.35"),
                _checked("It is really 64.8.", "python", "print(64.8)"),
            ],
        },
        {
            "when": {"properties": "comparison"},
            "answers": [
                {"object": {"comparison": f"Five is not 64.8: {WORDS}.", "verdict": "object", "change": "64.8"}},
                {"object": {"comparison": f"Both say 64.8: {WORDS}.", "verdict": "agree", "change": ""}},
            ],
        },
        {"answers": [{"text": f"It is five, since {WORDS}."}, {"text": f"It is 64.8, since {WORDS}."}]},
    ],
    "react_cot_sc": [
        {"when": {"properties": "action"}, "answers": [_action("calculator", "48 * 1.35"), _action("finish", " ")]},
        {
            "by_seed": True,
            "answers": [{"text": f"Way {number}: {WORDS}.\nAnswer: {found}"} for number, found in enumerate("4545644")],
        },
    ],
    "validate": [
        {
            "when": {"system": "one sentence at a time"},
            "answers": [
                {"text": "It was built in 1816.", "logprobs": [-0.1] * 4 + [-1.5], "mark": "It was built in"},
                {"text": "It has nine rooms.", "logprobs": [-0.1] * 4},
                {"text": "END", "logprobs": [-0.1], "mark": "(the end)"},
            ],
        },
        {
            "when": {"properties": "concepts", "last": "built"},
            "by_seed": True,
            "answers": [{"object": {"concepts": ["1816"]}}],
        },
        {"when": {"properties": "concepts"}, "by_seed": True, "answers": [{"object": {"concepts": ["nine"]}}]},
        {"when": {"properties": "article"}, "answers": [{"object": {"question": "When was it?", "article": "House"}}]},
        {
            "when": {"properties": "verdict"},
            "answers": [{"object": {"reason": f"Not then, since {WORDS}.", "verdict": "contradicted"}}],
        },
        {"when": {"system": "contradicts"}, "by_seed": True, "answers": [{"text": "It was built in 1815."}]},
        {"by_seed": True, "answers": [{"text": "It was in 1815, says everybody."}]},
    ],
    "memory_stream": [
        {"when": {"properties": "observations"}, "answers": [_noted(9, 8, 7)]},
        {"when": {"properties": "questions"}, "answers": [{"object": {"questions": ["What is there?", "And why?"]}}]},
        {
            "when": {"properties": "insights"},
            "by_seed": True,
            "answers": [{"object": {"insights": [{"because_of": [1, 3], "insight": f"So {WORDS}.", "importance": 5}]}}],
        },
        {"when": {"properties": "steps"}, "answers": [{"object": {"steps": [f"Say {WORDS}."], "importance": 2}}]},
        {
            "when": {"properties": "observation"},
            "answers": [{"object": {"observation": "It was asked.", "importance": 2}}],
        },
        {"answers": [{"text": f"It is four, since {WORDS}."}]},
    ],
}


def script(machine: str) -> Callable[[ChatRequest], ScriptedAnswer]:
    """A machine's answers, each chosen by what the request holds already: a new process goes on where one ended."""
    parts = [Conversation.model_validate({"name": machine, **part}) for part in SCRIPTS[machine]]

    def answer(request: ChatRequest) -> ScriptedAnswer:
        return next(part for part in parts if part.when.matches(request)).next(request)

    return answer


@dataclass
class Outcome:
    """How one killed run came out: what the unbroken run had and it has not, and what it had twice."""

    machine: str
    kill: str
    status: str
    resumed: bool
    lost: list[str]
    repeated: list[str]


def story(events: Sequence[AnyEvent]) -> list[str]:
    """What happened, without identities, times and what was cut off."""
    told = []
    for event in events:
        match event:
            case NodeFinished():
                told.append(f"node {event.node} {event.step}")
            case ModelAnswered():
                told.append(f"answer {event.text}")
            case ToolAnswered():
                told.append(f"tool {event.result}")
            case Card():
                told.append(f"card {event.node} {event.step} {event.title}: {event.content}")
            case Decision():
                told.append(f"decision {event.node} to {event.edge}: {event.reason}")
            case RunFinished():
                told.append(f"end {event.status}: {event.answer}")
    return told


class Harness:
    """Every run in a child process of its own, forked from this one, which has no thread and no open file."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def run(self, machine: str, arm: Callable[[Engine], None] = lambda engine: None, after: float | None = None) -> str:
        """Start a run; it ends by itself, by what `arm` set up, or by SIGKILL `after` seconds. The data folder."""
        home = Path(tempfile.mkdtemp(dir=self.home))

        def ask(engine: Engine) -> None:
            arm(engine)
            Path(home, "began").touch()
            _finish(engine, engine.submit(_request(machine)))

        child = self._fork(home, machine, ask)
        if after is not None:
            while not Path(home, "began").exists():
                time.sleep(0.002)
            time.sleep(after)
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return str(home)

    def resume(self, home: str, machine: str) -> bool:
        """Go on with the folder's run, if it is there and has not ended; whether there was anything to resume."""
        found = self.read(home)
        if not found or isinstance(found[-1], RunFinished):
            return False

        def go_on(engine: Engine) -> None:
            run_id = engine.store.runs()[0].id
            engine.resume(run_id)
            _finish(engine, run_id)

        _, status = os.waitpid(self._fork(Path(home), machine, go_on), 0)
        if status:
            raise RuntimeError(f"the resuming process of {machine} failed: {status}")
        return True

    def read(self, home: str) -> list[AnyEvent]:
        """The only run of the folder; empty when it was killed before its first event."""
        store = RunStore(_settings(Path(home)).store_url)
        try:
            rows = store.runs()
            return store.events(rows[0].id) if rows else []
        finally:
            store.close()

    def _fork(self, home: Path, machine: str, work: Callable[[Engine], None]) -> int:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                answers = script(machine) if machine in SCRIPTS else ScriptFile(DEMO)
                engine = Engine(_settings(home), {"scripted": ScriptedBackend(answers, speed=SPEED)})
                work(engine)
                engine.close()
                code = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        return child


def kill_at(number: int, when: str) -> Callable[[Engine], None]:
    """Die as the `number`-th finished step reaches the disk: just before, or just after."""

    def arm(engine: Engine) -> None:
        append, seen = engine.store.append, 0

        def counting(events: Sequence[AnyEvent]) -> None:
            nonlocal seen
            seen += sum(isinstance(event, NodeFinished) for event in events)
            if seen >= number and when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            append(events)
            if seen >= number:
                os.kill(os.getpid(), signal.SIGKILL)

        engine.store.append = counting  # type: ignore[method-assign]

    return arm


def examine(harness: Harness, machine: str, kill: str, home: str, unbroken: Counter[str]) -> Outcome:
    """Resume a killed run and compare it with the unbroken one."""
    resumed = harness.resume(home, machine)
    events = harness.read(home)
    told = Counter(story(events))
    status = events[-1].status if events and isinstance(events[-1], RunFinished) else "not begun"
    if not events:
        return Outcome(machine, kill, status, resumed, [], [])
    return Outcome(machine, kill, status, resumed, sorted(unbroken - told), sorted(told - unbroken))


def try_machine(harness: Harness, machine: str, moments: int, seed: int, brief: bool = False) -> list[Outcome]:
    """Every boundary, before and after it is on the disk, and so many random moments.

    `brief`: before one boundary, after the next, and so on.
    """
    home = harness.run(machine)
    events = harness.read(home)
    unbroken, seconds = Counter(story(events)), events[-1].at
    assert isinstance(events[-1], RunFinished) and events[-1].status == "answered", story(events)[-1:]
    steps = sum(isinstance(event, NodeFinished) for event in events)
    outcomes = []
    for number in range(1, steps + 1):
        for when in (("before", "after")[number % 2],) if brief else ("before", "after"):
            home = harness.run(machine, kill_at(number, when))
            outcomes.append(examine(harness, machine, f"{when} step {number}", home, unbroken))
    chance = random.Random(seed)
    for _ in range(moments):
        after = chance.uniform(0, seconds)
        home = harness.run(machine, after=after)
        outcomes.append(examine(harness, machine, f"after {after:.3f} s", home, unbroken))
    return outcomes


def measure(
    moments: int = MOMENTS, seed: int = 11, machines: Sequence[str] = catalogue.MACHINES, brief: bool = False
) -> tuple[str, list[Outcome]]:
    """The report as Markdown, and every outcome."""
    folder = Path(tempfile.mkdtemp(prefix="second-thought-kill-"))
    rows, every = [], []
    try:
        for machine in machines:
            outcomes = try_machine(Harness(folder), machine, moments, seed, brief)
            every += outcomes
            rows.append(
                [
                    machine,
                    str(len(outcomes)),
                    str(sum(outcome.resumed for outcome in outcomes)),
                    str(sum(len(outcome.lost) for outcome in outcomes)),
                    str(sum(len(outcome.repeated) for outcome in outcomes)),
                ]
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    head = ["machine", "killed", "resumed", "lost", "done twice"]
    note = (
        f"SIGKILL just before and just after each finished step is on the disk, and at {moments} random moments (seed"
        f" {seed}); then resumed. Lost and done twice: answers, observations, cards, decisions and steps, against a run"
        " that was not killed. Runs killed before their first event, or after their last, have nothing to resume."
    )
    return f"{title('Killed and resumed', 'scripted answers')}\n{table(head, rows)}\n\n{note}\n", every


def _settings(home: Path) -> Settings:
    return Settings(home=home)


def _request(machine: str) -> RunRequest:
    settings = ModelSettings(seed=7)
    return RunRequest(machine=machine, question="What is it?", backend="scripted", model="demo", settings=settings)


def _finish(engine: Engine, run_id: str) -> None:
    deadline = time.monotonic() + PATIENCE
    for _ in engine.follow(run_id):
        if time.monotonic() > deadline:
            raise TimeoutError(run_id)


def main(arguments: list[str] | None = None) -> int:
    """The command: `python -m benchmarks.kill [MACHINE ...] [--brief]`; exit code 1 when anything was lost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kill", description=__doc__)
    parser.add_argument("machines", nargs="*", help="only these (default: all)")
    parser.add_argument("--brief", action="store_true", help="before one boundary, after the next, and so on")
    parser.add_argument("--moments", type=int, default=MOMENTS)
    parser.add_argument("--seed", type=int, default=11)
    chosen = parser.parse_args(arguments)
    report, outcomes = measure(chosen.moments, chosen.seed, chosen.machines or catalogue.MACHINES, chosen.brief)
    print(report)
    wrong = [outcome for outcome in outcomes if outcome.lost or outcome.repeated or outcome.status not in FINE]
    for outcome in wrong:
        print(outcome)
    return 1 if wrong else 0


FINE = ("answered", "not begun")

if __name__ == "__main__":
    raise SystemExit(main())
