"""Passages with their sources, read out of what the tools that find them say."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from agents.contract import Bench

TOOLS: Mapping[str, str] = {"documents": "search", "wikipedia": "wikipedia"}
QUOTED = re.compile(r"\[(?P<source>[^\n]+?:\d+)\] (?P<text>\S.*)")
MISSING = "There is no article"
SIMILAR = re.compile(r"Similar: (.+)\.\Z", re.DOTALL)
HEADING = re.compile(r"(?P<source>[^\n]{1,250}?): (?P<text>\S.*)\Z", re.DOTALL)
SENTENCE = re.compile(r"\.(?=\s+[A-Z]|\s*\Z)")


class Passage(NamedTuple):
    """A piece of text and where it stands."""

    source: str
    text: str


def from_documents(said: str) -> list[Passage]:
    """The passages in what the search tool says: a line `[file:line] text` each; other lines are none.

    One that comes twice is there once.
    """
    found = (QUOTED.fullmatch(line.strip()) for line in said.splitlines())
    return list(dict.fromkeys(Passage(one["source"], one["text"]) for one in found if one))


def from_article(said: str, asked: str) -> list[Passage]:
    """The beginning of an article in what the wikipedia tool says: `title: text`; none where there is no article.

    A title may hold a colon itself: the one that was `asked` for tells how far it goes.
    """
    said = said.strip()
    if said.startswith(MISSING):
        return []
    if said.casefold().startswith(f"{asked.strip().casefold()}: "):
        title = said[: len(asked.strip())]
        return [Passage(title, text)] if (text := said[len(title) + 2 :].strip()) else []
    heading = HEADING.match(said)
    return [Passage(heading["source"], heading["text"])] if heading else []


def similar(said: str) -> list[str]:
    """The titles of other articles that the wikipedia tool names where there is none of that title."""
    named = SIMILAR.search(said.strip()) if said.strip().startswith(MISSING) else None
    return [title for part in named.group(1).split(";") if (title := part.strip())] if named else []


def first_sentence(text: str) -> str:
    """The first sentence without its end, as a reason."""
    line = " ".join(text.split())
    end = SENTENCE.search(line)
    return line[: end.start()] if end else line


async def look_up(bench: Bench, tool: str, query: str, most: int) -> tuple[list[Passage], str]:
    """At most so many passages that a tool finds, and their number in words or why there is none."""
    seen = await bench.call(tool, query)
    if seen.error:
        return [], first_sentence(seen.text)
    found = from_documents(seen.text) if tool == "search" else from_article(seen.text, query)
    for title in similar(seen.text)[:most]:
        article = await bench.call(tool, title)
        found += [] if article.error else from_article(article.text, title)
    if not found:
        return [], f"nothing found for {query!r}"
    number = min(len(found), most)
    return found[:most], f"{number} passage{'' if number == 1 else 's'}"
