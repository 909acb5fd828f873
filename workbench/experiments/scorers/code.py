"""The program in an answer: out of Markdown, joined with the signature that was asked for, without its own examples."""

import ast
import builtins
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workbench.experiments.model import Item
from workbench.tools.python import parsed

MOST_CUT = 100  # lines of prose behind a program that is not fenced
PYTHON = frozenset({"", "python", "py", "python3", "py3", "ipython", "pycon"})

_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[ \t]*([\w+#.-]*).*$")
_CODE_BEGINS = re.compile(
    r"^(?:from\s+[\w.]+\s+import\b|import\s+\w|(?:async\s+)?def\s+\w|class\s+\w|@\w)", re.MULTILINE
)
_PROGRAM = re.compile(r"(?:async\s+)?def\s|class\s|@")
_RETURN = re.compile(r"^return\b", re.MULTILINE)
_DEFINITION = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Found:
    """The program that an answer holds; without one, why not."""

    code: str
    why: str = ""


def program(item: Item, answer: str) -> Found:
    """The program that the item's tests are run against.

    Of several code blocks the last that defines what is tested counts, with what the blocks before it define. Its own
    examples and tests at the top level are left out. An answer that goes on after the signature in the question is
    joined with it; what the question itself defines or imports stands before.
    """
    wanted = tested(item)
    parts = _parts(answer)
    pieces = [piece for part in parts if (piece := _readable(part, wanted))]
    defining = [number for number, piece in enumerate(pieces) if _defined(piece) & wanted or _heads(piece, wanted)]
    if defining:
        before = [_chosen(piece, _definitions(piece)) for piece in pieces[: defining[-1]]]
        own = _without_examples(pieces[defining[-1]], wanted)
        return Found("\n\n".join(filter(None, [_given(item), *before, own])))
    if completed := next(filter(None, (_completed(item, part) for part in reversed(parts))), ""):
        return Found(completed)
    if not pieces:
        return Found("", "there is no program in the answer")
    if item.entry_point:
        others = sorted({name for piece in pieces for name in _defined(piece)})
        return Found("", f"it defines {', '.join(others[:3]) or 'nothing'}, not {item.entry_point}")
    return Found("\n\n".join(pieces))


def tested(item: Item) -> set[str]:
    """The names that the tests call and do not define: the item's entry point, where it has one."""
    if item.entry_point:
        return {item.entry_point}
    tree = parsed(item.tests)
    if tree is None:
        return set()
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    return called - _defined(item.tests) - set(dir(builtins))


def _parts(answer: str) -> list[str]:
    """The texts in which a program may stand: the code blocks, else the whole answer."""
    text = answer.replace("\r\n", "\n").replace("\r", "\n")
    blocks = [textwrap.dedent(block) for language, block in _blocks(text) if language in PYTHON and block.strip()]
    return blocks or [text]


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """The language and content of every fenced block; the last may lack its end, as in an answer that was cut."""
    language: str | None = None
    lines: list[str] = []
    for line in text.split("\n"):
        fence = _FENCE.match(line)
        if fence and language is None:
            language, lines = fence[1].lower(), []
        elif fence:
            yield language or "", "\n".join(lines)
            language = None
        elif language is not None:
            lines.append(line)
    if language is not None:
        yield language, "\n".join(lines)


def _readable(part: str, wanted: set[str]) -> str:
    """The program in a part, out of the prose around it; a broken one that should be tested stays as it is."""
    if parsed(part) is not None:
        return part if _is_program(part) else ""
    if begins := _CODE_BEGINS.search(part):
        lines = part[begins.start() :].split("\n")
        for cut in range(min(MOST_CUT, len(lines))):
            kept = "\n".join(lines[: len(lines) - cut])
            if parsed(kept) is not None:
                return part if _heads(part, wanted) and not _heads(kept, wanted) else kept
    return part if _heads(part, wanted) else ""


def _is_program(part: str) -> bool:
    """Whether it is more than words that Python could read: "Sorry", or an example's result."""
    tree = parsed(part)
    return tree is not None and any(not isinstance(node, ast.Expr) for node in tree.body)


def _heads(piece: str, wanted: set[str]) -> bool:
    return any(re.search(rf"^(?:async\s+)?def\s+{re.escape(name)}\b", piece, re.MULTILINE) for name in wanted)


def _defined(code: str) -> set[str]:
    """The names that a program gives a meaning at its top level."""
    tree = parsed(code)
    return _named(tree.body) if tree else set()


def _named(body: Sequence[ast.stmt]) -> set[str]:
    names: set[str] = set()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        else:
            names |= _assigned(node)
    return names


def meanings(code: str) -> set[str]:
    """The names that a program gives a meaning for whoever runs after it, and those that its classes define."""
    tree = parsed(code)
    names = _defined(code)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Global):
            names |= set(node.names)
        elif isinstance(node, ast.ClassDef):
            names |= {name for name in _named(node.body) if name.startswith("__")}
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr.startswith("__"):
            names.add(node.attr)
    imports = [node for node in (tree.body if tree else ()) if isinstance(node, ast.Import | ast.ImportFrom)]
    return names | {alias.asname or alias.name for node in imports for alias in node.names}


def _assigned(node: ast.stmt) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}


