"""The machines as graphs for LangGraph's own dev server, which langgraph.json names: `langgraph dev`."""

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from langchain_core.messages import AnyMessage, BaseMessage
from langgraph.graph import START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from agents import catalogue
from agents.contract import Answer, Bench, Choose, Memory, Observation, Result, Retrieved, Room
from workbench import prompts, servers
from workbench.backends.base import Backend, ModelInfo
from workbench.backends.servers import Server
from workbench.bench import RunBench
from workbench.errors import InvalidRequest, StoreError
from workbench.job import read_options
from workbench.journal import Journal
from workbench.log import RunLog
from workbench.request import ModelSettings, RunRequest
from workbench.settings import Settings, load
from workbench.slots import Slots
from workbench.tools import registry as tools
from workbench.tools.served import LOOK, ToolServers

BEGIN = "begin"


class Question(TypedDict):
    """What a run is given."""

    question: str


@dataclass(eq=False)
class StudioBench(Bench):
    """A Bench for a graph that LangGraph's server runs; what the server calls the context chooses backend and model.

    Empty ones are those of .env. `values` are the machine's options, `settings` the model's.
    """

    machine: ClassVar[str]
    backend: str = ""
    model: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Nothing is asked yet; no field, or the server would offer it in its form."""
        self._asked: RunBench | None = None

    async def _ready(self) -> RunBench:
        """The Bench behind it, which knows its model. Raises what a run's start raises."""
        if self._asked is None:
            backend, _ = served(self.backend or environment().backend)
            models = [] if self.model or backend.default_model else await backend.models()
            name = self.model or backend.default_model or next((info.name for info in models), "")
            self._asked = _bench(self, await backend.model(name))
        return self._asked

    @property
    def _bench(self) -> RunBench:
        """The Bench behind it; what needs no model can be asked of it before the model is known."""
        return self._asked or _bench(self, ModelInfo(name=self.model or "-"))

    @property
    def options(self) -> Any:
        """The machine's own Options."""
        return self._bench.options

    async def ask(self, role: str, messages: Sequence[BaseMessage], **wishes: Any) -> Answer:
        """Stream a model's answer and return it."""
        return await (await self._ready()).ask(role, messages, **wishes)

    async def room(self, messages: Sequence[BaseMessage], **wishes: Any) -> Room | None:
        """How long a prompt is and may be."""
        return await (await self._ready()).room(messages, **wishes)

    async def summarise(self, asked: str, **more: Any) -> str:
        """A model's summary of earlier turns."""
        return await (await self._ready()).summarise(asked, **more)

    async def unless_too_long(self, asking: Awaitable[Result]) -> Result | None:
        """What asking a model returns; None where a shorter prompt should be made."""
        return await (await self._ready()).unless_too_long(asking)

    async def call(self, tool: str, arguments: dict[str, Any] | str) -> Observation:
        """Run a tool."""
        return await (await self._ready()).call(tool, arguments)

    async def embed(self, texts: Sequence[str]) -> list[list[float]] | None:
        """A vector for each text; None where the backend has no model for it."""
        return await (await self._ready()).embed(texts)

    async def memories(self) -> list[Memory]:
        """What the graph's runs remember: nothing, since LangGraph's server keeps its own state."""
        return await (await self._ready()).memories()

    async def remember(self, title: str, memories: Sequence[Memory], *, answer: Answer | None = None) -> list[Memory]:
        """Remember something until the run's end."""
        return await (await self._ready()).remember(title, memories, answer=answer)

    async def recall(self, title: str, about: str, choose: Choose) -> list[Retrieved]:
        """What is chosen of it."""
        return await (await self._ready()).recall(title, about, choose)

    def prompt(self, role: str, **variables: object) -> str:
        """The built-in prompt of a role, filled."""
        return self._bench.prompt(role, **variables)

    def examples(self, role: str, having: Sequence[str] = ()) -> list[AnyMessage]:
        """A role's worked examples as earlier turns."""
        return self._bench.examples(role, having)

    def describe_tools(self, names: Sequence[str]) -> str:
        """The tools as text for a prompt."""
        return self._bench.describe_tools(names)

    def card(self, title: str, content: str, *, answer: Answer | None = None, **data: Any) -> None:
        """Keep a step card."""
        self._bench.card(title, content, answer=answer, **data)

    def decide(self, edge: str, reason: str) -> None:
        """Keep why a router goes to `edge`."""
        self._bench.decide(edge, reason)

    def warn(self, code: str, message: str, hint: str = "") -> None:
        """Keep a warning."""
        self._bench.warn(code, message, hint)


