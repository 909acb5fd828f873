"""The fetch tool: reads a public web page as text."""

import asyncio
import codecs
import re
from collections.abc import Callable
from typing import ClassVar, NamedTuple
from urllib.parse import urljoin, urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field

from workbench.errors import ToolError
from workbench.settings import Settings
from workbench.tools.base import Tool
from workbench.tools.desk import Desk, OpenPage, Page
from workbench.tools.public import PublicTransport
from workbench.tools.readable import readable

MAX_BYTES = 2 << 20
MAX_SHOWN = 4_000  # characters
MAX_ADDRESS = 2_000
MAX_ADDRESS_SHOWN = 300
MAX_HOPS = 5
SECONDS = 20.0
HEADERS = {
    "User-Agent": "SecondThought (a workbench; fetches pages that its user asks for)",
    "Accept": "text/html, application/xhtml+xml, text/*;q=0.9, application/json;q=0.8, */*;q=0.1",
    "Accept-Encoding": "identity",  # a compressed megabyte may be a gigabyte
}
_TEXT = re.compile(r"text/.*|application/(.*\+)?(json|xml)|application/(x-)?(javascript|yaml|ndjson|sh)")
_HTML = re.compile(r"text/html|application/xhtml\+xml")
# Encodings of texts on the web; Python knows others, some of which are no text or take for ever to read.
_CHARSET = re.compile(r"(utf|us-?ascii|ascii|iso|latin|windows|cp\d|gb|big5|euc|shift|sjis|koi8|mac)[a-z0-9_:-]*", re.I)


class Arguments(BaseModel):
    """What to read."""

    model_config = ConfigDict(extra="forbid")

    address: str = Field(description="Such as https://example.org/page")


class Reply(NamedTuple):
    """What a server sent in the end: from where, its content type, and as many bytes as are read."""

    address: str
    kind: str
    body: bytes
    is_cut: bool


class Fetch:
    """Keeps the page on the desk, so that words can be looked up in all of it."""

    name: ClassVar[str] = "fetch"
    description: ClassVar[str] = "reads a public web page as text. Example: https://example.org/page"
    arguments: ClassVar[type[BaseModel]] = Arguments
    side_effects: ClassVar[bool] = False
    seconds: ClassVar[float] = SECONDS

    def __init__(
        self, needs_approval: bool = True, transport: Callable[[], httpx.AsyncBaseTransport] = PublicTransport
    ) -> None:
        self.needs_approval = needs_approval
        self._transport = transport
        self.desk = Desk()

    async def run(self, arguments: BaseModel) -> str:
        """The page's title, address and the beginning of its text. Raises ToolError."""
        assert isinstance(arguments, Arguments)
        page = await self._open(arguments.address)
        self.desk.page = OpenPage(page)
        return _shown(page)

    def recall(self, arguments: BaseModel, said: str) -> None:
        """Have the page open, to be fetched again when a word is looked up in it."""
        assert isinstance(arguments, Arguments)
        self.desk.page = OpenPage(load=lambda: self._open(arguments.address))

    async def _open(self, address: str) -> Page:
        first = checked(address)
        async with httpx.AsyncClient(
            transport=self._transport(), headers=HEADERS, timeout=SECONDS / 2, trust_env=False
        ) as client:
            reply = await self._follow(client, first)
        return await asyncio.to_thread(page_of, reply)

    async def _follow(self, client: httpx.AsyncClient, address: str) -> Reply:
        for _ in range(MAX_HOPS + 1):
            try:
                found = await _ask(client, address)
            except httpx.HTTPError as error:
                raise ToolError(_trouble(address, error)) from None
            if isinstance(found, Reply):
                return found
            address = checked(found)
        raise ToolError(f"The address leads on more than {MAX_HOPS} times. Use another one.")


def create(settings: Settings) -> Tool:
    """Fetch, which asks the person first unless they do not want that."""
    return Fetch(needs_approval=settings.fetch_approval == "on")


