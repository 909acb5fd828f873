"""The text of a web page: what a reader would read, without menus, scripts and decoration."""

import re
import time
from collections.abc import Collection, Iterable
from html.parser import HTMLParser
from typing import NamedTuple

PIECE = 16 << 10  # characters
MOST_SECONDS = 5.0  # a page that is made to be hard to read is read so far
ENOUGH = 200  # characters of a page's main part; with fewer the whole page is read
NEVER = frozenset({"script", "style", "template", "noscript", "svg", "iframe", "object", "canvas", "math", "title"})
ASIDE = frozenset({"nav", "header", "footer", "aside", "form", "button", "select", "dialog", "menu"})
VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"}
)
BLOCKS = frozenset(
    {"address", "article", "blockquote", "body", "br", "caption", "dd", "details", "div", "dl", "dt", "fieldset"}
    | {"figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main"}
    | {"nav", "ol", "option", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul"}
)
BEFORE = {"li": "- ", "td": " | ", "th": " | ", "sup": "^"} | {f"h{level}": f"{'#' * level} " for level in range(1, 7)}

_SPACE = re.compile(r"\s+")


class Readable(NamedTuple):
    """A page's title, empty if it has none, and its text: a paragraph is a line."""

    title: str
    text: str


def readable(html: str, leave_out: Collection[str] = ()) -> Readable:
    """What a reader would read; `leave_out` names further tags, and classes as `.name`. Never raises."""
    end = time.monotonic() + MOST_SECONDS
    page = _read(html, {*ASIDE, *leave_out}, end)
    if not page.text and time.monotonic() < end:
        page = _read(html, set(), end)  # all of it is menus, or a tag that nothing ends
    return page


def _read(html: str, leave_out: set[str], end: float) -> Readable:
    reader = _Reader(leave_out)
    try:
        for start in range(0, len(html), PIECE):
            if time.monotonic() > end:
                break
            reader.feed(html[start : start + PIECE])
        reader.feed("<br>")  # what comes last is held back until a tag follows; `close` can take for ever
    except (AssertionError, RecursionError):
        pass  # what the parser cannot read ends the page: what came before stays
    return Readable(" ".join("".join(reader.title).split()), reader.text())


class _Reader(HTMLParser):
    """Collects the text, and where in it the page's main part stands."""

    def __init__(self, leave_out: set[str]) -> None:
        super().__init__(convert_charrefs=True)
        self._leave_out, self._classes = leave_out | NEVER, {name[1:] for name in leave_out if name.startswith(".")}
        self._parts: list[str] = []
        self.title: list[str] = []
        self._in_title, self._pre = False, 0
        self._skipped, self._depth = "", 0  # the tag that is left out, and how many of its kind are open in it
        self._main: dict[str, list[int]] = {}  # where the first such element begins and ends

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin to leave out, or begin a line."""
        self._in_title = tag == "title" and not self.title and not self._skipped
        self._pre += tag == "pre"
        if self._skipped:
            self._depth += tag == self._skipped
        elif tag not in VOID and self._is_left_out(tag, dict(attrs)):
            self._skipped, self._depth = tag, 1
        else:
            if tag in ("main", "article"):
                self._main.setdefault(tag, [len(self._parts)])
            self._parts.append(("\n" if tag in BLOCKS else "") + BEFORE.get(tag, ""))

    def _is_left_out(self, tag: str, attributes: dict[str, str | None]) -> bool:
        classes = (attributes.get("class") or "").split()
        is_hidden = "hidden" in attributes or attributes.get("aria-hidden") == "true"
        return tag in self._leave_out or is_hidden or not self._classes.isdisjoint(classes)

    def handle_endtag(self, tag: str) -> None:
        """End what is left out, or end a line."""
        self._in_title = False
        self._pre -= tag == "pre" and self._pre > 0
        if self._skipped:
            self._depth -= tag == self._skipped
            self._skipped = self._skipped if self._depth else ""
            return
        if tag in self._main and len(self._main[tag]) == 1:
            self._main[tag].append(len(self._parts))
        self._parts.append("\n" if tag in BLOCKS else "")

    def handle_data(self, data: str) -> None:
        """Keep it, or not."""
        if self._in_title:
            self.title.append(data)
        elif not self._skipped:
            self._parts.append(data if self._pre else _SPACE.sub(" ", data))

    def text(self) -> str:
        """The main part's text if there is one, else all."""
        for tag in ("main", "article"):
            if place := self._main.get(tag):
                part = _tidied(self._parts[slice(*place)] if len(place) == 2 else self._parts[place[0] :])
                if len(part) >= ENOUGH:
                    return part
        return _tidied(self._parts)


def _tidied(parts: Iterable[str]) -> str:
    """Lines without the blanks around and inside them, and none of nothing but signs that stood before nothing."""
    lines = (re.sub(r"[\s|]*\|[\s|]*", " | ", " ".join(line.split())) for line in "".join(parts).split("\n"))
    stripped = (line.strip().removeprefix("| ").removesuffix(" |") for line in lines)
    return "\n".join(line for line in stripped if line.strip("#-| "))
