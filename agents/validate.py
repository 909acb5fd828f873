"""Validation sentence by sentence, of what the model itself was not sure of (A Stitch in Time, Varshney 2307.03987)."""

from typing import Any, ClassVar, Literal

from langchain_core.messages import HumanMessage
from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field

from agents import doubts
from agents.contract import Bench, Machine
from agents.contract import Options as BaseOptions
from agents.sentences import ended, first_sentence
from agents.stitching import LONGEST, State, ask, judge, limit_of, look_up, question, repair, settle, so_far, title_of
from agents.sureness import UNKNOWN, Pooled, Span, align, warn_if_unknown

Onward = Literal["question", "write", "__end__"]


class Options(BaseOptions):
    """How far it writes, what counts as a doubt, and who is asked about it."""

    tools: ClassVar[tuple[str, ...]] = ("search", "wikipedia")

    sentences: int = Field(5, ge=1, le=20, description="It writes at most so many sentences.")
    threshold: float = Field(0.5, ge=0.01, le=0.99, description="A concept is doubtful below this probability.")
    pooled: Pooled = Field("min", description="A concept's probability is that of its least sure token, or the mean.")
    concepts: int = Field(5, ge=1, le=10, description="At most so many key concepts are looked at in a sentence.")
    evidence: doubts.Evidence = Field("self", description="Who is asked: the model itself, your documents, wikipedia.")

    @property
    def visits(self) -> int:
        """A sentence each."""
        return self.sentences


def begin(question: str, bench: Bench) -> dict[str, Any]:
    """The first state of a run."""
    return {"question": question, "sentences": [], "sentence": "", "doubts": [], "answer": "", "limit": ""}


async def write(state: State, runtime: Runtime[Bench]) -> State:
    """The next sentence after those that stand; whatever else the model writes is left for its next turn."""
    bench, stand = runtime.context, state["sentences"]
    said = await ask(bench, "writer", so_far(bench, state["question"], stand), max_tokens=LONGEST)
    start, end = first_sentence(said.text)
    sentence, over = said.text[start:end], ended(said.text, stand, said.finish_reason)
    bench.card(title_of(over, stand), sentence or "(nothing)", answer=said)
    change: State = {"sentence": "", "outcome": over}
    if over:
        return {**change, "limit": limit_of(over, stand)}
    if not (said.tokens or said.by_person):
        warn_if_unknown(bench, said)
        return {**change, "outcome": "no token probabilities", "limit": UNKNOWN}
    spans = doubts.spans_within(align(said.text, said.tokens), start, end)
    return {**change, "sentence": sentence, "spans": spans, "answer": " ".join([*stand, sentence])}


async def written(state: State, runtime: Runtime[Bench]) -> Literal["find", "__end__"]:
    """Look for its concepts, unless the text is complete, or the backend says nothing of probabilities."""
    edge: Literal["find", "__end__"] = "find" if state["sentence"] else "__end__"
    runtime.context.decide(edge, state["outcome"] or f"sentence {len(state['sentences']) + 1}")
    return edge


async def find(state: State, runtime: Runtime[Bench]) -> State:
    """The key concepts of the sentence, and how sure the model was of each when it wrote it."""
    bench, sentence, options = runtime.context, state["sentence"], runtime.context.options
    rules, schema = bench.prompt("finder", most=options.concepts), doubts.concepts_schema(options.concepts)
    said = await ask(bench, "finder", [HumanMessage(sentence)], rules, schema=schema)
    names = doubts.concepts_in(sentence, said.parsed.concepts)
    found = doubts.measured(sentence, [Span(*one) for one in state["spans"]], names, options.pooled)
    unsure = doubts.doubtful(found, options.threshold)
    text = doubts.listed(found, said.parsed.concepts, options.threshold)
    bench.card(f"Concepts: {len(found)}, doubtful: {len(unsure)}", text, answer=said)
    return {"doubts": unsure, "outcome": doubts.reason_of(found, options.threshold)}


async def found(state: State, runtime: Runtime[Bench]) -> Literal["judge", "settle"]:
    """To the judge, where there is evidence; else the sentence stays as it is."""
    edge: Literal["judge", "settle"] = "judge" if state["evidence"] else "settle"
    runtime.context.decide(edge, state["outcome"])
    return edge


async def judged(state: State, runtime: Runtime[Bench]) -> Literal["repair", "settle"]:
    """Repair what is contradicted."""
    edge: Literal["repair", "settle"] = "repair" if state["contradicted"] else "settle"
    runtime.context.decide(edge, state["outcome"])
    return edge


async def onward(state: State, runtime: Runtime[Bench]) -> Literal["question", "write", "__end__"]:
    """The next doubt, the next sentence, or the end; the reason is what came of the step before."""
    bench, is_last = runtime.context, len(state["sentences"]) >= runtime.context.options.sentences
    edge: Onward = "question" if state["doubts"] else "__end__" if is_last else "write"
    bench.decide(edge, f"{state['outcome']}; that was the last sentence" if edge == END else state["outcome"])
    return edge


def build() -> StateGraph[State, Bench, State, State]:
    """write -> find -> settle -> (question -> look_up -> judge -> repair -> settle | write | end)."""
    graph = StateGraph(State, context_schema=Bench)
    for node in (write, find, settle, question, look_up, judge, repair):
        graph.add_node(node)
    for source, target in (("find", "settle"), ("question", "look_up"), ("repair", "settle")):
        graph.add_edge(source, target)
    graph.add_edge(START, "write")
    graph.add_conditional_edges("write", written)
    graph.add_conditional_edges("settle", onward)
    graph.add_conditional_edges("look_up", found)
    graph.add_conditional_edges("judge", judged)
    return graph


MACHINE = Machine(
    name="validate",
    title="Validation by confidence",
    summary="Writes sentence by sentence, looks up what it was not sure of, and repairs it before it goes on.",
    source="Varshney et al. 2023",
    source_url="https://arxiv.org/abs/2307.03987",
    options=Options,
    build=build,
    begin=begin,
    nodes={
        "write": "generator",
        "find": "thinking",
        "settle": "none",
        "question": "thinking",
        "look_up": "tool",
        "judge": "critic",
        "repair": "generator",
    },
    feedback="tool",
    temperature=0.2,
    examples=(
        "Write three sentences about the Eiffel Tower.",
        "Who was Ada Lovelace? Four sentences, please.",
    ),
)
