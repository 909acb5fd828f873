"""Draws a run in a terminal: the same fold over the log as the pages, as text that only grows at its end."""

import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from pydantic_core import from_json

from workbench import context, latex
from workbench.backends import fetch
from workbench.events import (
    AnyEvent,
    CallFailed,
    CallView,
    Card,
    Delta,
    Loading,
    ModelAnswered,
    ModelCalled,
    Paused,
    Queued,
    Reading,
    Resumed,
    Retried,
    RunFinished,
    RunStarted,
    RunView,
    Summarised,
    ToolAnswered,
    ToolCalled,
    Unknown,
    Warned,
)
from workbench.retry import attempts

RULE = "──"
BRIEF = 100  # characters of an earlier answer
SHORT_ID = 8
SAID = {
    "approve": "You approved",
    "edit": "You edited",
    "answer": "You answered in its place",
    "reject": "You rejected",
}
MARKS = {"doing": "[>]", "done": "[x]", "failed": "[!]", "dropped": "[-]"}
AT_ONCE = 0.5  # seconds: a download that ends so soon had nothing to fetch
LOOK_SECONDS = 5.0
UNLABELLED = ("title", "content")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef]")


def harmless(text: str) -> str:
    """The text without what could steer a terminal: control characters become U+FFFD, line breaks one kind."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def readable(text: str) -> str:
    """A model's JSON object, perhaps still incomplete, as lines to read; empty as long as it is none."""
    try:
        data = from_json(latex.kept(text))
    except ValueError:
        data = _settled(latex.kept(text))
    if not isinstance(data, dict):
        return ""
    return "\n".join(_field(key, value) for key, value in data.items() if value != [])


def _settled(text: str) -> dict[str, Any]:
    """What more text cannot change of an incomplete object: of its last value, only a string or a list just grows."""
    try:
        data = from_json(text, allow_partial="trailing-strings")
    except ValueError:
        return {}
    if not isinstance(data, dict) or not data:
        return {}
    *before, (key, value) = data.items()
    if isinstance(value, list) and value and not isinstance(value[-1], str):
        value = value[:-1]
    return dict(before) | ({key: value} if isinstance(value, str | list) else {})


def _field(key: str, value: Any) -> str:
    label = "" if key in UNLABELLED else f"{key.replace('_', ' ').capitalize()}: "
    match value:
        case str():
            return label + value
        case list():
            return label.rstrip() + "".join(f"\n- {_inline(item)}" for item in value)
    return label + _inline(value)


