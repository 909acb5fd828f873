"""Role-play: an AI user instructs and an AI assistant solves, in turn, until the task is done (CAMEL, 2303.17760)."""

from typing import Any, Literal

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from agents.contract import Bench, Machine
from agents.contract import Options as BaseOptions
from agents.memory import Summarise
from agents.roles import State, closed, conclusion, faulty, rules, says_done, speak


class Options(BaseOptions):
    """Who the two are, how long they work, and what the answer is made of."""

    assistant: str = Field("specialist", min_length=1, max_length=80, description="The role of the one who solves.")
    user: str = Field("project lead", min_length=1, max_length=80, description="The role of the one who instructs.")
    turns: int = Field(5, ge=1, le=20, description="At most so many instructions are solved.")
    least: int = Field(2, ge=1, le=10, description="The AI user may not call the task done before so many solutions.")
    specify: bool = Field(True, description="First make a concrete task of the idea.")
    closing: Literal["conclusion", "last_solution"] = Field("conclusion", description="What its answer is.")
    summarise: Summarise = "never"

    @property
    def visits(self) -> int:
        """A solution in each turn, and the conclusion."""
        return self.turns + 1


def begin(question: str, bench: Bench) -> dict[str, Any]:
    """The first state of a run."""
    return {"question": question, "messages": [], "solved": 0, "done": False, "fault": "", "reminder": "", "limit": ""}


async def specify(state: State, runtime: Runtime[Bench]) -> State:
    """A concrete task made of the idea, unless that is switched off. A text that was cut is none: the idea stays."""
    bench, task = runtime.context, state["question"]
    if bench.options.specify:
        said = await bench.ask("specifier", [*rules(bench, "specifier"), HumanMessage(task)])
        bench.card("The task" if said.finish_reason == "stop" else "Cut: the idea stays", said.text, answer=said)
        task = said.text.strip() if said.finish_reason == "stop" else task
    return {"messages": [HumanMessage(bench.prompt("task", task=task))]}


async def instruct(state: State, runtime: Runtime[Bench]) -> State:
    """The AI user's next instruction, or its word that the task is done."""
    bench, number = runtime.context, state["solved"] + 1
    said, words, change = await speak(bench, state, "user")
    done = says_done(said.text)
    title = "The task is done" if done and not change["fault"] else f"Instruction {number}"
    bench.card(title, words or said.text, answer=said)
    change["messages"] = [] if change["fault"] or done else [HumanMessage(f"Instruction: {words}")]
    return {**change, "done": done}


async def solve(state: State, runtime: Runtime[Bench]) -> State:
    """The AI assistant's solution of the latest instruction."""
    bench, number = runtime.context, state["solved"] + 1
    said, words, change = await speak(bench, state, "assistant")
    bench.card(f"Solution {number}", words or said.text, answer=said, candidate=words)
    if change["fault"]:
        return change
    return {**change, "solved": number, "answer": words, "messages": [AIMessage(f"Solution: {words}")]}


async def remind(state: State, runtime: Runtime[Bench]) -> State:
    """Who fell out of its role is told so once, and speaks again; what it said is not in the dialogue."""
    bench, speaker = runtime.context, state["speaker"]
    reminder = bench.prompt("reminder_user" if speaker == "user" else "reminder_assistant", fault=state["fault"])
    bench.card(f"Reminder to the AI {speaker}", reminder)
    return {"reminder": reminder}


async def conclude(state: State, runtime: Runtime[Bench]) -> State:
    """The answer to the question, by the AI assistant in view of the dialogue; of an empty one the last solution."""
    said, found, memory = await conclusion(runtime.context, state)
    text = found or state["answer"]
    runtime.context.card("Conclusion", found or "Empty: the last solution stands.", answer=said, candidate=text)
    return {**memory, "answer": text, "limit": "The conclusion was cut." if said.finish_reason == "length" else ""}


async def heard(state: State, runtime: Runtime[Bench]) -> Literal["solve", "remind", "conclude", "__end__"]:
    """An instruction is solved, unless something is wrong with it, or the task is done."""
    if state["fault"]:
        return faulty(runtime.context, state)
    if state["done"]:
        return closed(runtime.context, state, "the AI user says that the task is done")
    runtime.context.decide("solve", f"instruction {state['solved'] + 1}")
    return "solve"


async def solved(state: State, runtime: Runtime[Bench]) -> Literal["instruct", "remind", "conclude", "__end__"]:
    """The next instruction, unless something is wrong with the solution, or the turns are used up."""
    bench, turns = runtime.context, runtime.context.options.turns
    if state["fault"]:
        return faulty(bench, state)
    if state["solved"] >= turns:
        return closed(bench, state, f"turn {turns} was the last")
    bench.decide("instruct", f"turn {state['solved'] + 1} of {turns}")
    return "instruct"


async def reminded(state: State, runtime: Runtime[Bench]) -> Literal["instruct", "solve"]:
    """Back to the one who was reminded."""
    edge: Literal["instruct", "solve"] = "instruct" if state["speaker"] == "user" else "solve"
    runtime.context.decide(edge, "once more")
    return edge


def build() -> StateGraph[State, Bench, State, State]:
    """specify -> instruct -> (solve -> instruct | remind | conclude | end)."""
    graph = StateGraph(State, context_schema=Bench)
    for node in (specify, instruct, solve, remind, conclude):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "specify")
    graph.add_edge("specify", "instruct")
    graph.add_conditional_edges("instruct", heard)
    graph.add_conditional_edges("solve", solved)
    graph.add_conditional_edges("remind", reminded)
    graph.add_edge("conclude", END)
    return graph


MACHINE = Machine(
    name="role_play",
    title="Role-play",
    summary="An AI user instructs and an AI assistant solves, turn by turn, until the user says that the task is done.",
    source="Li et al. 2023",
    source_url="https://arxiv.org/abs/2303.17760",
    options=Options,
    build=build,
    wants_schemas=False,
    begin=begin,
    nodes={"specify": "critic", "instruct": "critic", "solve": "generator", "remind": "none", "conclude": "generator"},
    temperature=0.4,
    examples=("Plan a weekend in the mountains with two small children.", "Write a short wedding speech for a friend."),
)
