"""How two who play roles speak: whose words an utterance is, when the task is done, and when one repeats itself.

A line "Instruction:" begins words of the AI user, a line "Solution:" words of the AI assistant. The text alone decides:

- Flipped: the other side's label and nothing before it. Without a label of its own, also an AI user who writes a block
  of code or opens as one who delivers ("Here is", "Sure", "I have"), and an AI assistant whose first words give an
  order ("Please", "Could you", "Your task is").
- Repeated: an instruction that is an earlier one but for one word in twenty at most, with the same numbers; a solution
  that is an earlier one but for case, spaces and punctuation.
- Done: the AI user says the word TASK_DONE, and no line is an instruction.
"""

import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Annotated, Literal

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage
from langgraph.graph.message import add_messages

from agents.contract import Answer, Bench
from agents.memory import Memory, remembering

Speaker = Literal["user", "assistant"]

DONE = "TASK_DONE"
TOKEN = re.compile(r"\bTASK[_ ]DONE\b")
SAME = 0.95  # share of the words, in their order, that two instructions have in common
LABELS: Mapping[Speaker, str] = {"user": "Instruction", "assistant": "Solution"}
OTHER: Mapping[Speaker, Speaker] = {"user": "assistant", "assistant": "user"}
MARKS = " \t*_#<>`.!"
LABEL: Mapping[Speaker, re.Pattern[str]] = {
    side: re.compile(rf"^[ \t*_#>-]*{label}(?:[ \t]*\d+)?[ \t*_]*[:：][ \t*_]*", re.IGNORECASE | re.MULTILINE)
    for side, label in LABELS.items()
}
OPENINGS: Mapping[Speaker, re.Pattern[str]] = {
    "user": re.compile(r"(?:sure|certainly|of course|here (?:is|are)|here's|i have|i've|i will|i'll)\b", re.IGNORECASE),
    "assistant": re.compile(
        r"(?:please|could you|can you|would you|your (?:next )?task is|you (?:should|must|need to)"
        r"|i (?:want|need) you to|give me|tell me|provide me)\b",
        re.IGNORECASE,
    ),
}


class State(Memory, total=False):
    """The dialogue as the AI assistant has it, the task first; `fault` is what is wrong with what `speaker` said last.

    `reminder` is what the speaker was told after a fault, until it speaks without one; `solved` counts the solutions;
    `done` says that the AI user called the task done; the `answer` is the latest solution, or the conclusion.
    """

    messages: Annotated[list[AnyMessage], add_messages]
    solved: int
    speaker: Speaker
    fault: str
    reminder: str
    question: str
    done: bool
    answer: str
    limit: str


def words_of(speaker: Speaker, text: str) -> str:
    """What a speaker says itself: from its own label on, up to the other side's; of an AI user one instruction."""
    if own := LABEL[speaker].search(text):
        text = text[own.end() :]
    ends = [mark.start() for side in {OTHER[speaker], "user"} if (mark := LABEL[side].search(text))]
    lines = text[: min(ends, default=len(text))].splitlines()
    lines = [line for line in lines if not _is_done(line)]
    return "\n".join(map(_before_done, lines) if speaker == "user" else lines).strip()


def unlabelled(text: str) -> str:
    """A text without the label of a solution before it."""
    text = text.strip()
    return text[mark.end() :] if (mark := LABEL["assistant"].match(text)) else text


def says_done(text: str) -> bool:
    """Whether an AI user says that the task is done, and instructs no more."""
    says = TOKEN.search(text) or any(map(_is_done, text.splitlines()))
    return bool(says) and not LABEL["user"].search(text)


def flipped(speaker: Speaker, text: str) -> str:
    """What shows that a speaker took the other's role; empty where it kept its own."""
    other = OTHER[speaker]
    if not words_of(speaker, text) and LABEL[other].search(text):
        return f'writes "{LABELS[other]}:"'
    if LABEL[speaker].search(text):
        return ""
    if speaker == "user" and "```" in text:
        return "writes code"
    opening = OPENINGS[speaker].match(text.lstrip(MARKS))
    return f'begins with "{opening.group()}"' if opening else ""


def is_repeated(speaker: Speaker, words: str, earlier: Sequence[str]) -> bool:
    """Whether a speaker said this before."""
    return any(_is_same(speaker, words, before) for before in earlier)


