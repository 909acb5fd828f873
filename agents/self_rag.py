"""Self-RAG: looks up what it needs, answers from each passage, grades each answer, takes the best (2310.11511)."""

from typing import Any, Literal

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime
from pydantic import Field
from typing_extensions import TypedDict

from agents.contract import Bench, Machine
from agents.contract import Options as BaseOptions
from agents.grades import Candidate, Need, answered, asking, chosen, graded, in_batches, told, unsourced
from agents.passages import TOOLS, look_up


class Options(BaseOptions):
    """Where and when it looks things up, and what the grades weigh."""

    source: Literal["documents", "wikipedia"] = Field("documents", description="Where it looks things up.")
    retrieval: Literal["when_needed", "always"] = Field("when_needed", description="Whether the model may do without.")
    passages: int = Field(3, ge=1, le=8, description="It answers from at most so many passages.")
    parallel: int = Field(4, ge=1, le=16, description="At most so many of them at once.")
    relevance: float = Field(1.0, ge=0, le=2, description="Weight of a passage that has to do with the question.")
    support: float = Field(1.0, ge=0, le=2, description="Weight of an answer that its passage supports.")
    usefulness: float = Field(0.5, ge=0, le=2, description="Weight of an answer that is useful.")

    @property
    def tools(self) -> tuple[str, ...]:
        """The tool that finds passages there."""
        return (TOOLS[self.source],)


class State(TypedDict, total=False):
    """The query ("" for none), the passages, an answer from each with its grades; `reason` is the next edge's."""

    question: str
    query: str
    passages: list[list[str]]
    candidates: list[dict[str, Any]]
    reason: str
    answer: str


def begin(question: str, bench: Bench) -> dict[str, Any]:
    """The first state of a run."""
    return {"question": question, "query": "", "passages": [], "candidates": [], "reason": ""}


async def decide(state: State, runtime: Runtime[Bench]) -> State:
    """Whether to look something up, and with which query."""
    bench, question = runtime.context, state["question"]
    said = await bench.ask("critic", asking(bench, bench.options.source, question), schema=Need)
    bench.card(f"Retrieve: {said.parsed.retrieve}", said.parsed.reason, answer=said, query=said.parsed.query)
    is_wanted = said.parsed.retrieve == "yes" or bench.options.retrieval == "always"
    return {"query": (said.parsed.query.strip() or question) if is_wanted else ""}


async def needed(state: State, runtime: Runtime[Bench]) -> Literal["retrieve", "recall"]:
    """Retrieve, unless the model needs nothing and may say so."""
    bench, query = runtime.context, state["query"]
    always = "always on: " if bench.options.retrieval == "always" else ""
    bench.decide("retrieve" if query else "recall", f"{always}look up {query!r}" if query else "no retrieval needed")
    return "retrieve" if query else "recall"


async def retrieve(state: State, runtime: Runtime[Bench]) -> State:
    """The passages that the tool finds, or why there are none."""
    bench = runtime.context
    found, reason = await look_up(bench, bench.options.tools[0], state["query"], bench.options.passages)
    return {"passages": [list(one) for one in found], "reason": reason}


async def found(state: State, runtime: Runtime[Bench]) -> Literal["answer", "recall"]:
    """Answer from the passages, if there are any."""
    runtime.context.decide("answer" if state["passages"] else "recall", state["reason"])
    return "answer" if state["passages"] else "recall"


async def answer(state: State, runtime: Runtime[Bench]) -> State:
    """An answer from each passage and, where it was not sure that one is needed, an answer from none."""
    bench, own = runtime.context, [Candidate()] if runtime.context.options.retrieval == "when_needed" else []
    passages = [Candidate(source=source, passage=text) for source, text in state["passages"]]
    candidates = await in_batches(answered, bench, state["question"], [*passages, *own])
    return {"candidates": [one.model_dump() for one in candidates]}


async def choose(state: State, runtime: Runtime[Bench]) -> State:
    """Each answer and its passage are graded; the highest score wins. Irrelevant passages lose to none at all."""
    bench, candidates = runtime.context, [Candidate.model_validate(one) for one in state["candidates"]]
    candidates = await in_batches(graded, bench, state["question"], candidates)
    one, reason = chosen(candidates, bench.options)
    text = "" if one is None else one.cited if one.source else unsourced(one.text, reason)
    bench.card(f"Chosen: {one.name}" if one else "None of them", told(candidates, bench.options), candidate=text)
    return {"candidates": [one.model_dump() for one in candidates], "answer": text, "reason": reason}


async def decided(state: State, runtime: Runtime[Bench]) -> Literal["recall", "__end__"]:
    """To the end with the chosen answer; without one, to an answer without a passage."""
    runtime.context.decide("__end__" if state["answer"] else "recall", state["reason"])
    return "__end__" if state["answer"] else "recall"


async def recall(state: State, runtime: Runtime[Bench]) -> State:
    """An answer from what the model knows itself; where it looked for a passage in vain, the answer says so."""
    bench = runtime.context
    said = await bench.ask("reader", asking(bench, "recall", state["question"]))
    text = unsourced(said.text.strip(), state["reason"])
    bench.card("From the model itself", text, answer=said)
    return {"answer": text}


def build() -> StateGraph[State, Bench, State, State]:
    """decide -> (retrieve -> (answer -> choose -> (end | recall) | recall) | recall)."""
    graph = StateGraph(State, context_schema=Bench)
    for node in (decide, retrieve, answer, choose, recall):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "decide")
    graph.add_conditional_edges("decide", needed)
    graph.add_conditional_edges("retrieve", found)
    graph.add_edge("answer", "choose")
    graph.add_conditional_edges("choose", decided)
    graph.add_edge("recall", END)
    return graph


MACHINE = Machine(
    name="self_rag",
    title="Self-RAG",
    summary="Looks things up where needed, answers from each passage, grades the answers, and gives the best one.",
    source="Asai et al. 2023",
    source_url="https://arxiv.org/abs/2310.11511",
    options=Options,
    build=build,
    begin=begin,
    nodes={"decide": "thinking", "retrieve": "tool", "answer": "generator", "choose": "critic", "recall": "generator"},
    feedback="self",
    temperature=0.2,
    examples=("According to the documents, how long may a guest stay?", "Who wrote The Little Prince, and when?"),
)
