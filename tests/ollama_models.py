"""Models of the test Ollama server that have an ability or lack it: rules answer, so that what is found is known."""

import asyncio
import hashlib
import json
import random
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

Object = dict[str, Any]
SEA = ("grey", "wide", "salty", "old", "patient", "loud", "cold", "green")
PROSE = "I would say that this is a person, a message or a list, and that it is quite nice."
_chance = count()


@dataclass
class Behaviour:
    """What a model does. Speeds are in words a second: its tokens are words."""

    streams: bool = True
    format: Literal["honoured", "ignored", "refused"] = "honoured"
    follows_told_schema: bool = True
    fenced: bool = False  # the told schema's object stands in a Markdown fence
    mends: bool = False  # its first answer to a told schema is wrong, the second right
    tools: Literal["native", "wrong", "json", "fenced", "tags", "prose", "none", "refused"] = "native"
    thinking: Literal["unasked", "asked", "tags", "none"] = "none"
    logprobs: Literal["sane", "none", "positive", "few"] = "sane"
    seed: Literal["kept", "ignored", "deaf"] = "kept"
    window: int = 8_192
    at_window: Literal["refused", "cut"] = "refused"
    finds: tuple[str, ...] = ("red", "blue")
    reads: float = 100_000.0
    writes: float = 4_000.0
    loads: float = 0.0  # seconds
    tells_times: bool = True
    faults: str = ""  # a word: it fails where the prompt holds that
    turns_down: str = ""  # a word: it refuses to hold an answer to a schema where the prompt holds that
    commas: bool = False  # between the thousands of a number that it has found
    says: str = ""  # in place of its poems
    version: int = 1
    asked: list[Object] = field(default_factory=list)

    @property
    def capabilities(self) -> list[str]:
        """As /api/show tells them."""
        tools = ["tools"] if self.tools != "refused" else []
        thinking = ["thinking"] if self.thinking in ("unasked", "asked") else []
        return ["completion", *tools, *thinking]

    def digest(self, name: str) -> str:
        """Another one with every version that is pulled."""
        return hashlib.sha256(f"{name} {self.version}".encode()).hexdigest()

    def refusal(self, body: Object) -> tuple[int, str] | None:
        """The status and error that it answers with in place of a stream."""
        self.asked.append(body)
        words = len(_prompt(body).split())
        if self.faults and self.faults in _prompt(body):
            return 500, "an error was encountered while running the model"
        if body.get("format") and self.format == "refused":
            return 400, "format is not supported by this model"
        if body.get("format") and self.turns_down and self.turns_down in _prompt(body):
            return 400, "invalid grammar"
        if words >= self.window and self.at_window == "refused":
            told = {"code": 400, "message": f"request ({words} tokens) exceeds the available context size"}
            sizes = {"type": "exceed_context_size_error", "n_prompt_tokens": words, "n_ctx": self.window}
            return 400, json.dumps({"error": told | sizes})
        return None

    async def lines(self, name: str, body: Object, is_loaded: bool) -> AsyncIterator[bytes]:
        """The stream of an answer."""
        read = _prompt(body).split()[-self.window :]
        await asyncio.sleep((0 if is_loaded else self.loads) + len(read) / self.reads)
        pieces, began = self._pieces(body, " ".join(read)), time.monotonic()
        held = b""
        for number, piece in enumerate(pieces, start=1):
            await asyncio.sleep(max(began + number / self.writes - time.monotonic(), 0))
            said = _line(name, piece | self._logprob(body, number, piece))
            if self.streams:
                yield said
            else:
                held += said
        yield held + _line(name, {}, done=True, done_reason="stop", **self._counts(len(read), len(pieces)))

    def _pieces(self, body: Object, read: str) -> list[Object]:
        thinking, text, calls = self._answer(body, read)
        pieces = [{"thinking": word} for word in _words(thinking)]
        pieces += [{"content": word} for word in _words(text)][: body.get("options", {}).get("num_predict", 9_999)]
        return pieces + ([{"tool_calls": calls}] if calls else [])

    def _answer(self, body: Object, read: str) -> tuple[str, str, list[Object]]:
        text, calls = self._said(body, read)
        thought = "Let me think about it first."
        if self.thinking == "unasked" and body.get("think") is not False:
            return thought, text, calls
        if self.thinking == "asked" and body.get("think"):
            return thought, text, calls
        return "", f"<think>\n{thought}\n</think>\n\n{text}" if self.thinking == "tags" else text, calls

    def _said(self, body: Object, read: str) -> tuple[str, list[Object]]:
        last = body["messages"][-1]["content"]
        if body.get("tools"):
            return self._call(last)
        if body.get("format") and self.format == "honoured":
            return json.dumps(instance(body["format"])), []
        if told := re.search(r"JSON schema:\n(\{.*\})", read_lines(body), re.DOTALL):
            return self._told(json.loads(told[1]), len(body["messages"])), []
        if box := re.search(r"What is the number of the (\w+) box\?", last):
            found = re.search(rf"The number of the {box[1]} box is (\d+)", read)
            number = f"{int(found[1]):,}" if found and self.commas else found and found[1]
            return (number if number and box[1] in self.finds else "I do not know."), []
        if "the sea" in last:
            return self.says or self._poem(body.get("options", {}).get("seed")), []
        if "Count from 1" in last:
            return " ".join(map(str, range(1, 61))), []
        return "The ball costs 0.05.", []

    def _told(self, schema: Object, messages: int) -> str:
        if not self.follows_told_schema or (self.mends and messages == 1):
            return PROSE
        text = json.dumps(instance(schema))
        return f"```json\n{text}\n```" if self.fenced else text

    def _call(self, question: str) -> tuple[str, list[Object]]:
        weather = {"city": "Oslo", "day": "tomorrow"}
        convert = {"amount": 250, "source": "EUR", "target": "JPY"}
        is_weather = bool(re.search(r"weather|umbrella|snow", question))
        name, arguments = ("weather", weather) if is_weather else ("convert", convert)
        written = json.dumps({"name": name, "arguments": arguments})
        match self.tools:
            case "native":
                return "", [{"function": {"name": name, "arguments": arguments}}]
            case "wrong":
                return "", [{"function": {"name": name, "arguments": {"place": "Oslo"}}}]
            case "json":
                return written, []
            case "fenced":
                return f"Here is the call:\n```json\n{written}\n```", []
            case "tags":
                return f"<tool_call>\n{written}\n</tool_call>", []
        if self.tools == "prose":
            return "I cannot look up the weather (I have no internet). Convert (at today's rate) it yourself.", []
        return "I cannot look that up, but it will be fine.", []

    def _poem(self, seed: int | None) -> str:
        start = {"kept": seed or 0, "ignored": next(_chance), "deaf": 0}[self.seed]
        return "The sea is " + " ".join(random.Random(start).choices(SEA, k=6)) + "."

    def _logprob(self, body: Object, number: int, piece: Object) -> Object:
        if not body.get("logprobs") or self.logprobs == "none" or (self.logprobs == "few" and number > 1):
            return {}
        value = 0.7 if self.logprobs == "positive" and number == 2 else -0.1 * number
        return {"logprobs": [{"token": piece.get("content", ""), "logprob": value, "top_logprobs": []}]}

    def _counts(self, read: int, written: int) -> Object:
        counts = {"prompt_eval_count": read, "eval_count": written}
        if not self.tells_times:
            return counts
        durations = {"prompt_eval_duration": read / self.reads, "eval_duration": written / self.writes}
        return counts | {name: int(seconds * 1e9) for name, seconds in durations.items()} | {"load_duration": 1_000}


def instance(schema: Object, root: Object | None = None) -> Any:
    """A value that fits a JSON schema."""
    root = root or schema
    if ref := schema.get("$ref"):
        return instance(root["$defs"][ref.rsplit("/", 1)[1]], root)
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return {name: instance(rule, root) for name, rule in schema.get("properties", {}).items()}
        case "array":
            return [instance(schema["items"], root)] * schema.get("minItems", 0)
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return True
    return "something"


def read_lines(body: Object) -> str:
    """All that is asked, line breaks kept."""
    return "\n".join(message["content"] for message in body["messages"])


def _prompt(body: Object) -> str:
    return " ".join(message["content"] for message in body["messages"])


def _words(text: str) -> list[str]:
    return re.findall(r"\S+\s*|\s+", text)


def _line(name: str, piece: Object, done: bool = False, **more: Any) -> bytes:
    message = {"role": "assistant", "content": "", **{key: piece[key] for key in piece if key != "logprobs"}}
    whole = {"model": name, "created_at": "2026-11-01T12:00:00Z", "message": message, "done": done, **more}
    logprobs = {"logprobs": piece["logprobs"]} if "logprobs" in piece else {}
    return json.dumps(whole | logprobs).encode() + b"\n"