def _inline(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class Progress:
    """One line on standard error that changes in place; where that is no terminal, a line per stage instead."""

    def __init__(self, err: TextIO) -> None:
        self._err = err
        self._in_place = err.isatty()
        self._stage = ""
        self._shown = False

    def show(self, stage: str, text: str) -> None:
        """Show how far `stage` is."""
        if self._in_place:
            self._err.write(f"\r\x1b[2K{harmless(text)}")
        elif stage != self._stage:
            self._err.write(f"{harmless(text)}\n")
        self._err.flush()
        self._stage, self._shown = stage, True

    def clear(self) -> None:
        """Make room for other text."""
        if self._shown and self._in_place:
            self._err.write("\r\x1b[2K")
            self._err.flush()
        self._stage, self._shown = "", False

    def say(self, text: str) -> None:
        """A line that stays."""
        self.clear()
        self._err.write(f"{harmless(text)}\n")
        self._err.flush()


def follow_download(download: fetch.Download, err: TextIO | None = None) -> threading.Thread:
    """Show a download on standard error until its end, in a thread that is returned; nothing if there is none to do."""
    thread = threading.Thread(target=_follow, args=(download, Progress(err or sys.stderr)), daemon=True)
    thread.start()
    return thread


def _follow(download: fetch.Download, line: Progress) -> None:
    if download.wait(AT_ONCE) and download.snapshot().state == "ready":
        return
    told: set[str] = set()
    while not download.wait(0):
        _show_download(download.snapshot(), line, told)
        download.wait(LOOK_SECONDS)
    end = download.snapshot()
    if end.error:  # it names the problems itself
        line.say(f"{end.error.message} {end.error.hint}")
        return
    say_problems(end, line, told)
    line.say(f"The model {end.name} is there and checked.")


def _show_download(now: fetch.Progress, line: Progress, told: set[str]) -> None:
    """How far it is: a line that changes in place, or where that is no terminal a new one with every 5%."""
    say_problems(now, line, told)
    if now.state == "checking":
        line.show("checking", f"Checking the SHA-256 of {now.name}.")
        return
    share = now.done / now.total
    speed = f", {now.speed / 1e6:.1f} MB/s" if now.speed else ""
    source = f" from {now.source}{speed}" if now.source else ""
    line.show(
        f"{now.source} {int(20 * share)}", f"Fetching {now.name}: {share:.0%} of {now.total / 1e6:,.0f} MB{source}"
    )


def say_problems(now: fetch.Progress, line: Progress, told: set[str]) -> None:
    """What went wrong with a download's sources, each once; `told` remembers."""
    for problem in now.problems:
        if problem not in told:
            told.add(problem)
            line.say(f"{problem}.")


class Turns:
    """Calls that write at once, told one after the other: what one says waits until the one before it has ended."""

    def __init__(self) -> None:
        self._speaking = ""
        self._waiting: dict[str, list[AnyEvent]] = {}

    def take(self, event: AnyEvent) -> list[AnyEvent]:
        """What can be told now."""
        call_id = str(getattr(event, "call_id", ""))
        if call_id in self._waiting or (isinstance(event, ModelCalled) and self._speaking):
            self._waiting.setdefault(call_id, []).append(event)
            return []
        match event:
            case ModelCalled():
                self._speaking = call_id
            case ModelAnswered() | CallFailed() if call_id == self._speaking:
                self._speaking = ""
                return [event, *self._next()]
            case Paused() | Resumed() | RunFinished():
                untold = [told for waiting in self._waiting.values() for told in waiting]
                self._speaking, self._waiting = "", {}
                return [*untold, event]
        return [event]

    def _next(self) -> Iterator[AnyEvent]:
        """What the next ones have said so far, up to one that has not ended."""
        while self._waiting and not self._speaking:
            call_id = next(iter(self._waiting))
            said = self._waiting.pop(call_id)
            yield from said
            if not any(isinstance(event, ModelAnswered | CallFailed) for event in said):
                self._speaking = call_id


class Transcript:
    """Writes a run's text to `out` and what goes on meanwhile to `err`, event by event."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.view = RunView()
        self.progress = Progress(err or sys.stderr)
        self._out = out or sys.stdout
        self._at_line_start = True
        self._current = ""
        self._part = ""
        self._shown: dict[str, str] = {}
        self._calls: dict[str, tuple[int, CallView]] = {}
        self._fork_seq = -1
        self._growth = context.Growth()
        self._turns = Turns()

    def take(self, event: AnyEvent) -> None:
        """Draw one event."""
        self.view.apply(event)
        for told in self._turns.take(event):
            self._draw(told)

    def _draw(self, event: AnyEvent) -> None:
        if isinstance(event, Unknown):
            return
        draw: Callable[[Any], None] | None = getattr(self, f"_draw_{event.kind}", None)
        if draw is not None:
            draw(event)
        if event.seq == self._fork_seq and self.view.started is not None:
            self._line("")
            self._line(f"{RULE} Forked here from run {(self.view.started.parent_run or '')[:SHORT_ID]} {RULE}")
            self._current = ""

    def flush(self) -> None:
        """Let everything drawn so far be seen."""
        self._out.flush()

    def _write(self, text: str) -> None:
        if text:
            self.progress.clear()
            self._out.write(harmless(text))
            self._at_line_start = text.endswith("\n")

    def _end_line(self) -> None:
        if not self._at_line_start:
            self._write("\n")

    def _line(self, text: str) -> None:
        self._end_line()
        self._write(text + "\n")

    def _heading(self, text: str) -> None:
        self._line("")
        self._line(f"{RULE} {text} {RULE}")

    def _draw_run_started(self, event: RunStarted) -> None:
        """What was chosen since it suits the model; then the thread so far, a line for each exchange."""
        self._fork_seq = event.seq + event.inherited if event.inherited else -1
        for one in event.request.get("suited") or []:
            self._line(f"{one['name'].removeprefix('settings.').replace('_', ' ')} {one['value']}: {one['because']}")
        for exchange in event.request.get("history") or []:
            answer = " ".join(str(exchange["answer"]).split()) or "(no answer)"
            short = answer if len(answer) <= BRIEF else answer[: BRIEF - 1].rstrip() + "…"
            self._line(f"Earlier: {' '.join(str(exchange['question']).split())} → {short}")

    def _draw_model_called(self, event: ModelCalled) -> None:
        calls = (entry for entry in reversed(self.view.entries) if isinstance(entry, CallView))
        call = next(call for call in calls if call.called.call_id == event.call_id)
        self._calls[event.call_id] = len(self._calls) + 1, call
        self._shown[event.call_id] = ""
        self._go_to(event.call_id)

    def _go_to(self, call_id: str) -> CallView | None:
        """Write under this call's heading from here on."""
        number, call = self._calls.get(call_id, (0, None))
        if call is not None and call_id != self._current:
            self._heading(f"{number}. {_words(call.called.role).capitalize()}{self._mark(call)}")
            self._current, self._part = call_id, ""
        return call

    def _mark(self, call: CallView) -> str:
        """Whose the step is, and whether it was begun above."""
        marks = {
            "inherited": self.view.is_inherited(call),
            "by you": call.called.by_person,
            "continued": bool(self._shown.get(call.called.call_id)),
        }
        told = ", ".join(mark for mark, holds in marks.items() if holds)
        return f" ({told})" if told else ""

    def _draw_queued(self, event: Queued) -> None:
        if event.position:
            self.progress.show("queued", f"Waiting for a free slot: place {event.position} in the queue.")

    def _draw_loading(self, event: Loading) -> None:
        if event.stage == "fetch" and event.total:
            self.progress.show(
                "fetch", f"Fetching the model: {event.done / event.total:.0%} of {event.total / 1e9:.2f} GB"
            )
        elif event.stage == "fetch":
            self.progress.show("fetch", "Fetching the model.")
        else:
            _, call = self._calls.get(event.call_id, (0, None))
            seconds = int(event.at - call.called.at) if call is not None else 0
            self.progress.show("load", f"Loading the model, {seconds} s." if seconds else "Loading the model.")

    def _draw_reading(self, event: Reading) -> None:
        cached = f", {event.cached:,} from its cache" if event.cached else ""
        self.progress.show("reading", f"Reading the prompt: {event.read:,} of {event.total:,} tokens{cached}.")

    def _draw_delta(self, event: Delta) -> None:
        call = self._go_to(event.call_id)
        if call is None or not event.text or event.channel == "tool":
            return
        if event.channel != self._part:
            if event.channel == "thinking" or self._part:
                self._line("(thinking)" if event.channel == "thinking" else "(answer)")
            self._part = event.channel
        if event.channel == "text" and _structured(call):
            self._grow(event.call_id, readable(call.text))
        elif event.channel == "text":
            self._grow(event.call_id, call.text)
        else:
            self._write(event.text)

    def _grow(self, call_id: str, text: str) -> None:
        """Write what is new. A text that changed before its end waits until it is whole."""
        shown = self._shown.get(call_id, "")
        if text.startswith(shown):
            self._write(text[len(shown) :])
            self._shown[call_id] = text

    def _draw_model_answered(self, event: ModelAnswered) -> None:
        call = self._go_to(event.call_id)
        if call is None:
            return
        whole = (readable(event.text) or event.text) if _structured(call) else event.text
        if not whole.startswith(self._shown[event.call_id]):
            self._end_line()
            self._shown[event.call_id] = ""
        self._grow(event.call_id, whole)
        self._end_line()
        if event.finish_reason == "length":
            self.progress.say("The answer was cut at the token limit.")
        self._growth.take(call.called, event)
        self._say_context(call)

    def _say_context(self, call: CallView) -> None:
        """How full the context window was, and from where it grows when it will be full."""
        size = context.of(call)
        if size is None or size.window is None or self.view.is_inherited(call):
            return
        soonest = self._growth.forecast() if call.called.role != context.SUMMARISER else None
        words = [context.used(size), *([context.told(soonest)] if soonest else [])]
        self.progress.say(f"Context: {', '.join(words)}.")

    def _draw_card(self, event: Card) -> None:
        """A card says again what its call has shown, with a title: only what is new is written."""
        _, call = self._calls.get(event.call_id or "", (0, None))
        if call is not None and (_structured(call) or _squeezed(event.content) in _squeezed(call.text)):
            return
        self._heading(event.title)
        self._line(event.content)
        for line in task_lines(event):
            self._line(line)
        self._current = ""

    def _draw_summarised(self, event: Summarised) -> None:
        """The summary itself was shown as it was written."""
        self._growth.shorten()
        turns = f"{len(event.left_out)} earlier turn{'s' if len(event.left_out) != 1 else ''}"
        sizes = f"{event.tokens_after:,} tokens instead of {event.tokens_before:,}"
        self.progress.say(f"It is sent in place of {turns} from here on: {sizes}.")

    def _draw_tool_called(self, event: ToolCalled) -> None:
        self._line(f"→ {event.name}({_arguments(event.arguments)}){' (by you)' if event.by_person else ''}")

    def _draw_tool_answered(self, event: ToolAnswered) -> None:
        mark = "← error: " if event.error else "← "
        self._line(mark + event.result.replace("\n", "\n  "))

    def _draw_retried(self, event: Retried) -> None:
        waited = f" in {event.waited:.0f} s" if event.waited >= 1 else ""
        most = attempts(event.error.code)
        number = f"attempt {event.attempt} of {most}" if most else f"attempt {event.attempt}"
        self.progress.say(f"Trying again{waited} ({number}): {event.error.message}")

    def _draw_paused(self, event: Paused) -> None:
        """Where it waits and why, and what the model is about to see or the tool to get."""
        self._heading(f"Waiting for you: before {_words(event.tool or event.node)}")
        self._line(event.reason)
        if event.draft:
            self._line(f"Your answer was:\n{event.draft}")
        if event.tool:
            self._line(f"→ {event.tool}({_arguments(event.arguments)})")
        elif event.messages:
            last = event.messages[-1]
            number = f"the last of {len(event.messages)} messages" if len(event.messages) > 1 else "the message"
            self._line(f"The {_words(event.role)} is about to be asked; {number}:")
            self._line(f"{last.get('role', '')}: {last.get('content') or ''}")
        self._current = ""

    def _draw_resumed(self, event: Resumed) -> None:
        """What the person said; an answer in the model's place follows as its step."""
        self._heading(SAID.get(event.verb, "Resumed"))
        if event.arguments is not None:
            self._line(_arguments(event.arguments))
        elif event.verb in ("edit", "reject"):
            self._line(event.text)
        self._current = ""

    def _draw_warning(self, event: Warned) -> None:
        self.progress.say(f"Warning: {event.message} {event.hint}".rstrip())

    def _draw_run_finished(self, event: RunFinished) -> None:
        if event.answer:
            self._heading("Answer" if event.status == "answered" else "Best so far")
            self._line(event.answer)
        self.flush()
        totals = event.totals
        cost = f"{totals.seconds:.1f} s, {totals.calls} calls, {totals.completion_tokens:,} tokens written"
        reason = f" {event.reason}" if event.reason else ""
        words = {"answered": "Answered", "stopped": "Stopped", "limit": "Limit reached", "failed": "Failed"}
        self.progress.say(f"{words[event.status]} after {cost}.{reason}")
        if event.error is not None:
            self.progress.say(f"{event.error.message}\n{event.error.hint}".rstrip())


def task_lines(card: Card) -> list[str]:
    """The plan or queue with which a task begins, a line a task: what is done, being done, to do, failed, dropped."""
    told = card.data.get("plan") or card.data.get("queue") or []
    tasks = [one for one in told if isinstance(one, dict)] if isinstance(told, list | tuple) else []
    if not any(one.get("state") == "doing" for one in tasks):
        return []
    return [f"  {MARKS.get(str(one.get('state')), '[ ]')} {one.get('title', '')}" for one in tasks]


def how_to_go_on(view: RunView) -> str:
    """What to type when the run waits for the person; empty when it does not."""
    if view.paused is None:
        return ""
    edited = "--edit JSON" if view.paused.tool else "--edit TEXT"
    ways = ("--approve", edited, "--answer TEXT", "--reject WORD")
    lines = [f"  python -m workbench runs resume {view.paused.run_id} {way}" for way in ways]
    return "\n".join(["It waits for you, also when this program has ended. Go on with one of:", *lines])


def _words(name: str) -> str:
    return name.replace("_", " ")


def _arguments(arguments: dict[str, Any]) -> str:
    return ", ".join(f"{key}={_inline(value)}" for key, value in arguments.items())


def _structured(call: CallView) -> bool:
    return "json_schema" in call.called.parameters


def _squeezed(text: str) -> str:
    return "".join(text.split())