async def _ask(client: httpx.AsyncClient, address: str) -> Reply | str:
    """What is at the address, or the address that it leads to. Raises ToolError for an answer that is no page."""
    async with client.stream("GET", address, follow_redirects=False) as response:
        if response.has_redirect_location:
            return _joined(address, response.headers["location"])
        if response.status_code != 200:
            phrase = f"{response.status_code} {response.reason_phrase[:60]}".strip()
            raise ToolError(f"{_host(address)} answers {phrase}. Check the address, or go on without it.")
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise ToolError(f"{_host(address)} compresses its pages although it was asked not to. Use another page.")
        kind = response.headers.get("content-type", "")
        _check_kind(address, kind)
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MAX_BYTES:
                break
        return Reply(address, kind, bytes(body[:MAX_BYTES]), len(body) > MAX_BYTES)


def _joined(address: str, location: str) -> str:
    try:
        return urljoin(address, location)
    except ValueError:
        return location  # it is no address; so it will be said


def checked(text: str) -> str:
    """The address, without what stands around it and after #. Raises ToolError for one that is not read."""
    address = text.strip().strip("<>\"'`").partition("#")[0]
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
        httpx.URL(address)
    except (ValueError, httpx.InvalidURL):
        host = None
    if not host or len(address) > MAX_ADDRESS or parts.scheme not in ("http", "https"):
        raise ToolError(
            f"{text.strip()[:100]!r} is no address of a web page. Write one such as https://example.org/page."
        )
    if parts.username is not None or parts.password is not None:
        raise ToolError("An address with a name or password in it is not read. Write it without them.")
    return address


def _check_kind(address: str, kind: str) -> None:
    main = kind.partition(";")[0].strip().lower()
    if main and not _TEXT.fullmatch(main) and not _HTML.fullmatch(main):
        raise ToolError(f"What is at {_host(address)} is {main[:60]}, not text. Use a page of text.")


def page_of(reply: Reply) -> Page:
    """The page as text. Raises ToolError when it holds none."""
    main = reply.kind.partition(";")[0].strip().lower()
    text = _decoded(reply)
    if "\x00" in text:
        raise ToolError(f"What is at {_host(reply.address)} is not text. Use another page.")
    title = ""
    if _HTML.fullmatch(main) or (not main and text.lstrip().startswith("<")):
        title, text = readable(text)
    if not text.strip():
        raise ToolError(f"The page at {_host(reply.address)} has no text that can be read. Use another page.")
    if reply.is_cut:
        text += f"\n[Only the first {MAX_BYTES >> 20} MB of the page were read.]"
    return Page(title[:200] or reply.address, reply.address, text)


def _decoded(reply: Reply) -> str:
    """The text in the encoding that it is in, by its first bytes, its header or its own words; else in UTF-8."""
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if reply.body.startswith(mark):
            return reply.body.decode(name, "replace")
    named = re.search(r"charset\s*=\s*[\"']?([\w:-]+)", reply.kind, re.I)
    inside = re.search(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([\w:-]+)", reply.body[:2048], re.I)
    name = named[1] if named else inside[1].decode() if inside else "utf-8"
    try:
        return reply.body.decode(name if _CHARSET.fullmatch(name) else "utf-8", "replace")
    except (LookupError, ValueError):
        return reply.body.decode("utf-8", "replace")


def _shown(page: Page) -> str:
    address = page.address if len(page.address) <= MAX_ADDRESS_SHOWN else f"{page.address[:MAX_ADDRESS_SHOWN]}..."
    head = address if page.title == page.address else f"{page.title}\n{address}"
    if len(page.text) <= MAX_SHOWN:
        return f"{head}\n\n{page.text}"
    return f"{head}\n\n{page.text[:MAX_SHOWN]}\n[These are the first {MAX_SHOWN:,} of {len(page.text):,} characters.]"


def _host(address: str) -> str:
    return (urlsplit(address).hostname or address)[:100]


def _trouble(address: str, error: httpx.HTTPError) -> str:
    match error:
        case httpx.TimeoutException():
            cause = "does not answer in time"
        case httpx.ConnectError() if "certificate" in str(error).lower():
            cause = "cannot prove who it is: its certificate is not valid"
        case httpx.ConnectError():
            cause = "cannot be reached"
        case _:
            cause = "broke the connection off, or does not speak HTTP"
    return f"{_host(address)} {cause}. Try another page, or go on without it."
