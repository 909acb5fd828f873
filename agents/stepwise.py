"""Stepwise: one structured reasoning step after another, then the answer, after OpenAI's o1 as its users saw it."""

import re
from typing import Annotated, Any, Literal

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.runtime import Runtime
from pydantic import BaseModel, Field, model_validator

from agents.contract import Abilities, Bench, Machine, Suited
from agents.contract import Options as BaseOptions
from agents.memory import Memory, Summarise, remembering
from agents.suiting import Growth, fewer_steps


class Options(BaseOptions):
    """How long it thinks."""

    min_steps: int = Field(3, ge=1, le=25, description="It may not conclude before this many steps.")
    max_steps: int = Field(25, ge=1, le=50, description="After this many steps it must answer.")
    summarise: Summarise = "never"

    @model_validator(mode="after")
    def _ordered(self) -> "Options":
        if self.min_steps > self.max_steps:
            raise ValueError("min_steps must not be larger than max_steps")
        return self


class Step(BaseModel):
    """One step of reasoning; the model says whether another is needed."""

    title: str = Field(min_length=1, max_length=120)
    content: str = Field(min_length=1)
    next_action: Literal["continue", "final_answer"]


class EarlyStep(Step):
    """A step before the minimum: it can only go on."""

    next_action: Literal["continue"]


class State(Memory, total=False):
    """The conversation so far; `next_action` is the last step's own wish."""

    messages: Annotated[list[AnyMessage], add_messages]
    steps: int
    next_action: str
    answer: str


def begin(question: str, bench: Bench) -> dict[str, Any]:
    """The first state of a run: system prompt, worked examples, question, and a planted assistant turn for the tone."""
    told = [SystemMessage(bench.prompt("system")), *bench.examples("system")]
    return {"messages": [*told, HumanMessage(question), AIMessage(bench.prompt("planted"))], "steps": 0}


async def think(state: State, runtime: Runtime[Bench]) -> State:
    """One step, appended as an assistant turn so that the prompt only grows at its end."""
    bench, number = runtime.context, state["steps"] + 1
    schema = EarlyStep if number < bench.options.min_steps else Step
    head = len(state["messages"]) - state["steps"]
    answer, memory = await remembering(
        bench, state, head, lambda sent: bench.ask("thinker", sent, schema=schema), schema=schema
    )
    step: Step = answer.parsed
    title = re.sub(r"^step \d+\s*[:.-]\s*", "", step.title, flags=re.IGNORECASE)
    bench.card(f"Step {number}: {title}", step.content, answer=answer, next_action=step.next_action)
    return {"messages": [AIMessage(answer.text)], "steps": number, "next_action": step.next_action, **memory}


async def more(state: State, runtime: Runtime[Bench]) -> Literal["think", "conclude"]:
    """Another step, or the answer: when the model is ready or the steps are used up."""
    if state["next_action"] == "final_answer":
        runtime.context.decide("conclude", "the model is ready to answer")
        return "conclude"
    if state["steps"] >= runtime.context.options.max_steps:
        runtime.context.decide("conclude", f"{state['steps']} steps, the most allowed")
        return "conclude"
    runtime.context.decide("think", "continue")
    return "think"


async def conclude(state: State, runtime: Runtime[Bench]) -> State:
    """The final answer, in plain text, from the reasoning above."""
    bench, asked = runtime.context, HumanMessage(runtime.context.prompt("conclude"))
    head = len(state["messages"]) - state["steps"]
    answer, memory = await remembering(
        bench, state, head, lambda sent: bench.ask("answerer", sent), lambda said: [*said, asked]
    )
    bench.card("Final answer", answer.text, answer=answer)
    return {"answer": answer.text.strip(), **memory}


def build() -> StateGraph[State, Bench, State, State]:
    """think -> (think | conclude)."""
    graph = StateGraph(State, context_schema=Bench)
    graph.add_node("think", think)
    graph.add_node("conclude", conclude)
    graph.add_edge(START, "think")
    graph.add_conditional_edges("think", more)
    graph.add_edge("conclude", END)
    return graph


GROWTH = Growth("Stepwise", usual=25, least=3, prompt=300, step=130)  # rules and question; a titled step as JSON


def suited(known: Abilities) -> list[Suited]:
    """As many steps as the model's context and its speed allow."""
    return fewer_steps(known, GROWTH)


MACHINE = Machine(
    name="stepwise",
    title="Stepwise",
    summary="Thinks aloud in titled steps, weighs alternatives, then answers.",
    source="OpenAI o1, 2024",
    source_url="https://openai.com/index/learning-to-reason-with-llms/",
    options=Options,
    build=build,
    begin=begin,
    nodes={"think": "thinking", "conclude": "generator"},
    temperature=0.2,
    examples=(
        "How many times does the letter r occur in 'strawberry'?",
        "Which is larger, 9.11 or 9.9?",
        "A bat and a ball cost 1.10 together. The bat costs 1.00 more than the ball. What does the ball cost?",
    ),
    suited=suited,
)