def fault(speaker: Speaker, text: str, dialogue: Sequence[AnyMessage], least: int) -> str:
    """Why an utterance cannot stand in the dialogue, as what its speaker did; empty where it can.

    The task may be called done once there are `least` solutions.
    """
    if speaker == "user" and says_done(text):
        solved = sum(isinstance(message, AIMessage) for message in dialogue)
        return f"calls the task done after {solved} of at least {least} solutions" if solved < least else ""
    if sign := flipped(speaker, text):
        return f"{'solves' if speaker == 'user' else 'instructs'}: it {sign}"
    words, side = words_of(speaker, text), HumanMessage if speaker == "user" else AIMessage
    if not re.search(r"\w", words):
        return "says nothing to the point"
    earlier = [words_of(speaker, str(message.text)) for message in dialogue[1:] if isinstance(message, side)]
    return "repeats itself" if is_repeated(speaker, words, earlier) else ""


def seen_by(speaker: Speaker, dialogue: Sequence[AnyMessage], last_words: str = "") -> list[AnyMessage]:
    """The dialogue as a side has it, its own words as its own turns, with the `last_words` that it is told besides.

    What reaches it in a row is one turn: many models want turns that alternate.
    """
    seen: list[AnyMessage] = []
    told = [HumanMessage(last_words)] if last_words else []
    for number, message in enumerate(dialogue):
        is_own = number > 0 and isinstance(message, AIMessage) == (speaker == "assistant")
        seen.append(AIMessage(message.text) if is_own else HumanMessage(message.text))
    joined = seen[:1]
    for message in [*seen[1:], *told]:
        if isinstance(message, HumanMessage) and isinstance(joined[-1], HumanMessage):
            joined[-1] = HumanMessage(f"{joined[-1].text}\n\n{message.text}")
        else:
            joined.append(message)
    return joined


def rules(bench: Bench, role: str) -> list[AnyMessage]:
    """What a role is told first, who the two are and worked examples as earlier turns."""
    told = bench.prompt(role, assistant=bench.options.assistant, user=bench.options.user)
    return [SystemMessage(told), *bench.examples(role)]


async def speak(bench: Bench, state: State, speaker: Speaker) -> tuple[Answer, str, State]:
    """What a side says next, cut before it speaks for the other; its own words in it; what changes in the state."""
    stop = [f"\n{LABELS[OTHER[speaker]]}:"]

    def view(dialogue: list[AnyMessage]) -> list[AnyMessage]:
        return [*rules(bench, speaker), *seen_by(speaker, dialogue, state["reminder"])]

    said, memory = await remembering(bench, state, 1, lambda sent: bench.ask(speaker, sent, stop=stop), view)
    wrong = fault(speaker, said.text, state["messages"], bench.options.least)
    change: State = {"speaker": speaker, "fault": wrong, **memory}
    if not wrong:
        change["reminder"] = ""
    elif state["reminder"] and not state["solved"]:
        change["limit"] = f"Nothing was solved: the AI {speaker} {wrong}, again after a reminder."
    return said, words_of(speaker, said.text), change


async def conclusion(bench: Bench, state: State) -> tuple[Answer, str, State]:
    """The AI assistant's answer to the question after the dialogue, and what changes in the state's memory."""
    asked = bench.prompt("conclude", question=state["question"])

    def view(dialogue: list[AnyMessage]) -> list[AnyMessage]:
        return [*rules(bench, "assistant"), *seen_by("assistant", dialogue, asked)]

    said, memory = await remembering(bench, state, 1, lambda sent: bench.ask("assistant", sent), view)
    return said, unlabelled(said.text), memory


def closed(bench: Bench, state: State, reason: str) -> Literal["conclude", "__end__"]:
    """The dialogue is over: to the conclusion, where one is wanted and anything was solved."""
    is_wanted = state["solved"] > 0 and bench.options.closing == "conclusion"
    bench.decide("conclude" if is_wanted else "__end__", reason)
    return "conclude" if is_wanted else "__end__"


def faulty(bench: Bench, state: State) -> Literal["remind", "conclude", "__end__"]:
    """After a first fault a reminder; after a second one in a row the dialogue is over."""
    said = f"the AI {state['speaker']} {state['fault']}"
    if state["reminder"]:
        return closed(bench, state, f"{said}, again after a reminder")
    bench.decide("remind", said)
    return "remind"


def _is_done(line: str) -> bool:
    return line.strip(MARKS).upper().replace(" ", "_") == DONE


def _before_done(line: str) -> str:
    """A line without the word that the task is done at its end."""
    *before, last = TOKEN.split(line)
    return line if not before or last.strip(MARKS) else DONE.join(before).rstrip(" \t*_#<`")


def _is_same(speaker: Speaker, one: str, other: str) -> bool:
    first, second = (re.findall(r"\w+", text.casefold()) for text in (one, other))
    if speaker == "assistant" or first == second:
        return first == second
    if [word for word in first if word.isdigit()] != [word for word in second if word.isdigit()]:
        return False
    return SequenceMatcher(None, first, second, autojunk=False).ratio() >= SAME
