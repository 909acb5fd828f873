"""Requests and events that the store's tests share."""

from workbench.events import (
    AnyEvent,
    Delta,
    ErrorInfo,
    Graph,
    ModelAnswered,
    ModelCalled,
    NodeFinished,
    Paused,
    Resumed,
    RunFinished,
    RunStarted,
    ToolCalled,
    Totals,
)
from workbench.request import RunRequest
from workbench.store.runs import RunStore

NOON = "2026-11-23T12:00:00.000+00:00"


def a_request(question: str = "What is 6 times 7?", machine: str = "stepwise") -> RunRequest:
    return RunRequest(machine=machine, question=question, backend="scripted", model="script")


def begin(
    store: RunStore, run_id: str, question: str = "What is 6 times 7?", machine: str = "stepwise", at: str = NOON
):
    store.create(run_id, a_request(question, machine), machine.title(), at)


def started(run_id: str, inherited: int = 0) -> RunStarted:
    return RunStarted(
        run_id=run_id,
        seq=0,
        at=0.0,
        inherited=inherited,
        request=a_request().model_dump(),
        machine_title="T",
        graph=Graph(),
        created_at=NOON,
    )


def delta(run_id: str, seq: int, text: str = "word ") -> Delta:
    return Delta(run_id=run_id, seq=seq, at=seq / 10, call_id="c1", channel="text", text=text)


def called(run_id: str, seq: int) -> ModelCalled:
    return ModelCalled(
        run_id=run_id,
        seq=seq,
        at=seq / 10,
        call_id="c1",
        node="think",
        step=1,
        role="thinker",
        messages=(),
        parameters={},
    )


def answered(run_id: str, seq: int, prompt: int | None = 10, completion: int | None = 5) -> ModelAnswered:
    return ModelAnswered(
        run_id=run_id,
        seq=seq,
        at=seq / 10,
        call_id="c1",
        text="42",
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=3,
    )


def tool_called(run_id: str, seq: int) -> ToolCalled:
    return ToolCalled(run_id=run_id, seq=seq, at=seq / 10, tool_id="t1", node="act", step=1, name="clock", arguments={})


def node_finished(run_id: str, seq: int) -> NodeFinished:
    return NodeFinished(run_id=run_id, seq=seq, at=seq / 10, node="think", step=1)


def paused(run_id: str, seq: int) -> Paused:
    return Paused(run_id=run_id, seq=seq, at=seq / 10, node="think", reason="You wanted to see it.", role="thinker")


def resumed(run_id: str, seq: int) -> Resumed:
    return Resumed(run_id=run_id, seq=seq, at=seq / 10, node="think", verb="approve")


def finished(run_id: str, seq: int, status: str = "answered", answer: str = "42", error: ErrorInfo | None = None):
    totals = Totals(calls=2, tool_calls=1, prompt_tokens=30, completion_tokens=12, cached_tokens=4, seconds=1.5)
    return RunFinished.model_validate(
        {
            "run_id": run_id,
            "seq": seq,
            "at": seq / 10,
            "status": status,
            "answer": answer,
            "totals": totals,
            "error": error,
        }
    )


def whole_run(run_id: str) -> list[AnyEvent]:
    return [started(run_id), called(run_id, 1), delta(run_id, 2), answered(run_id, 3), finished(run_id, 4)]