def _used(node: ast.stmt) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _definitions(code: str) -> list[ast.stmt]:
    tree = parsed(code)
    return [node for node in tree.body if isinstance(node, _DEFINITION)] if tree else []


def _without_examples(code: str, wanted: set[str]) -> str:
    """The program without its own tests, examples and input: what prints, asserts, or calls what is tested."""
    tree = parsed(code)
    if tree is None:
        return code
    kept: list[ast.stmt] = []
    gone = {*wanted, "input"}
    for node in tree.body:
        is_example = isinstance(node, ast.Expr | ast.Assert) or "__name__" in _used(node) or bool(_used(node) & gone)
        if isinstance(node, _DEFINITION) or not is_example or _assigned(node) & wanted:
            kept.append(node)
        else:
            gone |= _assigned(node)
    return _chosen(code, kept)


def _chosen(code: str, nodes: Sequence[ast.stmt]) -> str:
    """Some statements of a program as they are written."""
    lines = code.encode(errors="surrogatepass").split(b"\n")
    return "\n".join(_source(lines, node) for node in nodes)


def _source(lines: Sequence[bytes], node: ast.stmt) -> str:
    decorators = getattr(node, "decorator_list", [])
    first, column = (decorators[0].lineno, 0) if decorators else (node.lineno, node.col_offset)
    last = node.end_lineno or node.lineno
    taken = [*lines[first - 1 : last]]
    taken[-1] = taken[-1][: node.end_col_offset]
    taken[0] = taken[0][column:]
    return b"\n".join(taken).decode(errors="surrogatepass")


def _signature(item: Item) -> str:
    """The code in the question that ends in what is to be completed: imports, helpers, signature, docstring."""
    name = item.entry_point
    if not name or not _heads(item.question, {name}):
        return ""
    blocks = [block for _, block in _blocks(item.question) if _heads(block, {name})]
    text = blocks[-1] if blocks else item.question
    begins = _CODE_BEGINS.search(text)
    return text[begins.start() :].rstrip() if begins else ""


def _given(item: Item) -> str:
    """What the question defines and imports besides what is to be written."""
    signature = _signature(item)
    code = signature if parsed(signature) else f"{signature}\n    pass"
    return _chosen(code, [node for node in _definitions(code) if getattr(node, "name", "") != item.entry_point])


def _completed(item: Item, part: str) -> str:
    """The signature in the question with the part as its body; empty where that is no program."""
    signature = _signature(item)
    if not signature or not part.strip():
        return ""
    bodies = [body.split("\n") for body in _bodies(part.strip("\n").rstrip())]
    for cut in range(min(MOST_CUT, part.count("\n") + 1)):
        for lines in bodies:
            code = "\n".join([signature, *lines[: len(lines) - cut], ""])
            if _has_body(code, item.entry_point):
                return code
    return ""


def _bodies(part: str) -> Iterator[str]:
    """A body as it was written, and indented, since models leave the first line's indentation out, or all."""
    if part[0] in " \t":
        yield part
    elif not _PROGRAM.match(part) or _RETURN.search(part):
        yield textwrap.indent(part, "    ")
        yield f"    {part}"


def _has_body(code: str, name: str) -> bool:
    """Whether a program can be read in which the function does something after its docstring."""
    functions = [node for node in _definitions(code) if isinstance(node, ast.FunctionDef) and node.name == name]
    return bool(functions) and any(not isinstance(node, ast.Expr) for node in functions[-1].body)
