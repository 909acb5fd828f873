"""The program in what a model wrote."""

from agents.answers import FENCE

PYTHON = frozenset({"python", "python3", "py", "py3"})


def python_in(text: str) -> str:
    """The Python in a text: its blocks that are said to be so, else those of no language, else a text without blocks.

    What stands in blocks of another language, an output for instance, is none; empty where there is no program.
    """
    blocks: list[tuple[str, list[str]]] = []
    inside = False
    for line in text.splitlines():
        if fence := FENCE.match(line):
            inside = not inside
            if inside:
                blocks.append((fence.group(1).lower(), []))
        elif inside:
            blocks[-1][1].append(line)
    if not blocks:
        return text.strip()
    named = [lines for language, lines in blocks if language in PYTHON]
    chosen = named or [lines for language, lines in blocks if not language]
    return "\n".join(dict.fromkeys("\n".join(lines) for lines in chosen)).strip("\n")
