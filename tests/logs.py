"""Handwritten logs, step by step, for what is computed from a log alone."""

from typing import Any

from workbench.events import (
    AnyEvent,
    CallFailed,
    Card,
    Decision,
    Delta,
    ErrorInfo,
    Event,
    Graph,
    GraphNode,
    ModelAnswered,
    ModelCalled,
    NodeFinished,
    NodeStarted,
    Paused,
    Resumed,
    Retried,
    RunFinished,
    RunStarted,
    ToolAnswered,
    ToolCalled,
    Totals,
    Warned,
)
from workbench.request import RunRequest

NODES = (GraphNode(name="think", role="thinking"), GraphNode(name="act", role="tool"), GraphNode(name="judge"))
SYSTEM = {"role": "system", "content": "Think step by step."}
OOPS = ErrorInfo(code="server_fault", message="It failed.")


class Log:
    """A log that grows by one thing that happened at a time; each method returns the log."""

    def __init__(self, run_id: str = "aaaa1111", pace: float = 0.5, **started: Any) -> None:
        """Begin a run; `pace` is the seconds between events, `request` what it asks besides the default."""
        self.run_id, self.pace, self.step = run_id, pace, 0
        self.events: list[AnyEvent] = []
        asked = {"machine": "stepwise", "question": "Why?", "backend": "scripted", "model": "demo"}
        request = RunRequest.model_validate(asked | started.pop("request", {})).model_dump(mode="json")
        fields = {"request": request, "machine_title": "Stepwise", "graph": Graph(nodes=NODES), "created_at": "2026"}
        self.add(RunStarted, **fields | started)

    def add(self, kind: type[Event], **fields: Any) -> "Log":
        """Any event."""
        seq = len(self.events)
        self.events.append(kind(run_id=self.run_id, seq=seq, at=seq * self.pace, **fields))  # type: ignore[arg-type]
        return self

    def begin(self, node: str, step: int = 0, attempt: int = 1) -> "Log":
        """A node begins, in the next step unless one is given."""
        self.step = step or self.step + 1
        return self.add(NodeStarted, node=node, step=self.step, attempt=attempt)

    def end(self, node: str) -> "Log":
        """A node ends."""
        return self.add(NodeFinished, node=node, step=self.step, checkpoint_id=f"{self.run_id}-{self.step}")

    def ask(self, node: str, sent: str = "Go on.", role: str = "thinker", **more: Any) -> "Log":
        """A model is asked."""
        messages = (SYSTEM, {"role": "user", "content": sent})
        fields = {"node": node, "step": self.step, "role": role, "messages": messages, "parameters": {}} | more
        return self.add(ModelCalled, call_id=self._next(), **fields)

    def answer(self, text: str, **more: Any) -> "Log":
        """The model answers, after a delta."""
        self.add(Delta, call_id=self._last(), channel="text", text=text)
        return self.add(ModelAnswered, call_id=self._last(), text=text, **more)

    def card(self, title: str, content: str, **data: Any) -> "Log":
        """The last call's card."""
        fields = {"node": "think", "step": self.step, "call_id": self._last()}
        return self.add(Card, title=title, content=content, data=data, **fields)

    def decide(self, node: str, edge: str, reason: str = "") -> "Log":
        """A router goes on."""
        return self.add(Decision, node=node, edge=edge, reason=reason)

    def visit(self, node: str, text: str, sent: str = "Go on.", edge: str = "") -> "Log":
        """A whole visit of a node: it asks, gets an answer and decides."""
        self.begin(node).ask(node, sent).answer(text)
        return (self.decide(node, edge) if edge else self).end(node)

    def use(self, tool: str, result: str, error: bool = False, **arguments: Any) -> "Log":
        """A whole visit of the node `act`, which calls a tool."""
        self.begin("act").add(
            ToolCalled, tool_id=self._next(), node="act", step=self.step, name=tool, arguments=arguments
        )
        self.add(ToolAnswered, tool_id=self._last(), result=result, error=error)
        return self.end("act")

    def fail(self) -> "Log":
        """The last call fails."""
        return self.add(CallFailed, call_id=self._last(), error=OOPS)

    def retry(self, told: str = "") -> "Log":
        """The last call is tried again."""
        return self.add(Retried, call_id=self._last(), error=OOPS, attempt=2, told=told)

    def warn(self, code: str, message: str = "Mind this.") -> "Log":
        """The person is told something."""
        return self.add(Warned, code=code, message=message)

    def wait(self, node: str, verb: str = "approve", text: str = "") -> "Log":
        """The run waits for the person, who replies."""
        self.add(Paused, node=node, step=self.step, reason="You chose to.", role="thinker")
        return self.add(Resumed, node=node, verb=verb, text=text)

    def finish(self, answer: str = "42", status: str = "answered", **more: Any) -> "Log":
        """The run ends."""
        totals = Totals(calls=2, prompt_tokens=30, completion_tokens=10, seconds=len(self.events) * self.pace)
        return self.add(RunFinished, status=status, answer=answer, totals=totals, **more)

    def _next(self) -> str:
        return f"{self.run_id}-{len(self.events)}"

    def _last(self) -> str:
        calls = [event for event in self.events if isinstance(event, ModelCalled | ToolCalled)]
        return calls[-1].call_id if isinstance(calls[-1], ModelCalled) else calls[-1].tool_id


def three_steps(run_id: str = "aaaa1111", second: str = "Two and two.", **more: Any) -> Log:
    """Three visits and an answer; the second says `second`."""
    log = Log(run_id, **more).visit("think", "Look.", edge="think").visit("think", second, "Look.", "think")
    return log.visit("judge", "Good.", second).finish()
