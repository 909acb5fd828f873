"""The Python tool: runs a model's program in a sandbox without files or network, and returns what it printed."""

import ast
import asyncio
import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic_monty import Frame

from workbench.errors import ToolError
from workbench.settings import Settings
from workbench.tools import sandbox
from workbench.tools.base import Tool
from workbench.tools.sandbox import Limits, Outcome

MAX_CODE = 20_000
MAX_SHOWN = 4_000
MAX_SHOWN_BEFORE_ERROR = 1_000
MAX_FRAMES = 5
MODULES = "math, re, json, itertools, functools, collections, datetime, random, decimal, bisect"

_ESCAPE = re.compile(r"\\[ -~]")
# What to do instead, by how the error begins.
_ADVICE = {
    "ModuleNotFoundError": f"Only these modules are there: {MODULES}. Write it without the missing one.",
    "ImportError": f"Only these modules are there: {MODULES}. Write it without the missing one.",
    "PermissionError": "The sandbox has no files and no network. Put the data into the program.",
    "NotImplementedError": "This sandbox runs a part of Python: write plain functions, loops and lists instead.",
    "TimeoutError: it ran": "Check for an endless loop, or compute it in a cheaper way.",
    "MemoryError: it wanted": "Use smaller lists and numbers.",
    "NameError: name 'input'": "Nobody can type here. Put the values into the program.",
    "NameError: ": "Define it in a line before, or import it: from MODULE import NAME.",
    "Stopped: it printed": "Check for an endless loop, and print only the result.",
    "The sandbox's process": "Write it in a simpler way.",
}


class Arguments(BaseModel):
    """What to run."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(description="A program that prints its result")


class PythonTool:
    """Each program gets a fresh process, which ends with it: nothing is shared between programs or left running."""

    name: ClassVar[str] = "python"
    description: ClassVar[str] = (
        "runs a short Python program and returns what it prints; no files, no network. "
        "Example: print(sum(n * n for n in range(10)))"
    )
    arguments: ClassVar[type[BaseModel]] = Arguments
    side_effects: ClassVar[bool] = False
    needs_approval: ClassVar[bool] = False
    seconds: ClassVar[float] = 60.0  # it may have to wait for other programs; its own limit is shorter

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()

    async def run(self, arguments: BaseModel) -> str:
        """What the program printed, and its last expression's value. Raises ToolError where it fails or is silent."""
        assert isinstance(arguments, Arguments)
        code, program = await asyncio.to_thread(_prepared, arguments.code)
        return _observation(await sandbox.run(program, self._limits), code)


def create(settings: Settings) -> Tool:
    """The Python tool."""
    return PythonTool()


def clean(text: str) -> str:
    """The program in a text: the insides of its Markdown code blocks where it is no program itself, not indented."""
    if len(text) > MAX_CODE:
        raise ToolError(f"The program is longer than {MAX_CODE:,} characters. Write a shorter one.")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    code = _dedented(text)
    if "```" in text and parsed(code) is None:
        code = _dedented("\n".join(_fenced(text)))
    if not code.strip():
        raise ToolError("There is no program. Write one that prints its result: print(2 + 2).")
    return code


def _dedented(text: str) -> str:
    span = text.strip()
    if span.startswith("`") and span.endswith("`") and "\n" not in span:
        text = span.strip("`")
    return textwrap.dedent(text).strip("\n")


def _fenced(text: str) -> Iterator[str]:
    """The lines inside Markdown code blocks; the last block may lack its end, as in an answer that was cut."""
    inside = False
    for line in text.split("\n"):
        if line.lstrip().startswith("```"):
            inside = not inside
        elif inside:
            yield line


def parsed(code: str) -> ast.Module | None:
    """The syntax tree; None when this Python cannot read it. Escapes are hidden: unknown ones make the parser warn.

    The parser of Python 3.11 can stumble over another one in another thread; nothing is wrong with the program then.
    """
    code = _ESCAPE.sub("__", code)
    try:
        try:
            return ast.parse(code)
        except SystemError:
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _prepared(text: str) -> tuple[str, str]:
    code = clean(text)
    return code, _ending_in_its_value(code)


def _ending_in_its_value(code: str) -> str:
    """The program with its last expression turned into text inside the sandbox, where its size and `repr` are safe."""
    tree = parsed(code)
    last = tree.body[-1] if tree and tree.body else None
    if assigned := _assigned(last):
        return _ending_in_its_value(f"{code}\n{assigned}")
    if not isinstance(last, ast.Expr) or last.end_lineno is None or last.end_col_offset is None:
        return code
    lines = code.encode(errors="surrogatepass").split(b"\n")
    start = sum(len(line) + 1 for line in lines[: last.lineno - 1]) + last.col_offset
    end = sum(len(line) + 1 for line in lines[: last.end_lineno - 1]) + last.end_col_offset
    whole = b"\n".join(lines)
    shown = b"(lambda _: None if _ is None else repr(_)[:%d])((" % (MAX_SHOWN * 4)
    return (whole[:start] + shown + whole[start:end] + b"))" + whole[end:]).decode(errors="surrogatepass")


def _assigned(last: ast.stmt | None) -> str:
    """The variable that a program ends by setting: small models assign the result and forget to print it."""
    match last:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AugAssign(target=ast.Name(id=name)):
            return name
    return ""


def _observation(outcome: Outcome, code: str) -> str:
    room = MAX_SHOWN_BEFORE_ERROR if outcome.failure else MAX_SHOWN
    said = [_cut(outcome.printed.rstrip("\n"), room)] if outcome.printed.strip() else []
    if outcome.failure:
        raise ToolError("\n".join([*said, *_traceback(outcome, code)]))
    if outcome.value is not None:
        said.append(_cut(outcome.value, MAX_SHOWN))
    if not said:
        raise ToolError(_silent(code))
    return "\n".join(said)


def _silent(code: str) -> str:
    """What a program that printed nothing should do: one that only defines something may be the answer itself."""
    tree = parsed(code)
    last = tree.body[-1] if tree and tree.body else None
    if isinstance(last, ast.FunctionDef):
        return f"It printed nothing: {last.name} is only defined. Call it and print, or give the code as your answer."
    return "The program ran but printed nothing. Print the result: print(result)."


def _cut(text: str, room: int) -> str:
    """The beginning and the end of a long text, with a note between them."""
    if len(text) <= room:
        return text
    head, tail = room * 5 // 8, room * 3 // 8
    return f"{text[:head]}\n[cut here, too long: print less]\n{text[-tail:]}"


def _traceback(outcome: Outcome, code: str) -> Iterator[str]:
    """The lines that led to the error, the error, and what to do instead."""
    yield from _shortened(list(dict.fromkeys(_frame_line(frame, code) for frame in outcome.frames)))
    failure = outcome.failure if len(outcome.failure) <= 300 else f"{outcome.failure[:300]} ..."
    yield failure
    yield from islice((advice for start, advice in _ADVICE.items() if failure.startswith(start)), 1)


def _shortened(lines: Sequence[str]) -> Iterator[str]:
    if len(lines) <= MAX_FRAMES:
        yield from lines
        return
    yield from lines[:2]
    yield f"  ... {len(lines) - 4} more ..."
    yield from lines[-2:]


def _frame_line(frame: Frame, code: str) -> str:
    lines = code.split("\n")
    source = lines[frame.line - 1].strip()[:120] if 0 < frame.line <= len(lines) else ""
    name = frame.function_name or "<module>"
    return f"  line {frame.line}{'' if name.startswith('<') else f', in {name}'}: {source}"
