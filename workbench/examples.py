"""Worked examples from a good run: of each role that is shown some, the conversation that led to what it said last."""

from collections.abc import Mapping, Sequence
from string import Template
from typing import Any

from workbench.events import AnyEvent, CallView, RunView, ToolView
from workbench.history import INTRODUCTION
from workbench.job import first_request, roles_of
from workbench.prompts import Prompt, shows_examples
from workbench.request import Example, Turn

Message = Mapping[str, Any]


def from_run(events: Sequence[AnyEvent]) -> dict[str, Example]:
    """Of each role that was asked and whose prompt shows examples, the messages of its last call with its answer.

    The role whose call gave the run's answer comes first. What stands before the conversation itself is left out:
    system message, the worked examples of the run, a thread's earlier exchanges. Raises InvalidRequest, PromptError.
    """
    request, view = first_request(events), RunView.of(events)
    roles = {role: one for role, one in roles_of(request).items() if shows_examples(request.machine, role)}
    tools = sorted({entry.called.name for entry in view.entries if isinstance(entry, ToolView)})
    found: dict[str, Example] = {}
    for call in sorted(_answered(view), key=lambda call: _gave(view, call)):
        role = role_of(call.called.messages, roles)
        turns = _turns(_first_asked(view, call), roles[role], call.text) if role else ()
        if turns:
            found.pop(role, None)
            found[role] = Example(needs=tuple(tools), turns=turns)
    return dict(reversed(found.items()))


def role_of(messages: Sequence[Message], roles: Mapping[str, Prompt]) -> str:
    """The role whose prompt the system message was made of; empty where it was none of these."""
    if not messages or messages[0]["role"] != "system":
        return ""
    said = str(messages[0]["content"])
    fitting = [role for role, prompt in roles.items() if _made_of(prompt.template, said)]
    return max(fitting, key=lambda role: len(roles[role].template), default="")


def _made_of(template: str, said: str) -> bool:
    """Whether a text is the template filled, with or without a thread's history after it.

    What stands between the variables is looked for in order, each piece at its first place: a later one could only
    leave less room for the rest. So it takes no longer than reading the text, however many variables there are.
    """
    first, *rest = _pieces(template.rstrip("\n"))
    history = f"\n\n{INTRODUCTION}"
    if not rest:
        return said == first or said.startswith(first + history)
    if not said.startswith(first):
        return False
    at = len(first)
    for piece in rest[:-1]:
        found = said.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return said.find(rest[-1] + history, at) >= 0 or (said.endswith(rest[-1]) and at + len(rest[-1]) <= len(said))


def _pieces(template: str) -> list[str]:
    """What stands before, between and after a template's variables, as it is once filled."""
    pieces, at = [""], 0
    for found in Template.pattern.finditer(template):
        pieces[-1] += template[at : found.start()] + ("$" if found["escaped"] else "")
        if not found["escaped"]:
            pieces.append("")
        at = found.end()
    return [*pieces[:-1], pieces[-1] + template[at:]]


def _answered(view: RunView) -> list[CallView]:
    return [call for call in view.calls if call.answer is not None and call.retried is None and call.text.strip()]


def _gave(view: RunView, call: CallView) -> bool:
    """Whether the run's answer is what the call wrote: it sorts last then, else calls keep their order."""
    answer = view.finished.answer.strip() if view.finished else ""
    card = [call.card.content, str(call.card.data.get("candidate", ""))] if call.card else []
    return bool(answer) and answer in map(str.strip, (call.text, *card))


def _first_asked(view: RunView, call: CallView) -> Sequence[Message]:
    """The call's messages without the wrong answers, and what was said about them, that came before it."""
    sent = call.called.messages
    place = (call.called.node, call.called.step, call.called.role)
    earlier = [
        other.called.messages
        for other in view.calls
        if other.retried is not None and (other.called.node, other.called.step, other.called.role) == place
    ]
    return min((one for one in earlier if one == sent[: len(one)]), key=len, default=sent)


def _turns(messages: Sequence[Message], prompt: Prompt, answer: str) -> tuple[Turn, ...]:
    """The conversation as turns; none where it holds what no turn can say, such as a tool call of the model's own."""
    asked = list(messages[1:])
    for example in prompt.examples:
        shown = [turn.model_dump() for turn in example.turns]
        if [{"role": one["role"], "content": one["content"]} for one in asked[: len(shown)]] == shown:
            asked = asked[len(shown) :]
    if not asked or asked[0]["role"] != "user" or not all(map(_is_plain, asked)):
        return ()
    said = [Turn(role=one["role"], content=str(one["content"])) for one in asked]
    return (*said, Turn(role="assistant", content=answer.strip()))


def _is_plain(message: Message) -> bool:
    """Whether a message is nothing but words of the user or the model."""
    more = any(value for name, value in message.items() if name not in ("role", "content"))
    return message["role"] in ("user", "assistant") and not more
