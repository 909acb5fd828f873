"""The only module that knows LangGraph's stream: its parts become events; a step is on disk before the next starts."""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.graph import StateGraph
from langgraph.graph.state import CompiledStateGraph

from agents.contract import Machine
from workbench.bench import LimitReached, RunBench
from workbench.events import Graph, GraphEdge, GraphNode, NodeFinished, NodeStarted
from workbench.journal import Journal
from workbench.log import RunLog
from workbench.steering import edited, last_edit
from workbench.store import checkpoints
from workbench.store.checkpoints import OrderedSaver

BRIEF = 200
UNLIMITED = {"recursion_limit": 1_000_000}
STREAM: dict[str, Any] = {"stream_mode": ["tasks", "checkpoints"], "version": "v2", "durability": "sync"}


@lru_cache(maxsize=64)
def _drawn(build: Callable[[], StateGraph[Any, Any, Any, Any]]) -> Any:
    """LangGraph's own drawing: it takes longer than many a run."""
    return build().compile().get_graph()


def graph_of(machine: Machine) -> Graph:
    """The state machine as it is drawn."""
    drawn = _drawn(machine.build)
    nodes = tuple(GraphNode(name=name, role=machine.nodes.get(name, "none")) for name in drawn.nodes)
    edges = tuple(GraphEdge(source=e.source, target=e.target, conditional=e.conditional) for e in drawn.edges)
    return Graph(nodes=nodes, edges=edges)


@dataclass
class Recorder:
    """Runs a machine and records its steps up to superstep `steps`.

    The journal knows the nodes that began and did not end.
    """

    log: RunLog
    steps: int
    journal: Journal = field(default_factory=Journal)
    step: int = 0
    state: dict[str, Any] = field(default_factory=dict)
    _began: dict[str, float] = field(default_factory=dict)
    _ended: list[dict[str, Any]] = field(default_factory=list)

    async def record(
        self,
        graph: CompiledStateGraph[Any, Any, Any, Any],
        bench: RunBench,
        saver: OrderedSaver,
        first: dict[str, Any],
        is_new: bool = False,
    ) -> dict[str, Any]:
        """Run the machine from where its checkpoint stands, else from its first state; return its last.

        `graph` is the machine's, compiled with the `saver` as its checkpointer; many runs may share it. A run that
        `is_new` has no checkpoint: none is looked for.

        Raises what a node raised, and LimitReached after `steps` steps; `state` then holds what there is so far.
        """
        config: Any = {"configurable": {"thread_id": self.log.run_id}}
        kept = None if is_new else await graph.aget_state(config)
        if kept is not None and kept.metadata is not None:
            first, self.step = None, int(kept.metadata["step"])  # type: ignore[assignment]
            checkpoint_id = str(kept.config["configurable"]["checkpoint_id"])
            self._end_finished(checkpoint_id)
            await self._edit(saver, checkpoint_id, kept.values)
        try:
            due = kept.tasks if kept is not None and first is None else ()
            self._check_limit(due)
            if first is not None or due:
                await self._stream(graph.astream(first, config | UNLIMITED, context=bench, **STREAM))
        finally:
            self.state = dict((await graph.aget_state(config)).values)
        return self.state

    async def _edit(self, saver: OrderedSaver, checkpoint_id: str, values: dict[str, Any]) -> None:
        """What the person made of the last message stays so for every later step."""
        edit = last_edit(self.log.events)
        if edit and (changed := edited(values, edit)):
            await checkpoints.copy(saver, self.log.run_id, checkpoint_id, self.log.run_id, changed)

    def _check_limit(self, due: Sequence[object]) -> None:
        """LangGraph's own limit counts a resumed run's steps afresh; ours does not."""
        if due and self.step >= self.steps:
            raise LimitReached(f"{self.steps} steps were taken, the most allowed.")

    async def _stream(self, parts: AsyncIterator[Any]) -> None:
        async for part in parts:
            self._take(part["type"], part["data"])

    def _take(self, kind: str, data: Any) -> None:
        """Tasks start and end a node; the checkpoint after them makes their end durable."""
        if kind == "checkpoints":
            self._checkpointed(data)
        elif "result" in data:
            self._ended.append(data)
        else:
            place = data["name"], self.step + 1
            self._began[data["id"]] = time.perf_counter()
            attempt = self.journal.open.get(place, 0) + 1
            self.log.emit(NodeStarted, node=data["name"], step=self.step + 1, attempt=attempt)

    def _end_finished(self, checkpoint_id: str) -> None:
        """A node whose checkpoint is on disk has ended, though the app was gone before the log could say so."""
        for node, step in [place for place in self.journal.open if place[1] <= self.step]:
            self.journal.end((node, step))
            self.log.emit(NodeFinished, node=node, step=step, checkpoint_id=checkpoint_id)

    def _checkpointed(self, data: Any) -> None:
        self.step = data["metadata"]["step"]
        checkpoint_id = str((data["config"] or {}).get("configurable", {}).get("checkpoint_id", ""))
        for task in self._ended:
            self.journal.end((task["name"], self.step))
            seconds = time.perf_counter() - self._began.pop(task["id"])
            self.log.emit(
                NodeFinished,
                node=task["name"],
                step=self.step,
                changed=brief(task["result"]),
                checkpoint_id=checkpoint_id,
                seconds=round(seconds, 4),
            )
        self._end_finished(checkpoint_id)
        if self._ended:
            self._ended.clear()
            if data["next"]:  # after the last step the run's end follows at once, and is saved with it
                self.log.save()
        self._check_limit(data["next"])


def brief(change: Any) -> dict[str, str]:
    """A state's change in short: what each key got, as text."""
    if not isinstance(change, dict):
        return {}
    return {key: _short(value) for key, value in change.items()}


def _short(value: Any) -> str:
    if isinstance(value, BaseMessage):
        text = str(value.text)
    elif isinstance(value, list):
        text = "; ".join(_short(item) for item in value)
    else:
        text = str(value)
    return text if len(text) <= BRIEF else text[: BRIEF - 1] + "…"
