"""Untrusted model text as safe HTML: Markdown without raw HTML, images or links that lead anywhere."""

import html
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

CAP = 200_000  # characters; a longer text is shown as it is
BLOCK_CAP = 20_000  # characters of one block, since nesting and emphasis are not linear in the worst case
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_CONTINUES = re.compile(r"\s|[-*+>]|\d{1,9}[.)]")
_LAST_TAGS = re.compile(r"(?:</[a-z0-9]+>\s*|<br>\s*)*$")
_CONTROLS = {code: "\ufffd" for code in (*range(9), 11, 12, *range(14, 32), 127)}
_CARET = '<span class="wb-caret" aria-hidden="true"></span>'


def clean(text: str) -> str:
    """The text with every lone surrogate and control character replaced, so that it can be sent to a browser."""
    text = text.translate(_CONTROLS)
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def escape(text: object) -> str:
    """Any value as text that is safe inside HTML and inside an attribute."""
    return html.escape(clean(str(text)))


def plain(text: str) -> str:
    """The text exactly as it is, line breaks kept."""
    return f'<div class="wb-plain">{escape(text)}</div>'


def render(text: str) -> str:
    """Markdown as HTML. Linear in the text; a growing text costs only its last block, since blocks are remembered."""
    text = clean(text)
    if len(text) > CAP:
        return plain(text)
    return f'<div class="wb-md">{"".join(_render_block(block) for block in _blocks(text))}</div>'


def reading_text(text: str) -> str:
    """Markdown as the words that a person reads: no marks, one line for each paragraph, item or row."""
    body = re.sub(r"(?:</?t(?:head|body)>|<(?:tr|table)>|</t[dh]>\s*(?=</tr>))\s*", "", render(text))
    body = re.sub(r"</t[dh]>\s*", "  ", body)
    body = re.sub(r"<li>\s*(?:<p>)?", "• ", body)
    body = re.sub(r"</(?:p|h[4-6]|pre|table|blockquote)>\s*(?!</li>)", "\n\n", body)
    body = re.sub(r"</(?:li|tr|ul|ol)>\s*", "\n", body)
    return re.sub(r"\n{3,}", "\n\n", html.unescape(re.sub(r"<[^>]+>", "", body))).strip()


def with_caret(fragment: str) -> str:
    """The HTML with a caret after its last written character."""
    end = _LAST_TAGS.search(fragment.rstrip())
    place = end.start() if end else len(fragment)
    return fragment[:place] + _CARET + fragment[place:]


def _blocks(text: str) -> Iterator[str]:
    """Pieces of Markdown that mean the same alone as together: cut at blank lines outside lists, quotes and fences."""
    block: list[str] = []
    fence = ""
    blank = False
    for line in text.splitlines(keepends=True):
        if blank and not fence and block and not _CONTINUES.match(line):
            yield "".join(block)
            block = []
        fence = _fence_after(line, fence)
        blank = not line.strip()
        block.append(line)
    if block:
        yield "".join(block)


def _fence_after(line: str, fence: str) -> str:
    """The code fence that is open after this line; empty when none is."""
    mark = _FENCE.match(line)
    if mark is None:
        return fence
    if not fence:
        return mark[1]
    closes = mark[1].startswith(fence) and not line[mark.end() :].strip()
    return "" if closes else fence


@lru_cache(maxsize=1024)
def _render_block(block: str) -> str:
    if len(block) > BLOCK_CAP:
        return plain(block)
    return str(_parser().render(block))


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    options = {"html": False, "maxNesting": 20, "breaks": True}  # a model's lines are its steps
    parser = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    for rule in (_image, _link_open, _link_close, _heading_open, _heading_close):
        parser.add_render_rule(rule.__name__.removeprefix("_"), rule)
    return parser


def _image(_: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """An image is named, never fetched."""
    token = tokens[index]
    return f"{escape(token.content)}{_address(str(token.attrGet('src') or ''))}"


def _link_open(_: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    return ""


def _link_close(_: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """A link's text stays text and its address follows it, unless they are the same."""
    start = next(i for i in range(index, -1, -1) if tokens[i].type == "link_open")
    href = str(tokens[start].attrGet("href") or "")
    shown = "".join(token.content for token in tokens[start + 1 : index])
    return "" if href in (shown, f"mailto:{shown}") else _address(href)


def _address(address: str) -> str:
    return f' <span class="wb-address">({escape(address)})</span>'


def _heading_open(_: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    return f"<{_lowered(tokens[index].tag)}>"


def _heading_close(_: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    return f"</{_lowered(tokens[index].tag)}>\n"


def _lowered(tag: str) -> str:
    """A model's headings stand below the card's own, which is an h3."""
    return f"h{min(int(tag[1]) + 3, 6)}"
