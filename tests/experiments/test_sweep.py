"""The sweep: each cell is run once, whatever happens; errors are no wrong answers; scoring is apart from running."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.experiments.sweeping import Counting, adds, asked, done, keep, plan, run, start, sums, sweeps_on
from workbench.backends.base import ChatRequest
from workbench.backends.scripted import ScriptedAnswer
from workbench.errors import AuthenticationFailed, InvalidRequest, ServerFault
from workbench.events import RunStarted
from workbench.experiments import runner
from workbench.experiments.model import Item, Score
from workbench.experiments.plan import ScorerChoice
from workbench.experiments.scorers.numeric import Numeric
from workbench.experiments.sweep import Sweeps
from workbench.request import RunRequest
from workbench.settings import CHECKOUT, Settings


@pytest.fixture
def backend() -> Counting:
    return Counting()


@pytest.fixture
def sweeps(settings: Settings, backend: Counting) -> Iterator[Sweeps]:
    with sweeps_on(settings, {"scripted": backend}) as found:
        yield found


def test_every_lane_answers_every_item_with_every_seed(sweeps: Sweeps, backend: Counting):
    cells = run(sweeps, plan(seeds=[5, 6]), sums(4))
    assert [(cell.lane, cell.item, cell.seed) for cell in cells] == [
        (lane, item, seed) for lane in (0, 1) for item in range(4) for seed in (5, 6)
    ]
    assert {cell.status for cell in cells} == {"done"}
    assert [cell.score for cell in cells if cell.seed == 5] == [1.0, 1.0, 1.0, 0.0] * 2
    assert set(backend.asked.values()) == {2}
    assert {seed for _, seed in backend.asked} == {5, 6}


def test_a_cell_tells_all_that_is_shown_of_it_without_its_run(sweeps: Sweeps):
    cell = run(sweeps, plan(), sums(4))[3]
    assert (cell.answer, cell.score, cell.said) == ("Answer: 0", 0.0, "read 0, wanted 4")
    assert cell.calls == 1 and cell.prompt_tokens > 10 and cell.completion_tokens == 2
    assert cell.feedback == "none" and cell.confidence is None
    assert sweeps.engine.store.run(cell.run_id).answer == "Answer: 0"


def test_a_run_says_for_which_experiment_it_was_made_and_with_what(sweeps: Sweeps):
    found = start(sweeps, plan(settings={"temperature": 0.4}), sums(1))
    cell = done(sweeps, found)[0]
    assert sweeps.engine.store.run(cell.run_id).belongs == f"experiment:{found}"
    started = sweeps.engine.store.events(cell.run_id)[0]
    assert isinstance(started, RunStarted)
    request = RunRequest.model_validate(started.request)
    assert (request.settings.temperature, request.settings.seed, request.options) == (0.4, 0, {"brief": False})


def test_a_limit_takes_the_first_items(sweeps: Sweeps):
    assert {cell.item for cell in run(sweeps, plan(limit=2), sums(4))} == {0, 1}


def test_progress_says_how_far_each_lane_is(sweeps: Sweeps):
    found = start(sweeps, plan(), sums(4))
    done(sweeps, found)
    progress = sweeps.progress("sums")
    assert (progress.status, progress.cells, progress.done, progress.errors) == ("done", 8, 8, 0)
    assert [(lane.name, lane.done, lane.score) for lane in progress.lanes] == [("plain", 4, 0.75), ("brief", 4, 0.75)]
    assert progress.seconds_left == 0 and progress.tokens > 100


def test_as_many_cells_run_at_once_as_the_plan_or_the_backend_allows(settings: Settings):
    slow = Counting(lambda request: ScriptedAnswer(text="Answer: 1", delay=0.05), slots=3)
    with sweeps_on(settings, {"scripted": slow}) as sweeps:
        run(sweeps, plan("by slots"), sums(6))
        assert slow.most == 3
        slow.most = 0
        run(sweeps, plan("by plan", parallel=2, reuse=False), sums(6))
        assert slow.most == 2


def test_lanes_on_different_backends_run_at_the_same_time(settings: Settings):
    met = threading.Barrier(2, timeout=10)

    def meets(request: ChatRequest) -> ScriptedAnswer:
        return ScriptedAnswer(text="Answer: 1")

    class Meeting(Counting):
        async def chat(self, request: ChatRequest) -> Any:
            import asyncio

            await asyncio.to_thread(met.wait)
            async for part in super().chat(request):
                yield part

    lanes = [{"name": "here", "machine": "direct"}, {"name": "there", "machine": "direct", "backend": "ollama"}]
    with sweeps_on(settings, {"scripted": Meeting(meets), "ollama": Meeting(meets)}) as sweeps:
        cells = run(sweeps, plan(lanes=lanes, parallel=1), sums(3))
    assert [cell.status for cell in cells] == ["done"] * 6


def test_ten_items_at_a_time_are_asked_lane_by_lane(settings: Settings):
    backend = Counting()
    with sweeps_on(settings, {"scripted": backend}) as sweeps:
        run(sweeps, plan(parallel=1), sums(12))
    lanes = "".join("b" if "nothing else" in request.messages[0].content else "p" for request in backend.requests)
    assert lanes == "p" * 10 + "b" * 10 + "p" * 2 + "b" * 2


# Nothing is run twice


def test_equal_questions_are_asked_once_and_scored_each_by_its_own_answer(sweeps: Sweeps, backend: Counting):
    twice = (*sums(2), Item(id="again", question="What is 1 + 1?", answer="3"))
    cells = run(sweeps, plan(lanes=[{"name": "plain", "machine": "direct"}]), twice)
    assert backend.asked == {("What is 0 + 1?", 0): 1, ("What is 1 + 1?", 0): 1}
    assert [cell.score for cell in cells] == [1.0, 1.0, 0.0]
    assert cells[1].run_id == cells[2].run_id


def test_what_another_experiment_has_answered_is_taken_over(sweeps: Sweeps, backend: Counting):
    first = run(sweeps, plan("first"), sums(3))
    second = run(sweeps, plan("second", scorer="contains"), sums(4))
    assert set(backend.asked.values()) == {2}
    assert [cell.run_id for cell in second[:3]] == [cell.run_id for cell in first[:3]]
    assert [cell.score for cell in second[:3]] == [1.0] * 3


def test_a_plan_may_want_answers_of_its_own(sweeps: Sweeps, backend: Counting):
    run(sweeps, plan("first"), sums(2))
    run(sweeps, plan("second", reuse=False), sums(2))
    assert set(backend.asked.values()) == {4}


@pytest.mark.parametrize(
    "change",
    [
        {"settings": {"temperature": 0.9}},
        {"limits": {"tokens": 500}},
        {"seeds": [1]},
        {"lanes": [{"name": "plain", "machine": "cot"}]},
        {"lanes": [{"name": "plain", "machine": "direct", "prompts": {"system": "file:other.txt"}}]},
    ],
)
def test_whatever_decides_the_answer_is_run_anew(sweeps: Sweeps, backend: Counting, change: dict, tmp_path: Path):
    (tmp_path / "other.txt").write_text("Answer at once.")
    lane = {"lanes": [{"name": "plain", "machine": "direct"}]}
    run(sweeps, plan("first", **lane), sums(1))
    items = sums(1)
    done(sweeps, sweeps.start(plan("second", **(lane | change)), items, keep(sweeps, items), tmp_path))
    assert sum(backend.asked.values()) == 2


def test_another_model_behind_the_same_name_is_asked_anew(settings: Settings):
    backend = Counting(digest="one")
    with sweeps_on(settings, {"scripted": backend}) as sweeps:
        run(sweeps, plan("first"), sums(1))
        backend.digest = "two"
        run(sweeps, plan("second"), sums(1))
        assert set(backend.asked.values()) == {4}


# Stopping and going on


@pytest.fixture
def slow(settings: Settings) -> Iterator[tuple[Sweeps, Counting]]:
    backend = Counting(lambda request: adds(request).model_copy(update={"delay": 0.05}))
    with sweeps_on(settings, {"scripted": backend}) as found:
        yield found, backend


def until(condition: Any, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_stopped_experiment_goes_on_where_it_was(slow: tuple[Sweeps, Counting]):
    sweeps, backend = slow
    found = start(sweeps, plan(parallel=2), sums(8))
    until(lambda: len(backend.asked) >= 4)
    sweeps.stop(found)
    assert not sweeps.is_live(found)
    stopped = sweeps.progress(found)
    assert (stopped.status, stopped.running) == ("stopped", 0) and 0 < stopped.done < 16
    before = [cell for cell in sweeps.store.cells(found) if cell.status == "done"]
    sweeps.resume(found)
    cells = done(sweeps, found)
    assert {cell.status for cell in cells} == {"done"} and sweeps.progress(found).status == "done"
    assert [cell for cell in cells if cell in before] == before
    runs = sweeps.engine.store.runs(limit=100)
    assert {row.id for row in runs if row.status == "answered"} == {cell.run_id for cell in cells} and len(runs) == 16


def test_another_process_can_ask_it_to_stop(slow: tuple[Sweeps, Counting]):
    sweeps, backend = slow
    found = start(sweeps, plan(parallel=1), sums(40))
    until(lambda: backend.asked)
    sweeps.store.ask_to_stop(found)
    assert sweeps.wait(found, 10)
    assert sweeps.progress(found).status == "stopped"


def test_what_runs_is_not_started_again(slow: tuple[Sweeps, Counting]):
    sweeps, _ = slow
    items = sums(8)
    found = start(sweeps, plan(), items)
    for again in (lambda: sweeps.resume(found), lambda: start(sweeps, plan(), items), lambda: sweeps.delete(found)):
        with pytest.raises(InvalidRequest, match="running"):
            again()
    sweeps.stop(found)


def test_an_engine_that_closes_leaves_it_to_be_gone_on_with(settings: Settings):
    backend = Counting(lambda request: adds(request).model_copy(update={"delay": 0.05}))
    with sweeps_on(settings, {"scripted": backend}) as sweeps:
        found = start(sweeps, plan(parallel=2), sums(8))
        until(lambda: len(backend.asked) >= 4)
    again = Counting()
    with sweeps_on(settings, {"scripted": again}) as sweeps:
        assert sweeps.progress(found).status == "stopped"
        sweeps.resume(found)
        cells = done(sweeps, found)
        assert {cell.status for cell in cells} == {"done"}
        assert len(sweeps.engine.store.runs(limit=100)) == 16


def test_a_model_that_has_changed_meanwhile_is_refused_until_the_plan_is_started_again(settings: Settings):
    backend = Counting(lambda request: adds(request).model_copy(update={"delay": 0.05}), digest="one")
    items = sums(8)
    with sweeps_on(settings, {"scripted": backend}) as sweeps:
        found = start(sweeps, plan(parallel=1), items)
        until(lambda: len(backend.asked) >= 2)
        sweeps.stop(found)
        backend.digest = "two"
        with pytest.raises(InvalidRequest, match=r"Lane plain: its model or its prompts have changed"):
            sweeps.resume(found)
        ready = sweeps.prepare(plan(parallel=1), items, keep(sweeps, items))
        assert (ready.kept, ready.added, ready.removed) == (0, 16, 16)


def test_a_model_that_changes_in_the_middle_ends_it_without_mixing(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runner, "MODEL_SECONDS", 0.0)
    backend = Counting(lambda request: adds(request).model_copy(update={"delay": 0.02}), digest="one")
    with sweeps_on(settings, {"scripted": backend}) as sweeps:
        found = start(sweeps, plan(parallel=1), sums(12))
        until(lambda: len(backend.asked) > 3)
        backend.digest = "two"
        cells = done(sweeps, found)
        assert {cell.status for cell in cells} == {"done", "waiting"}
        assert (
            sweeps.progress(found).reason == "The model demo has changed meanwhile. Start the experiment's plan again."
        )
        digests = {sweeps.engine.store.events(c.run_id)[0].model_digest for c in cells if c.status == "done"}
        assert digests == {"one"}


def test_a_plan_that_has_changed_keeps_the_cells_that_have_not(sweeps: Sweeps, backend: Counting):
    run(sweeps, plan(), sums(3))
    before = {cell.item: cell.run_id for cell in sweeps.store.cells(sweeps.store.get("sums").id) if cell.lane == 0}
    items = sums(4)
    lanes = [
        {"name": "warm", "machine": "direct", "settings": {"temperature": 1.0}},
        {"name": "p", "machine": "direct"},
    ]
    ready = sweeps.prepare(plan(lanes=lanes), items, keep(sweeps, items))
    assert (ready.kept, ready.added, ready.removed) == (3, 5, 3)
    sweeps.resume(ready.id)
    cells = done(sweeps, ready.id)
    assert {cell.item: cell.run_id for cell in cells if cell.lane == 1 and cell.item < 3} == before
    assert backend.asked["What is 0 + 1?", 0] == 3 and backend.asked["What is 3 + 1?", 0] == 2


def test_starting_the_same_plan_again_runs_nothing(sweeps: Sweeps, backend: Counting):
    first = run(sweeps, plan(), sums(3))
    assert run(sweeps, plan(), sums(3)) == first
    assert set(backend.asked.values()) == {2}


# Errors


def failing(error: Any, fails: Any) -> Counting:
    """Adds, but where `fails` says so it fails."""

    def answer(request: ChatRequest) -> ScriptedAnswer:
        return ScriptedAnswer(error=error) if fails(asked(request)) else adds(request)

    return Counting(answer)


def test_an_error_is_no_wrong_answer_and_is_retried_alone(settings: Settings):
    broken = {"What is 1 + 1?"}
    backend = failing("request_refused", lambda question: question in broken)
    with sweeps_on(settings, {"scripted": backend}) as sweeps:
        cells = run(sweeps, plan(), sums(3))
        assert [(cell.status, cell.score, cell.error_code) for cell in cells[:3]] == [
            ("done", 1.0, ""),
            ("error", None, "request_refused"),
            ("done", 1.0, ""),
        ]
        assert "The script says that this call fails." in cells[1].error
        progress = sweeps.progress("sums")
        assert (progress.done, progress.errors, progress.lanes[0].score) == (4, 2, 1.0)
        broken.clear()
        assert sweeps.retry_errors("sums") == 2
        again = done(sweeps, "sums")
        assert [cell.score for cell in again[:3]] == [1.0] * 3
        assert again[1].run_id == cells[1].run_id and again[1].error == ""
        assert backend.asked["What is 0 + 1?", 0] == 2


def test_an_answer_that_the_machine_cannot_use_is_the_lanes_own_failure(settings: Settings):
    def answer(request: ChatRequest) -> ScriptedAnswer:
        return ScriptedAnswer(text="no JSON" if request.json_schema else "Answer: 1")

    lanes = [{"name": "reflection", "machine": "reflection"}]
    with sweeps_on(settings, {"scripted": Counting(answer)}) as sweeps:
        (cell,) = run(sweeps, plan(lanes=lanes), sums(1))
    assert (cell.status, cell.score, cell.error_code) == ("done", 0.0, "")
    assert cell.said.startswith("no answer: ")


def test_a_fault_of_our_own_begins_anew_when_it_is_retried(settings: Settings):
    faults = iter([ZeroDivisionError("a fault")])

    def answer(request: ChatRequest) -> ScriptedAnswer:
        if fault := next(faults, None):
            raise fault
        return ScriptedAnswer(text="Answer: 1")

    with sweeps_on(settings, {"scripted": Counting(answer)}) as sweeps:
        (first,) = run(sweeps, plan(lanes=[{"name": "plain", "machine": "direct"}]), sums(1))
        assert (first.status, first.error_code) == ("error", "internal")
        sweeps.retry_errors("sums")
        (second,) = done(sweeps, "sums")
        assert (second.status, second.score) == ("done", 1.0) and second.run_id != first.run_id


def test_a_limit_is_the_lanes_own_failure(settings: Settings):
    backend = Counting(lambda request: ScriptedAnswer(text='{"title": "a", "content": "b", "next_action": "continue"}'))
    lanes = [{"name": "steps", "machine": "stepwise", "limits": {"steps": 1}}]
    with sweeps_on(settings, {"scripted": backend}) as sweeps:
        (cell,) = run(sweeps, plan(lanes=lanes), sums(1))
    assert (cell.status, cell.score, cell.error_code) == ("done", 0.0, "")
    assert cell.said.startswith("at a limit: ")


def test_a_backend_that_is_down_pauses_its_lanes_and_burns_no_cells(settings: Settings):
    backend = Counting()
    with sweeps_on(settings, {"scripted": backend}) as sweeps:
        items = sums(12)
        ready = sweeps.prepare(plan(parallel=2), items, keep(sweeps, items))
        sweeps.resume(ready.id)
        until(lambda: len(backend.asked) > 3)
        backend.down = AuthenticationFailed("The key was refused.", "Check it.")
        assert sweeps.wait(ready.id, 60)
        progress = sweeps.progress(ready.id)
        assert (progress.status, progress.errors, progress.running) == ("stopped", 0, 0) and progress.waiting > 10
        assert progress.reason == "The key was refused. Check it."
        with pytest.raises(AuthenticationFailed):
            sweeps.resume(ready.id)
        backend.down = None
        sweeps.resume(ready.id)
        assert {cell.status for cell in done(sweeps, ready.id)} == {"done"}
        assert set(backend.asked.values()) == {2}


def test_a_single_failure_of_a_server_does_not_pause_anything(settings: Settings):
    error = ServerFault("It failed inside.", retry_after=999)
    backend = failing(error, lambda question: question == "What is 1 + 1?")
    with sweeps_on(settings, {"scripted": backend}) as sweeps:
        cells = run(sweeps, plan(), sums(6))
        assert sum(cell.status == "error" for cell in cells) == 2 and sweeps.progress("sums").status == "done"


# Scoring


def test_scoring_anew_runs_nothing(sweeps: Sweeps, backend: Counting):
    found = start(sweeps, plan(), sums(4))
    done(sweeps, found)
    asked_before = backend.asked.copy()
    sweeps.rescore(found, ScorerChoice(name="contains"))
    cells = done(sweeps, found)
    assert backend.asked == asked_before
    assert [cell.score for cell in cells[:4]] == [1.0, 1.0, 1.0, 0.0] and sweeps.store.get(
        found
    ).plan.scorer.name == "contains"
    assert cells[3].said == "does not say it: wanted 4"


def test_answers_whose_runs_were_deleted_are_scored_all_the_same(sweeps: Sweeps, backend: Counting):
    found = start(sweeps, plan(), sums(2))
    sweeps.engine.delete(done(sweeps, found)[0].run_id)
    sweeps.rescore(found, ScorerChoice(name="contains"))
    cells = done(sweeps, found)
    assert [cell.score for cell in cells] == [1.0] * 4
    assert set(backend.asked.values()) == {2}


def test_a_scorer_that_fails_makes_an_error_whose_answer_is_kept(sweeps: Sweeps, backend: Counting, monkeypatch: Any):
    real = Numeric.score

    async def fails(self: Numeric, item: Item, answer: str) -> Score:
        raise ZeroDivisionError("our own fault")

    monkeypatch.setattr(Numeric, "score", fails)
    cells = run(sweeps, plan(), sums(2))
    assert {(cell.status, cell.error_code) for cell in cells} == {("error", "internal")}
    assert cells[0].answer == "Answer: 1" and "our own fault" in cells[0].error
    monkeypatch.setattr(Numeric, "score", real)
    sweeps.retry_errors("sums")
    assert [cell.score for cell in done(sweeps, "sums")] == [1.0] * 4
    assert set(backend.asked.values()) == {2}


def test_a_person_scores_what_is_done(sweeps: Sweeps):
    found = start(sweeps, plan(scorer="person"), sums(2))
    cells = done(sweeps, found)
    assert {(cell.status, cell.score) for cell in cells} == {("done", None)}
    assert sweeps.progress(found).status == "done"
    sweeps.set_score(found, 1, 0, 0, 0.5)
    assert sweeps.store.cell(found, 1, 0, 0).score == 0.5
    assert sweeps.progress(found).lanes[1].score == 0.5
    with pytest.raises(InvalidRequest, match="between 0 and 1"):
        sweeps.set_score(found, 1, 0, 0, 1.5)
    assert run(sweeps, plan(scorer="person", seeds=[0, 1]), sums(2))[4].score == 0.5


def test_the_rounds_of_a_machine_that_revises_are_scored_too(settings: Settings):
    def answer(request: ChatRequest) -> ScriptedAnswer:
        said = [message.content for message in request.messages if message.role == "assistant"]
        if request.json_schema:
            accepts = "Answer: 1" in [message.content for message in request.messages]
            verdict = ("accept", 9) if accepts else ("revise", 3)
            return ScriptedAnswer(object={"issues": [], "score": verdict[1], "verdict": verdict[0]})
        return ScriptedAnswer(text="Answer: 1" if said else "Answer: 7")

    lanes = [{"name": "reflection", "machine": "reflection"}]
    with sweeps_on(settings, {"scripted": Counting(answer)}) as sweeps:
        (cell,) = run(sweeps, plan(lanes=lanes), sums(1))
    assert [one.score for one in cell.rounds] == [0.0, 1.0] and cell.score == 1.0 and cell.feedback == "critic"
    first, last = (one.tokens for one in cell.rounds)
    assert 0 < first < last <= cell.prompt_tokens + cell.completion_tokens and cell.calls == 4


def test_the_samples_that_vote_are_scored_too(settings: Settings):
    numbers = iter("1131")
    backend = Counting(lambda request: ScriptedAnswer(text=f"Answer: {next(numbers)}"))
    lanes = [{"name": "votes", "machine": "self_consistency", "options": {"samples": 4, "adaptive": False}}]
    with sweeps_on(settings, {"scripted": backend}) as sweeps:
        (cell,) = run(sweeps, plan(lanes=lanes), sums(1))
    assert sorted((one.answer, one.score) for one in cell.samples) == [("1", 1.0)] * 3 + [("3", 0.0)]
    assert cell.score == 1.0 and all(one.tokens > 0 for one in cell.samples)


def test_a_judge_grades_the_answer_alone(settings: Settings):
    def answer(request: ChatRequest) -> ScriptedAnswer:
        if request.json_schema:
            return ScriptedAnswer(object={"reason": "It is right.", "grade": 5})
        return adds(request)

    backend = Counting(answer)
    with sweeps_on(settings, {"scripted": backend}) as sweeps:
        cells = run(sweeps, plan(scorer="judge"), sums(2))
        assert [cell.score for cell in cells] == [1.0] * 4 and "It is right." in cells[0].said
        assert sweeps.engine.store.count() == 4  # what a judge is asked is no run


def test_a_person_gets_in_between_the_cells(settings: Settings):
    backend = Counting(lambda request: ScriptedAnswer(text="Answer: 1", delay=0.1), slots=1)
    with sweeps_on(settings, {"scripted": backend}) as sweeps:
        found = start(sweeps, plan(parallel=8), sums(20))
        until(lambda: backend.most)
        request = RunRequest(machine="direct", question="Mine?", backend="scripted", model="demo")
        mine = sweeps.engine.submit(request, session="a person")
        for _ in sweeps.engine.follow(mine):
            pass
        assert len(backend.requests) <= 5
        sweeps.stop(found)


def test_seconds_are_a_cells_own_without_its_wait_for_a_slot(settings: Settings):
    backend = Counting(lambda request: ScriptedAnswer(text="Answer: 1", delay=0.1), slots=1)
    with sweeps_on(settings, {"scripted": backend}) as sweeps:
        cells = run(sweeps, plan(parallel=8, lanes=[{"name": "a", "machine": "direct"}]), sums(8))
        whole = [sweeps.engine.store.run(cell.run_id).seconds for cell in cells]
    assert max(whole) > 0.6 and max(cell.seconds for cell in cells) < max(whole) / 2
    assert min(cell.seconds for cell in cells) >= 0.1


def test_nothing_is_lost_or_paid_twice_when_it_is_killed_again_and_again():
    command = [sys.executable, "-m", "benchmarks.experiment", "--kills", "2"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "lost=[], twice=[]" in done.stdout


# What cannot be run


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"lanes": [{"name": "a", "machine": "nothing"}]}, "Lane a: There is no machine named 'nothing'"),
        ({"lanes": [{"name": "a", "machine": "direct", "options": {"x": 1}}]}, "Lane a: Direct has no option 'x'"),
        ({"lanes": [{"name": "a", "machine": "direct", "settings": {"heat": 1}}]}, "Lane a: settings.heat"),
        ({"lanes": [{"name": "a", "machine": "direct", "prompts": {"system": "v9"}}]}, "Lane a: There is no version"),
        ({"backend": "nowhere"}, "Lane plain: There is no backend named 'nowhere'"),
        ({"seeds": [-1]}, "seeds"),
        ({"scorer": "unit_tests"}, "2 of 2 items have no tests"),
    ],
)
def test_a_plan_that_cannot_be_run_is_refused_before_anything_runs(sweeps: Sweeps, change: dict, sentence: str):
    with pytest.raises(InvalidRequest) as refused:
        start(sweeps, plan(**change), sums(2))
    assert sentence in refused.value.message
    assert sweeps.store.experiments() == []


def test_deleting_an_experiment_deletes_the_runs_that_nobody_else_has_a_use_for(sweeps: Sweeps):
    first = start(sweeps, plan("first"), sums(3))
    liked = done(sweeps, first)[2].run_id
    sweeps.engine.store.judge(liked, "good")
    run(sweeps, plan("second", limit=1), sums(3))
    sweeps.delete(first)
    left = {row.id for row in sweeps.engine.store.runs(limit=100)}
    assert left == {cell.run_id for cell in sweeps.store.cells(sweeps.store.get("second").id)} | {liked}
    assert [row.name for row in sweeps.store.experiments()] == ["second"]
