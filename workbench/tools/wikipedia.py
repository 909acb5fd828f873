"""The wikipedia tool: opens an article of a MediaWiki, or names those that are like it (ReAct's search, 2210.03629)."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field

from workbench.errors import ToolError
from workbench.settings import Settings
from workbench.tools.base import Tool
from workbench.tools.desk import Desk, OpenPage, Page
from workbench.tools.lookup import sentences
from workbench.tools.public import certificates
from workbench.tools.readable import readable

SENTENCES = 5  # of an article, and titles of others, as in the paper
MAX_SHOWN = 2_000  # characters
MAX_BYTES = 8 << 20
MAX_TITLE = 250  # MediaWiki's own limit is 255 bytes
SECONDS = 20.0
HEADERS = {
    "User-Agent": "SecondThought (a workbench; looks up what its user asks for)",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
}
# What stands in an article and is not part of its sentences.
NOT_ITS_TEXT = (
    *(
        "table",
        "figure",
        ".reference",
        ".hatnote",
        ".noprint",
        ".navbox",
        ".metadata",
        ".reflist",
        ".references",
        ".toc",
    ),
    *(".mw-editsection", ".mw-empty-elt", ".shortdescription", ".thumb", ".gallery", ".mw-cite-backlink"),
)
_MISSING = "There is no article"
_NO_SUCH_PAGE = ("missingtitle", "invalidtitle", "pagecannotexist", "nosuchpageid")


class Arguments(BaseModel):
    """Which article."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    article: str = Field(description="The person, place or thing that it is about")


class Wikipedia:
    """Keeps the article on the desk, so that words can be looked up in all of it."""

    name: ClassVar[str] = "wikipedia"
    description: ClassVar[str] = (
        "opens an encyclopedia article and shows its first sentences, or names others like it. Example: Ada Lovelace"
    )
    arguments: ClassVar[type[BaseModel]] = Arguments
    side_effects: ClassVar[bool] = False
    needs_approval: ClassVar[bool] = False
    seconds: ClassVar[float] = SECONDS

    def __init__(self, address: str) -> None:
        self._address = address
        self.desk = Desk()

    async def run(self, arguments: BaseModel) -> str:
        """The article's first sentences, or titles of others. Raises ToolError when it cannot be looked up."""
        assert isinstance(arguments, Arguments)
        title = _title(arguments.article)
        page = await self._article(title)
        if page is None:
            return await self._say_similar(title)
        self.desk.page = OpenPage(page)
        return _shown(page)

    def recall(self, arguments: BaseModel, said: str) -> None:
        """Have the article open, to be loaded again when a word is looked up in it."""
        assert isinstance(arguments, Arguments)
        if said.startswith(_MISSING):
            return  # the page that was open stayed open
        article = arguments.article
        self.desk.page = OpenPage(load=lambda: self._again(_title(article)))

    async def _again(self, title: str) -> Page:
        page = await self._article(title)
        if page is None:
            raise ToolError(f"There is no article {title!r} any more. Open another one.")
        return page

    async def _article(self, title: str) -> Page | None:
        """The article of that title, redirects followed; None if there is none."""
        reply = await self._ask(action="parse", page=title, prop="text", redirects="1", disableeditsection="1")
        if (error := reply.get("error")) is not None:
            code = error.get("code") if isinstance(error, Mapping) else error
            if code in _NO_SUCH_PAGE:
                return None
            raise ToolError(f"{self._host} refuses this: {str(code)[:60]}. Try another title, or go on without it.")
        try:
            html, name = reply["parse"]["text"], reply["parse"]["title"]
            html = html["*"] if isinstance(html, Mapping) else html  # as wikis before MediaWiki 1.25 write it
            text = (await asyncio.to_thread(readable, html, NOT_ITS_TEXT)).text
        except (KeyError, TypeError):
            raise self._foreign() from None
        return Page(str(name)[:MAX_TITLE], f"{self._address}#{name}", text)

    async def _say_similar(self, title: str) -> str:
        reply = await self._ask(action="query", list="search", srsearch=title, srlimit=str(SENTENCES), srprop="")
        try:
            titles = [str(found["title"])[:MAX_TITLE] for found in reply["query"]["search"][:SENTENCES]]
        except (KeyError, TypeError):
            titles = []  # a wiki can be without a search; that there is no such article is known
        similar = f" Similar: {'; '.join(titles)}." if titles else " Nothing is similar. Try other words."
        return f"{_MISSING} {title!r}.{similar}"

    async def _ask(self, **parameters: str) -> Mapping[str, Any]:
        """The API's answer. Raises ToolError."""
        query = {**parameters, "format": "json", "formatversion": "2"}
        try:
            async with (
                httpx.AsyncClient(headers=HEADERS, timeout=SECONDS / 2, verify=certificates()) as client,
                client.stream("GET", self._address, params=query) as response,
            ):
                body = await self._body(response)
        except httpx.TimeoutException:
            raise ToolError(f"{self._host} does not answer in time. Go on without it, and say so.") from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError):
            raise ToolError(
                f"{self._host} cannot be reached: there is no connection to it. Answer without the encyclopedia, and"
                " say that nothing could be looked up."
            ) from None
        try:
            reply = json.loads(body)
        except (ValueError, RecursionError):
            raise self._foreign() from None
        if not isinstance(reply, Mapping):
            raise self._foreign()
        return reply

    async def _body(self, response: httpx.Response) -> bytes:
        if response.has_redirect_location:
            raise ToolError(
                f"{self._host} has moved to {response.headers['location'].partition('?')[0][:200]}. Go on without it;"
                " the user can set WORKBENCH_MEDIAWIKI to that."
            )
        if response.status_code != 200:
            raise ToolError(f"{self._host} answers {response.status_code}. Go on without it, or try again later.")
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise self._foreign()
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MAX_BYTES:
                raise ToolError(f"The article is longer than {MAX_BYTES >> 20} MB. Open another one.")
        return bytes(body)

    @property
    def _host(self) -> str:
        return urlsplit(self._address).netloc.rpartition("@")[2] or self._address

    def _foreign(self) -> ToolError:
        return ToolError(
            f"What answers at {self._host} is no MediaWiki. Go on without it; the user can set WORKBENCH_MEDIAWIKI to"
            " the address of one's api.php."
        )


def create(settings: Settings) -> Tool:
    """The encyclopedia that the settings name."""
    return Wikipedia(settings.mediawiki)


def _title(text: str) -> str:
    title = " ".join(text.split()).strip("\"'`[]")
    if not title:
        raise ToolError("There is no title. Write what the article is about.")
    if len(title) > MAX_TITLE:
        raise ToolError(f"A title has at most {MAX_TITLE} characters. Write only what the article is about.")
    return title


def _shown(page: Page) -> str:
    """The first sentences, headings left out; the paper's form, with the title."""
    lines = [line for line in page.text.split("\n") if not line.startswith("#")]
    first = " ".join(sentences("\n".join(lines))[:SENTENCES])
    shown = first if len(first) <= MAX_SHOWN else f"{first[:MAX_SHOWN].rstrip()} ..."
    return f"{page.title}: {shown}" if shown else f"The article {page.title!r} has no text."
