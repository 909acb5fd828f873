"""What an experiment must not do: score a lane by its neighbours, by another's run, by half of its answer."""

from collections.abc import Iterator

import pytest

from tests.experiments.sweeping import Counting, done, keep, plan, run, start, sums, sweeps_on
from workbench.backends.base import ChatRequest, ModelInfo
from workbench.backends.scripted import ScriptedAnswer
from workbench.errors import InvalidRequest, WorkbenchError
from workbench.experiments.model import Item
from workbench.experiments.plan import ScorerChoice
from workbench.experiments.sweep import Sweeps
from workbench.request import Limits
from workbench.settings import Settings

ONE = [{"name": "plain", "machine": "direct"}]
FILLER = " ".join(f"w{number}" for number in range(4_000)) + " "


@pytest.fixture
def backend() -> Counting:
    return Counting()


@pytest.fixture
def sweeps(settings: Settings, backend: Counting) -> Iterator[Sweeps]:
    with sweeps_on(settings, {"scripted": backend}) as found:
        yield found


def test_a_limit_of_seconds_does_not_count_the_wait_for_a_slot(settings: Settings) -> None:
    backend = Counting(lambda request: ScriptedAnswer(text="Answer: 1", delay=0.4), slots=1)
    limited = plan(lanes=ONE, limits={"seconds": 1.0}, parallel=4)
    with sweeps_on(settings, {"scripted": backend}) as sweeps:
        cells = run(sweeps, limited, [Item(id=f"i{n}", question=f"{n}?", answer="1") for n in range(4)])
    assert [(cell.status, cell.score) for cell in cells] == [("done", 1.0)] * 4


def test_a_limit_of_seconds_still_ends_what_takes_too_long_itself(settings: Settings) -> None:
    backend = Counting(lambda request: ScriptedAnswer(text="Answer: 1", delay=3.0), slots=1)
    with sweeps_on(settings, {"scripted": backend}) as sweeps:
        (cell,) = run(sweeps, plan(lanes=ONE, limits={"seconds": 1.0}), sums(1))
    assert (cell.status, cell.score) == ("done", 0.0) and "1 seconds" in cell.said


@pytest.mark.parametrize(
    ("answer", "score"),
    [(f"{FILLER}Answer: 1", 1.0), (f"Answer: 1. {FILLER}That was wrong.\nAnswer: 7", 0.0)],
    ids=["right at its end", "wrong at its end"],
)
def test_a_long_answer_is_scored_whole(settings: Settings, answer: str, score: float) -> None:
    backend = Counting(lambda request: ScriptedAnswer(text=answer))
    with sweeps_on(settings, {"scripted": backend}) as sweeps:
        (cell,) = run(sweeps, plan(lanes=ONE, settings={"max_tokens": 32_000}), sums(1))
    assert cell.score == score
    assert len(cell.answer) <= 20_000 and cell.answer.endswith(answer[-10:])


def test_a_run_that_a_person_went_on_with_is_nobodys_answer(settings: Settings) -> None:
    step = '{"title": "a", "content": "b", "next_action": "continue"}'
    last = '{"title": "a", "content": "b", "next_action": "final_answer"}'

    def answer(request: ChatRequest) -> ScriptedAnswer:
        steps = sum(message.content == step for message in request.messages)
        return ScriptedAnswer(text="Answer: 1" if request.json_schema is None else last if steps > 3 else step)

    limited = [{"name": "steps", "machine": "stepwise", "limits": {"steps": 2}}]
    with sweeps_on(settings, {"scripted": Counting(answer)}) as sweeps:
        (first,) = run(sweeps, plan("a", lanes=limited), sums(1))
        sweeps.engine.resume(first.run_id, Limits(steps=200))
        for _ in sweeps.engine.follow(first.run_id):
            pass
        (second,) = run(sweeps, plan("b", lanes=limited), sums(1))
        sweeps.rescore("a", ScorerChoice(name="contains"))
        (again,) = done(sweeps, "a")
    assert (second.calls, second.said[:10]) == (first.calls, "at a limit")
    assert second.run_id != first.run_id
    assert (again.calls, again.answer) == (first.calls, first.answer)


def test_a_plan_that_shrank_and_grew_again_runs_nothing_twice(sweeps: Sweeps, backend: Counting) -> None:
    for limit in (6, 2, 6):
        cells = run(sweeps, plan(limit=limit, lanes=ONE), sums(6))
    assert [cell.status for cell in cells] == ["done"] * 6
    assert set(backend.asked.values()) == {1}


class Elsewhere(Counting):
    """A server that tells no digest of its models."""

    place = "The server at http://127.0.0.1:1"

    async def model(self, name: str) -> ModelInfo:
        return (await super().model(name)).model_copy(update={"place": self.place})


def test_another_server_without_digests_is_asked_anew(settings: Settings) -> None:
    backend = Elsewhere()
    with sweeps_on(settings, {"scripted": backend}) as sweeps:
        run(sweeps, plan("a", lanes=ONE), sums(2))
        run(sweeps, plan("b", lanes=ONE), sums(2))
        assert set(backend.asked.values()) == {1}
        backend.place = "The server at http://127.0.0.1:2"
        run(sweeps, plan("c", lanes=ONE), sums(2))
    assert set(backend.asked.values()) == {2}


def test_a_plan_that_was_changed_elsewhere_just_before_it_starts_is_run_as_it_is_now(
    sweeps: Sweeps, backend: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = sums(2)
    found = sweeps.prepare(plan(lanes=ONE), items, keep(sweeps, items)).id
    claim, warm = sweeps.store.claim, plan(lanes=ONE, settings={"temperature": 0.9})

    def after_a_change(*args: object, **more: object) -> None:
        Sweeps(sweeps.engine).prepare(warm, items, keep(sweeps, items))
        claim(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(sweeps.store, "claim", after_a_change)
    sweeps.resume(found)
    done(sweeps, found)
    assert {request.temperature for request in backend.requests} == {0.9}


def test_what_judging_costs_is_kept_apart(settings: Settings) -> None:
    def answer(request: ChatRequest) -> ScriptedAnswer:
        return ScriptedAnswer(text='{"reason": "It says so.", "grade": 5}' if request.json_schema else "Answer: 1")

    with sweeps_on(settings, {"scripted": Counting(answer)}) as sweeps:
        (cell,) = run(sweeps, plan(lanes=ONE, scorer="judge"), sums(1))
    assert (cell.calls, cell.judging_calls) == (1, 2)
    assert cell.judging_tokens > cell.prompt_tokens + cell.completion_tokens


def test_a_persons_scores_are_not_lost_to_another_scorer(sweeps: Sweeps) -> None:
    name = sweeps.store.get(start(sweeps, plan(lanes=ONE, scorer="person"), sums(1))).name
    done(sweeps, name)
    sweeps.set_score(name, 0, 0, 0, 1.0)
    with pytest.raises(InvalidRequest, match="your own scores"):
        sweeps.rescore(name, ScorerChoice(name="numeric"))
    assert done(sweeps, name)[0].score == 1.0


def test_errors_stay_as_they_are_when_they_cannot_be_retried_now(settings: Settings) -> None:
    backend = Counting(lambda request: ScriptedAnswer(error="content_refused"), digest="a")
    with sweeps_on(settings, {"scripted": backend}) as sweeps:
        (before,) = run(sweeps, plan(lanes=ONE), sums(1))
        backend.digest = "b"
        with pytest.raises(WorkbenchError):
            sweeps.retry_errors("sums")
        assert done(sweeps, "sums") == [before]
