"""The only module that knows LangGraph's stream: its parts become events; a step is on disk before the next starts."""

import time
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.errors import GraphRecursionError

from agents.contract import Machine
from workbench.bench import RunBench
from workbench.events import Graph, GraphEdge, GraphNode, NodeFinished, NodeStarted
from workbench.log import RunLog

MOST_STEPS = 400  # supersteps; every machine has its own, lower limit
BRIEF = 200


def graph_of(machine: Machine) -> Graph:
    """The state machine as it is drawn."""
    drawn = machine.build().compile().get_graph()
    nodes = tuple(GraphNode(name=name, role=machine.nodes.get(name, "none")) for name in drawn.nodes)
    edges = tuple(GraphEdge(source=e.source, target=e.target, conditional=e.conditional) for e in drawn.edges)
    return Graph(nodes=nodes, edges=edges)


@dataclass
class Recorder:
    """Runs a machine and records its steps."""

    log: RunLog
    step: int = 0
    _began: dict[str, float] = field(default_factory=dict)
    _ended: list[dict[str, Any]] = field(default_factory=list)

    async def record(
        self, machine: Machine, bench: RunBench, saver: BaseCheckpointSaver[Any], first: dict[str, Any]
    ) -> dict[str, Any]:
        """Run the machine from its first state; return its last. Raises what a node raised."""
        graph = machine.build().compile(checkpointer=saver)
        config: Any = {"configurable": {"thread_id": self.log.run_id}, "recursion_limit": MOST_STEPS}
        try:
            async for part in graph.astream(
                first,
                config,
                context=bench,
                stream_mode=["tasks", "checkpoints"],
                version="v2",
                durability="sync",
            ):
                self._take(part["type"], part["data"])
        except GraphRecursionError:
            return {**(await graph.aget_state(config)).values, "limit": f"{MOST_STEPS} steps were taken"}
        return dict((await graph.aget_state(config)).values)

    def _take(self, kind: str, data: Any) -> None:
        """Tasks start and end a node; the checkpoint after them makes their end durable."""
        if kind == "checkpoints":
            self._checkpointed(data)
        elif "result" in data:
            self._ended.append(data)
        else:
            self._began[data["id"]] = time.perf_counter()
            self.log.emit(NodeStarted, node=data["name"], step=self.step + 1)

    def _checkpointed(self, data: Any) -> None:
        self.step = data["metadata"]["step"]
        for task in self._ended:
            seconds = time.perf_counter() - self._began.pop(task["id"])
            self.log.emit(
                NodeFinished,
                node=task["name"],
                step=self.step,
                changed=brief(task["result"]),
                checkpoint_id=str((data["config"] or {}).get("configurable", {}).get("checkpoint_id", "")),
                seconds=round(seconds, 4),
            )
        if self._ended:
            self._ended.clear()
            self.log.save()


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
