"""Self-Refine: a model answers, scores its answer aspect by aspect, and refines it (Madaan et al. 2303.17651)."""

from typing import Annotated, Any, Literal

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.runtime import Runtime
from pydantic import Field
from typing_extensions import TypedDict

from agents import rounds
from agents.aspects import ASPECTS, BEST, feedback_schema, judged, told, worst
from agents.contract import Bench, Machine
from agents.contract import Options as BaseOptions


class Options(BaseOptions):
    """What it judges, and when that is good enough."""

    rounds: int = Field(4, ge=1, le=10, description="It refines at most this many times.")
    aspects: Literal["answer", "text", "code"] = Field(
        "answer",
        description="What it judges: an answer, say its correctness; a text, its style; code, its edge cases.",
    )
    enough: int = Field(5, ge=1, le=BEST, description="It stops when every aspect scores at least so much, of 5.")

    @property
    def visits(self) -> int:
        """A refinement in each round."""
        return self.rounds


class State(TypedDict, total=False):
    """One conversation: the answer, then feedback and refinement in turn; `scores` are those of the latest answer."""

    messages: Annotated[list[AnyMessage], add_messages]
    answer: str
    previous: str
    rounds: int
    scores: dict[str, int]


def begin(question: str, bench: Bench) -> dict[str, Any]:
    """The first state of a run."""
    asked = [SystemMessage(bench.prompt("system")), *bench.examples("system"), HumanMessage(question)]
    return {"messages": asked, "answer": "", "previous": "", "rounds": 0, "scores": {}}


async def generate(state: State, runtime: Runtime[Bench]) -> State:
    """The first answer."""
    bench = runtime.context
    said = await bench.ask("generator", state["messages"])
    bench.card("Answer", said.text, answer=said, round=0)
    return {"messages": [AIMessage(said.text)], "answer": said.text.strip()}


async def feedback(state: State, runtime: Runtime[Bench]) -> State:
    """What the model finds about its latest answer. Messages are only added, so that the backend has read the rest."""
    bench, kind = runtime.context, runtime.context.options.aspects
    asked = HumanMessage(bench.prompt("feedback", aspects=", ".join(f'"{aspect}"' for aspect in ASPECTS[kind])))
    said = await bench.ask("judge", [*state["messages"], asked], schema=feedback_schema(kind))
    found = judged(said.parsed)
    scores = {aspect: one.score for aspect, one in found.items()}
    title = f"Feedback {state['rounds'] + 1} · {sum(scores.values())} of {BEST * len(scores)}"
    bench.card(title, told(found), answer=said, scores=scores, feedback="self")
    return {"messages": [asked, AIMessage(said.text)], "scores": scores}


async def good_enough(state: State, runtime: Runtime[Bench]) -> Literal["refine", "__end__"]:
    """Refine, unless the feedback says that no aspect needs it."""
    aspect, score = worst(state["scores"])
    if score >= runtime.context.options.enough:
        runtime.context.decide("__end__", f"every aspect has {score} or more of {BEST}")
        return "__end__"
    runtime.context.decide("refine", f"{aspect} has {score} of {BEST}")
    return "refine"


async def refine(state: State, runtime: Runtime[Bench]) -> State:
    """The answer again, with all answers and all feedback so far in view."""
    bench, number, previous = runtime.context, state["rounds"] + 1, state["answer"]
    asked = HumanMessage(bench.prompt("refine"))
    said = await bench.ask("refiner", [*state["messages"], asked])
    bench.card(f"Refinement {number}", said.text, answer=said, round=number, previous=previous)
    kept: list[AnyMessage] = [asked, AIMessage(said.text)]
    return {"messages": kept, "answer": said.text.strip(), "previous": previous, "rounds": number}


async def again(state: State, runtime: Runtime[Bench]) -> Literal["feedback", "__end__"]:
    """Back to the feedback, unless the rounds are used up or the refinement changed nothing."""
    bench = runtime.context
    if reason := rounds.the_last(state, bench, "refinement"):
        bench.decide("__end__", reason)
        return "__end__"
    bench.decide("feedback", f"round {state['rounds'] + 1}")
    return "feedback"


def build() -> StateGraph[State, Bench, State, State]:
    """generate -> feedback -> (refine -> (feedback | end) | end)."""
    graph = StateGraph(State, context_schema=Bench)
    graph.add_node("generate", generate)
    graph.add_node("feedback", feedback)
    graph.add_node("refine", refine)
    graph.add_edge(START, "generate")
    graph.add_edge("generate", "feedback")
    graph.add_conditional_edges("feedback", good_enough)
    graph.add_conditional_edges("refine", again)
    return graph


MACHINE = Machine(
    name="self_refine",
    title="Self-Refine",
    summary="Answers, scores its own answer aspect by aspect, and refines it until the scores say that it is good.",
    source="Madaan et al. 2023",
    source_url="https://arxiv.org/abs/2303.17651",
    options=Options,
    build=build,
    begin=begin,
    nodes={"generate": "generator", "feedback": "critic", "refine": "generator"},
    feedback="self",
    temperature=0.7,
    examples=(
        "Explain to a ten-year-old why the sky is blue.",
        "Write a polite three-sentence email that declines a meeting invitation.",
        "A shop sells pens at 1.35 each. What do 48 pens cost with a 15% discount?",
    ),
)