def _bench(chosen: StudioBench, model: ModelInfo) -> RunBench:
    settings, machine = environment(), catalogue.load(chosen.machine)
    backend, slots = served(chosen.backend or settings.backend)
    options = read_options(machine, chosen.values)
    if options.lacks:
        raise InvalidRequest(options.lacks)
    request = RunRequest(
        machine=machine.name,
        question="-",
        backend=backend.name,
        model=model.name,
        settings=ModelSettings.model_validate({"temperature": machine.temperature, **chosen.settings}),
    )
    offered = tools.for_run(getattr(options, "tools", ()), settings, found=_of_servers(getattr(options, "tools", ())))
    log, roles = RunLog("studio", lambda events: None), prompts.load(machine.name).roles
    return RunBench(request, options, backend, slots, log, roles, offered, model, Journal())


def _of_servers(names: Sequence[str]) -> tools.Served:
    """Those of the tools that are MCP servers'. Raises InvalidRequest for one that was not there at the start."""
    if missing := next((name for name in names if name not in tools.TOOLS and name not in tool_servers()), ""):
        raise InvalidRequest(f"There was no tool named {missing} when this server started.", LOOK)
    return {name: tool_servers()[name] for name in names if name in tool_servers()}


@cache
def tool_servers() -> tools.Served:
    """The tools of the MCP servers that a person has named, read once. Raises InvalidRequest."""
    return ToolServers(environment()).tools()


@cache
def environment() -> Settings:
    """What .env and the environment say, read once."""
    return load()


@cache
def named() -> dict[str, Server]:
    """The servers that a person has named, read once. Raises StoreError."""
    return servers.named(environment())


_SERVED: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, tuple[Backend, Slots]]] = WeakKeyDictionary()


def served(name: str) -> tuple[Backend, Slots]:
    """A backend and its slots, which belong to the event loop that runs."""
    known = _SERVED.setdefault(asyncio.get_running_loop(), {})
    if name not in known:
        backend = servers.made(name, environment(), named())
        known[name] = backend, Slots(backend.slots)
    return known[name]


def graph(name: str) -> CompiledStateGraph[Any, Any, Any, Any]:
    """A machine's graph with a first node that makes its first state of a question."""
    machine = catalogue.load(name)
    prompts.load(name)  # while files may be read: the server refuses to block its loop
    environment()
    with suppress(StoreError):  # told to who asks for a named server
        named()
    with suppress(InvalidRequest):  # told to who asks for one of its tools
        tool_servers()

    async def begin(state: Question, runtime: Runtime[Bench]) -> dict[str, Any]:
        return machine.begin(state["question"], runtime.context)

    own = machine.build()
    context: Any = type(f"{name}_bench", (StudioBench,), {"machine": name, "__doc__": StudioBench.__doc__})
    whole: StateGraph[Any, Any, Any, Any] = StateGraph(own.state_schema, context_schema=context, input_schema=Question)
    whole.add_node(BEGIN, begin, input_schema=Question)
    whole.schemas = {**own.schemas, **whole.schemas}  # and channels, of nodes that a machine shares with another one
    whole.channels = {**own.channels, **whole.channels}
    whole.nodes.update(own.nodes)
    whole.branches.update(own.branches)
    whole.edges |= {(BEGIN if source == START else source, target) for source, target in own.edges}
    whole.add_edge(START, BEGIN)
    return whole.compile(name=name)


globals().update({name: graph(name) for name in catalogue.MACHINES})
