"""ReAct: thought, action, observation, until it finishes (Yao et al. 2210.03629), in three dialects."""

from typing import Annotated, Any, ClassVar, Literal

from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage, ToolMessage
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.runtime import Runtime
from pydantic import Field

from agents.contract import Abilities, Bench, Machine, Observation, Suited
from agents.contract import Options as BaseOptions
from agents.memory import Memory, Summarise, remembering
from agents.react_dialects import DIALECTS, FINISH, Action
from agents.suiting import Growth, fewer_steps, suited_dialect
from agents.toolnames import ToolName as ToolName


class Options(BaseOptions):
    """How it acts; `dialects` are the ways in which a model may say a step."""

    dialects: ClassVar = DIALECTS
    max_steps: int = Field(7, ge=1, le=30, description="It must finish within this many steps.")
    dialect: Literal["json", "native", "text"] = Field(
        "json",
        description="json suits small models, native uses the model's own tool calling, text is the paper's form.",
    )
    tools: list[ToolName] = Field(["calculator", "python", "clock", "search"], description="What it may use.")
    summarise: Summarise = "never"


class State(Memory, total=False):
    """The conversation; `action` pends, `done` were taken, `barred` tools were in vain, `informed`: one was not."""

    messages: Annotated[list[AnyMessage], add_messages]
    question: str
    steps: int
    action: dict[str, Any]
    done: list[str]
    barred: list[str]
    informed: bool
    answer: str
    limit: str


def begin(question: str, bench: Bench) -> dict[str, Any]:
    """The first state of a run: the rules, worked examples as earlier turns, the question."""
    role, tools = bench.options.dialect, bench.options.tools
    rules = SystemMessage(bench.prompt(role, tools=bench.describe_tools(tools)))
    asked = HumanMessage(bench.prompt("question", question=question))
    messages = [rules, *bench.examples(role, tools), asked]
    return {"question": question, "messages": messages, "steps": 0, "done": [], "barred": [], "limit": ""}


async def reason(state: State, runtime: Runtime[Bench]) -> State:
    """One thought and the action that it leads to."""
    bench, number = runtime.context, state["steps"] + 1
    offered = [tool for tool in bench.options.tools if tool not in state["barred"]]
    tools = offered if bench.options.dialect == "native" else []
    head, dialect = len(state["messages"]) - 2 * state["steps"], bench.options.dialects[bench.options.dialect]
    (turn, action), memory = await remembering(
        bench, state, head, lambda sent: dialect(bench, sent, number, offered), tools=tools
    )
    change: State = {"messages": [turn], "steps": number, "action": action.model_dump(), **memory}
    if action.name == FINISH:
        change["answer"] = str(action.input)
    elif number >= bench.options.max_steps:
        change["limit"] = f"No answer within {number} steps."
    return change


async def route(state: State, runtime: Runtime[Bench]) -> Literal["act", "__end__"]:
    """Act, unless it finishes or the step limit is reached."""
    bench, name = runtime.context, state["action"]["name"]
    if name == FINISH or state["limit"]:
        bench.decide("__end__", name if name == FINISH else f"step {state['steps']} was the last")
        return "__end__"
    bench.decide("act", name or "unreadable step")
    return "act"


async def act(state: State, runtime: Runtime[Bench]) -> State:
    """Run the action; what comes of it, an error too, is the observation.

    A tool that is asked the same again and says the same is not offered until another one brings something new: small
    models that see themselves repeat a step repeat it until their steps are used up.
    """
    bench, action = runtime.context, Action.model_validate(state["action"])
    unread = Observation(text=action.problem, error=True) if action.problem else None
    seen = unread or await bench.call(action.name, action.input)
    taken = action.and_what_came(seen.text)
    repeated = taken in state["done"] and not action.problem
    notes = [bench.prompt("repeated", question=state["question"])] if repeated else []
    if state["steps"] == bench.options.max_steps - 1:
        notes.append(bench.prompt("last_step"))
    observation = "\n".join([bench.prompt("failure" if seen.error else "observation", result=seen.text), *notes])
    turn = ToolMessage(observation, tool_call_id=action.call_id) if action.call_id else HumanMessage(observation)
    barred = [*state["barred"], action.name] if repeated else state["barred"] if seen.error else []
    informed = state.get("informed", False) or not seen.error
    return {"messages": [turn], "done": [*state["done"], taken], "barred": barred, "informed": informed}


def build() -> StateGraph[State, Bench, State, State]:
    """reason -> (act -> reason | end)."""
    graph = StateGraph(State, context_schema=Bench)
    graph.add_node("reason", reason)
    graph.add_node("act", act)
    graph.add_edge(START, "reason")
    graph.add_conditional_edges("reason", route)
    graph.add_edge("act", "reason")
    return graph


GROWTH = Growth("ReAct", usual=7, least=2, prompt=700, step=120)  # rules, examples and tools; thought and observation


def suited(known: Abilities) -> list[Suited]:
    """The dialect that the model speaks best, and as many steps as its context and its speed allow."""
    return [*suited_dialect(known), *fewer_steps(known, GROWTH)]


MACHINE = Machine(
    name="react",
    title="ReAct",
    summary="Thinks, uses a tool, reads what came of it, and goes on until it can answer.",
    source="Yao et al. 2022",
    source_url="https://arxiv.org/abs/2210.03629",
    options=Options,
    build=build,
    begin=begin,
    nodes={"reason": "thinking", "act": "tool"},
    feedback="tool",
    temperature=0.2,
    examples=(
        "A shop sells pens at 1.35 each. What do 48 pens cost with a 15% discount?",
        "How many prime numbers are there below 200?",
        "What day of the week is it today, and what date is it in 100 days?",
    ),
    suited=suited,
)
