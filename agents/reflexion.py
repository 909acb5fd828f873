"""Reflexion: trial, evaluation, self-reflection, and the next trial in its light (Shinn et al. 2303.11366)."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START, StateGraph
from langgraph.runtime import Runtime

from agents import pal, react
from agents.answers import concluded
from agents.contract import Bench, Machine
from agents.evaluators import Attempt, evaluated
from agents.memory import remembering
from agents.react_dialects import FINISH
from agents.trials import FRESH, Reflection, State, Trials, best_of, came_to, opened, remembered, trajectory

Entry = Literal["reason", "think", "write"]
ENTRIES: Mapping[str, Entry] = {"react": "reason", "cot": "think", "code": "write"}


class Options(react.Options, Trials):
    """The trials, then what the actor react needs."""


def begin(question: str, bench: Bench) -> dict[str, Any]:
    """The first state of a run."""
    first: State = {"question": question, "trial": 0, "reflections": [], "messages": []}
    return {**first, "best": "", "highest": 0.0, "answer": "", "program": "", "programs": 0, **FRESH}


async def attempt(state: State, runtime: Runtime[Bench]) -> State:
    """A trial begins: of the trials before it only the self-reflections are left."""
    return opened(state, runtime.context)


async def actor(state: State, runtime: Runtime[Bench]) -> Entry:
    """To the actor that was chosen."""
    bench, learned = runtime.context, len(state["reflections"])
    entry = ENTRIES[bench.options.actor]
    bench.decide(entry, f"trial {state['trial'] + 1}, {learned} self-reflection{'s' if learned != 1 else ''} in mind")
    return entry


async def think(state: State, runtime: Runtime[Bench]) -> State:
    """The actor cot: reasoning, and the answer that it comes to."""
    bench = runtime.context
    said = await bench.ask("reasoner", state["messages"])
    found = concluded(said.text, said.finish_reason)
    bench.card("Reasoning", said.text, answer=said, candidate=found)
    limit = "" if found else "The reasoning was cut before it came to an answer."
    return {"messages": [AIMessage(said.text)], "answer": found, "limit": limit}


async def over(state: State, runtime: Runtime[Bench]) -> Literal["act", "evaluate"]:
    """The actor react acts, until it finishes or its steps are used up."""
    bench, name = runtime.context, state["action"]["name"]
    if name == FINISH or state["limit"]:
        bench.decide("evaluate", name if name == FINISH else f"step {state['steps']} was the last")
        return "evaluate"
    bench.decide("act", name or "unreadable step")
    return "act"


async def evaluate(state: State, runtime: Runtime[Bench]) -> State:
    """The trial's reward. The answer is that of the best trial so far, the latest among equals."""
    bench, number = runtime.context, state["trial"]
    answer, without = came_to(state, bench.options.actor)
    found = await evaluated(bench, Attempt(state["question"], answer, without, state["done"]))
    best, highest = best_of(state, answer, found.reward)
    known: dict[str, Any] = {"trial": number, "reward": found.reward, "round": number, "candidate": best}
    bench.card(f"Trial {number + 1} · reward {found.reward:.2g}", found.said, feedback=found.feedback, **known)
    limit = "" if best else f"No answer in {number + 1} trial{'s' if number else ''}."
    said = f"{found.said} {found.why}".strip()
    told: State = {"reward": found.reward, "said": said, "best": best, "highest": highest}
    return {**told, "answer": best, "limit": limit}


async def again(state: State, runtime: Runtime[Bench]) -> Literal["reflect", "__end__"]:
    """Reflect and try again, unless the reward is enough or it was the last trial."""
    bench, number, reward = runtime.context, state["trial"] + 1, f"reward {state['reward']:.2g}"
    is_enough = state["reward"] >= bench.options.enough
    if is_enough or number >= bench.options.trials:
        bench.decide("__end__", f"{reward} is enough" if is_enough else f"{reward}, and trial {number} was the last")
        return "__end__"
    bench.decide("reflect", f"{reward} after trial {number}")
    return "reflect"


async def reflect(state: State, runtime: Runtime[Bench]) -> State:
    """What the actor learns from its trajectory and the evaluation; the last of these are its long-term memory."""
    bench = runtime.context
    asked = HumanMessage(bench.prompt("reflect", said=state["said"], question=state["question"]))
    short_term: State = {**state, "messages": [*trajectory(state["messages"]), asked]}
    ask = partial(bench.ask, "reflector", schema=Reflection)
    said, _ = await remembering(bench, short_term, state["head"], ask, schema=Reflection)
    learned: Reflection = said.parsed
    bench.card(f"Self-reflection {state['trial'] + 1}", learned.told, answer=said)
    kept = remembered(state["reflections"], learned.told, bench.options.memory)
    return {"reflections": kept, "trial": state["trial"] + 1}


def build() -> StateGraph[State, Bench, State, State]:
    """attempt -> an actor -> evaluate -> (reflect -> attempt | end)."""
    graph = StateGraph(State, context_schema=Bench)
    for node in (attempt, pal.write, think, react.reason, evaluate, react.act, reflect):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "attempt")
    graph.add_conditional_edges("attempt", actor)
    graph.add_conditional_edges("reason", over)
    graph.add_edge("act", "reason")
    graph.add_edge("think", "evaluate")
    graph.add_edge("write", "evaluate")
    graph.add_conditional_edges("evaluate", again)
    graph.add_edge("reflect", "attempt")
    return graph


MACHINE = Machine(
    name="reflexion",
    title="Reflexion",
    summary="Tries, has the trial scored, reflects on what went wrong, and tries again with that in mind.",
    source="Shinn et al. 2023",
    source_url="https://arxiv.org/abs/2303.11366",
    options=Options,
    build=build,
    begin=begin,
    nodes={
        **{"attempt": "none", "reason": "thinking", "act": "tool", "think": "thinking", "write": "generator"},
        **{"evaluate": "critic", "reflect": "thinking"},
    },
    feedback="critic",
    temperature=0.5,
    examples=pal.MACHINE.examples,
    suited=react.suited,
)
