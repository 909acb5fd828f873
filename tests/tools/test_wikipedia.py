"""The wikipedia tool opens articles of any MediaWiki, here one on loopback, and says so when there is none to ask."""

import json
from collections.abc import AsyncIterator

import pytest

from tests.tools.web import Web, moved, reply, web
from workbench.errors import ToolError
from workbench.settings import Settings
from workbench.tools import registry
from workbench.tools.wikipedia import MAX_SHOWN, Arguments, Wikipedia, create

ARTICLES = {
    "Ann Roe": (
        "<div class='mw-parser-output'><div class='hatnote'>Not the ship.</div><table class='infobox'><tr><td>Born"
        "<td>1891</table><p class='mw-empty-elt'></p><p><b>Ann Roe</b> was a painter.<sup class='reference'>[1]</sup>"
        " She was born in Orvik. She painted 10<sup>3</sup> ships. One sank. She died in 1950. She is buried in"
        " Orvik.</p>"
        "<h2>Life<span class='mw-editsection'>edit</span></h2><p>Her father was a sailor.</p>"
        "<div class='navbox'>Painters of Orvik</div></div>"
    ),
    "Void": "<div></div>",
    "Long": f"<p>{'word ' * 2_000}</p>",
}
REDIRECTS = {"roe": "Ann Roe"}


def api(query: dict[str, str]) -> bytes:
    """MediaWiki's own answers, as far as the tool asks."""
    if query["action"] == "parse":
        title = REDIRECTS.get(query["page"], query["page"]) if query.get("redirects") else query["page"]
        if title not in ARTICLES:
            return sent({"error": {"code": "missingtitle", "info": "The page you specified doesn't exist."}})
        return sent({"parse": {"title": title, "pageid": 1, "text": ARTICLES[title]}})
    found = [title for title in ARTICLES if query["srsearch"].split()[0].lower() in title.lower()]
    return sent({"query": {"search": [{"ns": 0, "title": title} for title in found[: int(query["srlimit"])]]}})


def sent(value: object) -> bytes:
    return reply(json.dumps(value), content_type="application/json")


@pytest.fixture
async def wiki() -> AsyncIterator[Web]:
    async with web() as served:
        served.replies["/w/api.php"] = api
        yield served


@pytest.fixture
def settings(settings: Settings, wiki: Web) -> Settings:
    return settings.model_copy(update={"mediawiki": f"{wiki.address}/w/api.php"})


async def read(settings: Settings, title: str) -> str:
    return await create(settings).run(Arguments(article=title))


async def refusal(settings: Settings, title: str = "Ann Roe") -> str:
    with pytest.raises(ToolError) as refused:
        await read(settings, title)
    return str(refused.value)


async def test_an_article_is_its_first_five_sentences(settings):
    assert await read(settings, "Ann Roe") == (
        "Ann Roe: Ann Roe was a painter. She was born in Orvik. She painted 10^3 ships. One sank. She died in 1950."
    )


async def test_a_redirect_leads_to_its_article(settings):
    assert (await read(settings, '"roe"')).startswith("Ann Roe: Ann Roe was a painter.")


async def test_without_such_an_article_those_that_are_like_it_are_named(settings):
    assert await read(settings, "Ann the painter") == "There is no article 'Ann the painter'. Similar: Ann Roe."
    assert await read(settings, "zebra") == "There is no article 'zebra'. Nothing is similar. Try other words."


async def test_a_wiki_without_a_search_still_says_that_there_is_no_article(settings, wiki):
    wiki.replies["/w/api.php"] = lambda query: (
        api(query) if query["action"] == "parse" else sent({"error": {"code": "search-disabled"}})
    )
    assert await read(settings, "zebra") == "There is no article 'zebra'. Nothing is similar. Try other words."


async def test_a_long_sentence_is_cut_and_an_empty_article_said(settings):
    assert len(await read(settings, "Long")) < MAX_SHOWN + 50
    assert await read(settings, "Void") == "The article 'Void' has no text."


@pytest.mark.parametrize(("title", "said"), [(" \n", "There is no title"), ("x" * 300, "at most 250 characters")])
async def test_what_is_no_title_is_refused(settings, wiki, title, said):
    assert said in await refusal(settings, title)
    assert wiki.came == []


async def test_offline_it_says_so():
    async with web() as gone:
        address = f"{gone.address}/w/api.php"
    said = await refusal(Settings(mediawiki=address))
    assert said == (
        f"127.0.0.1:{gone.port} cannot be reached: there is no connection to it. Answer without the encyclopedia, and"
        " say that nothing could be looked up."
    )


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (reply("<html>", content_type="text/html"), "is no MediaWiki"),
        (reply("[]"), "is no MediaWiki"),
        (reply("[" * 99_999), "is no MediaWiki"),
        (reply('{"parse": {"text": 3}}'), "is no MediaWiki"),
        (reply('{"batchcomplete": true}'), "is no MediaWiki"),
        (reply('{"error": {"code": "readapidenied"}}'), "refuses this: readapidenied"),
        (reply('{"error": "odd"}'), "refuses this: odd"),
        (reply("", status="503 Busy"), "answers 503"),
        (reply("", status="429 Too Many Requests"), "answers 429"),
        (moved("https://elsewhere.test/w/api.php?x=1"), "has moved to https://elsewhere.test/w/api.php."),
        (b"nonsense\r\n\r\n", "cannot be reached"),
    ],
)
async def test_what_is_no_answer_is_said_in_a_sentence(settings, wiki, answer, said):
    wiki.replies["/w/api.php"] = answer
    assert said in await refusal(settings)


async def test_the_article_of_an_old_mediawiki_is_read(settings, wiki):
    wiki.replies["/w/api.php"] = sent({"parse": {"title": "Old", "text": {"*": "<p>An old text.</p>"}}})
    assert await read(settings, "Old") == "Old: An old text."


@pytest.mark.parametrize("address", ["no address", "ftp://x/", "http://"])
async def test_an_address_that_is_none_is_a_sentence_for_the_model(address):
    with pytest.raises(ToolError, match="cannot be reached"):
        await Wikipedia(address).run(Arguments(article="x"))


async def test_words_are_looked_up_in_the_whole_article(settings):
    tools = registry.for_run(["wikipedia", "lookup"], settings)
    await call(tools, "wikipedia", article="Ann Roe")
    assert await call(tools, "lookup", term="orvik") == "(Result 1 / 2) She was born in Orvik."
    assert await call(tools, "lookup", term="orvik") == "(Result 2 / 2) She is buried in Orvik."
    assert await call(tools, "lookup", term="father") == "(Result 1 / 1) Her father was a sailor."
    assert "Nothing in 'Ann Roe'" in await call(tools, "lookup", term="1891")


async def test_an_article_that_is_not_there_leaves_the_last_one_open(settings):
    tools = registry.for_run(["wikipedia", "lookup"], settings)
    await call(tools, "wikipedia", article="Ann Roe")
    await call(tools, "wikipedia", article="zebra")
    assert await call(tools, "lookup", term="sank") == "(Result 1 / 1) One sank."


async def call(tools: dict, name: str, **arguments: str) -> str:
    return await tools[name].run(tools[name].arguments.model_validate(arguments))
