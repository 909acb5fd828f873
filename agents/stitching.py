"""One doubt about a sentence: the question that decides it, what is known of it, and the sentence as it should be."""

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage
from langgraph.runtime import Runtime
from typing_extensions import TypedDict

from agents import doubts
from agents.contract import Answer, Bench
from agents.doubts import Question, Ruling
from agents.sentences import CUT, is_cut
from agents.sureness import mentions

LONGEST = 160  # tokens of what is asked for a sentence


class State(TypedDict, total=False):
    """The sentences that stand, and the one at hand: the spans of its tokens, and what is doubted in it.

    `check` is the doubt at hand, its question and article; `evidence` what is known of it; `outcome` what came of it.
    """

    question: str
    sentences: list[str]
    sentence: str
    spans: list[list[Any]]
    doubts: list[str]
    check: dict[str, str]
    evidence: str
    contradicted: bool
    outcome: str
    answer: str
    limit: str


async def ask(bench: Bench, role: str, messages: list[AnyMessage], rules: str = "", **asking: Any) -> Answer:
    """What a role says, told its rules and its worked examples first."""
    told = SystemMessage(rules or bench.prompt(role))
    return await bench.ask(role, [told, *bench.examples(role), *messages], **asking)


def so_far(bench: Bench, question: str, stand: Sequence[str]) -> list[AnyMessage]:
    """The text as a conversation, in which the writer has the turn."""
    messages: list[AnyMessage] = [HumanMessage(bench.prompt("task", question=question))]
    for number, sentence in enumerate(stand, 1):
        messages += [AIMessage(sentence), HumanMessage(bench.prompt("next", question=question, number=number))]
    return messages


def limit_of(over: str, stand: Sequence[str]) -> str:
    """What to tell where a text ends as no text should; empty where it is complete."""
    if over == CUT:
        return f"Sentence {len(stand) + 1} was cut, at {LONGEST} tokens at most: ask for short ones, or another model."
    return "" if stand else "The model wrote no sentence."


def title_of(over: str, stand: Sequence[str]) -> str:
    """The title of what was written now, after the sentences that stand."""
    number = len(stand) + 1
    return {"": f"Sentence {number}", CUT: f"Sentence {number} was cut"}.get(over, "The end")


async def question(state: State, runtime: Runtime[Bench]) -> State:
    """What to look up about the first doubt."""
    bench, (concept, *others) = runtime.context, state["doubts"]
    before = " ".join(state["sentences"]) or "(nothing)"
    facts = {"question": state["question"], "before": before, "sentence": state["sentence"], "concept": concept}
    said = await ask(bench, "questioner", [HumanMessage(bench.prompt("doubt", **facts))], schema=Question)
    bench.card(f"Doubtful: {concept}", said.parsed.question, answer=said)
    return {"check": {"concept": concept, **said.parsed.model_dump()}, "doubts": others}


async def look_up(state: State, runtime: Runtime[Bench]) -> State:
    """Ask the documents, the encyclopedia, or the model itself, which does not see the sentence."""
    bench, check, source = runtime.context, state["check"], runtime.context.options.evidence
    if source == "self":
        said = await ask(bench, "knower", [HumanMessage(check["question"])])
        bench.card("What the model says by itself", said.text, answer=said, feedback="self")
        return known_of(check["concept"], said.text if doubts.is_knowing(said.text) else "")
    wanted = {"query": check["question"]} if source == "search" else {"article": check["article"]}
    seen = await bench.call(source, wanted)
    return known_of(check["concept"], seen.text if doubts.is_evidence(seen) else "")


def known_of(concept: str, evidence: str) -> State:
    """What a look-up brought."""
    return {
        "evidence": evidence,
        "outcome": f"evidence found: {concept}" if evidence else f"nothing found: {concept} stays",
    }


async def judge(state: State, runtime: Runtime[Bench]) -> State:
    """Hold the sentence against the evidence."""
    bench, concept = runtime.context, state["check"]["concept"]
    said = await ask(bench, "judge", [with_evidence(bench, state)], schema=Ruling)
    verdict, source = said.parsed.verdict, "self" if bench.options.evidence == "self" else "tool"
    bench.card(f"{verdict.capitalize()}: {concept}", said.parsed.reason, answer=said, feedback=source)
    return {"contradicted": verdict == "contradicted", "outcome": f"{verdict}: {concept}"}


async def repair(state: State, runtime: Runtime[Bench]) -> State:
    """Write the sentence anew after the evidence, before the text goes on."""
    bench, concept, before = runtime.context, state["check"]["concept"], state["sentence"]
    said = await ask(bench, "mender", [with_evidence(bench, state)], max_tokens=LONGEST)
    cut = is_cut(said.text, said.finish_reason)
    sentence = before if cut else doubts.mended(before, said.text)
    outcome = "repaired" if sentence != before else "not repaired, it was cut" if cut else "not repaired"
    bench.card(f"{outcome.capitalize()}: {concept}", sentence, answer=said, previous=before)
    left = [doubt for doubt in state["doubts"] if mentions(sentence, doubt)]
    answer = " ".join([*state["sentences"], sentence])
    return {"sentence": sentence, "answer": answer, "doubts": left, "outcome": f"{outcome}: {concept}"}


def with_evidence(bench: Bench, state: State) -> HumanMessage:
    """The sentence, what is doubted in it, and what is known of that."""
    check = state["check"]
    facts = {"concept": check["concept"], "question": check["question"], "evidence": state["evidence"]}
    return HumanMessage(bench.prompt("evidence", sentence=state["sentence"], **facts))


async def settle(state: State, runtime: Runtime[Bench]) -> State:
    """The sentence stands once no doubt about it is left: the next one is written after it."""
    if state["doubts"]:
        return {"sentence": state["sentence"]}
    return {"sentences": [*state["sentences"], state["sentence"]]}
