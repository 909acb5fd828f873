"""The fetch tool reads public pages as text, and nothing else: not this machine, not without an end, not in silence."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.tools.web import Web, html, moved, reply, web
from workbench.errors import ToolError
from workbench.settings import Settings
from workbench.tools import public
from workbench.tools.fetch import MAX_BYTES, MAX_SHOWN, Arguments, Fetch, checked, create
from workbench.tools.public import PublicTransport

PUBLIC = "93.184.216.34"


class Rerouted(httpx.AsyncHTTPTransport):
    """The internet, with one host in it: connections to PUBLIC end at a server of the test."""

    def __init__(self, port: int) -> None:
        super().__init__(trust_env=False)
        self._port = port

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert request.url.host == PUBLIC, "a connection to another address"
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        return await super().handle_async_request(request)


async def resolve(host: str, port: int) -> list[str]:
    """example.org is public; metadata.test is a cloud's; what is an address stays one."""
    names = {"example.org": PUBLIC, "other.example.org": PUBLIC, "metadata.test": "169.254.169.254"}
    return [names.get(host) or str(socket.getaddrinfo(host, port)[0][4][0])]


@pytest.fixture
async def server() -> AsyncIterator[Web]:
    async with web() as served:
        yield served


@pytest.fixture
def fetch(server: Web) -> Fetch:
    return Fetch(transport=lambda: PublicTransport(Rerouted(server.port), resolve, lambda address: False))


async def read(fetch: Fetch, address: str = "http://example.org/page") -> str:
    return await fetch.run(Arguments(address=address))


async def refusal(fetch: Fetch, address: str = "http://example.org/page") -> str:
    with pytest.raises(ToolError) as refused:
        await read(fetch, address)
    return str(refused.value)


async def test_a_page_is_its_title_its_address_and_its_text(server, fetch):
    server.replies["/page"] = html("<nav>Menu</nav><h1>Ferries</h1><p>Tickets &amp; times.</p>", "Ferry")
    assert await read(fetch) == "Ferry\nhttp://example.org/page\n\n# Ferries\nTickets & times."
    assert server.came == ["GET /page example.org"]


async def test_a_long_page_is_shown_from_its_beginning_and_open_in_whole(server, fetch):
    server.replies["/page"] = html("<p>word</p>" * 5_000 + "<p>the end</p>")
    said = await read(fetch)
    assert said.endswith("word\n\n[These are the first 4,000 of 25,007 characters.]")
    assert len(said) < MAX_SHOWN + 200
    assert (await fetch.desk.page.read()).text.endswith("the end")


@pytest.mark.parametrize(
    ("kind", "body", "shown"),
    [
        ("text/plain", "a < b", "a < b"),
        ("application/json", '{"a": 1}', '{"a": 1}'),
        ("application/ld+json; charset=utf-8", '{"a": "é"}', '{"a": "é"}'),
        ("text/html; charset=iso-8859-1", "<p>Z\xfcrich</p>".encode("latin-1"), "Zürich"),
        ("text/html", '<meta charset="windows-1252"><p>\x93quoted\x94</p>'.encode("latin-1"), "“quoted”"),
        ("text/html; charset=nonsense", "<p>é</p>", "é"),
        ("text/html; charset=unicode_escape", "<p>\\x41</p>", "\\x41"),
        ("text/plain", "é".encode("utf-16"), "é"),
        ("text/plain", b"\xff\xfa broken", "\ufffd\ufffd broken"),
    ],
)
async def test_text_of_every_kind_is_read(server, fetch, kind, body, shown):
    server.replies["/page"] = reply(body, content_type=kind)
    assert (await read(fetch)).split("\n\n")[1] == shown


async def test_a_page_without_a_content_type_is_taken_as_what_it_looks_like(server, fetch):
    server.replies |= {"/page": reply("<p>text</p>"), "/plain": reply("text")}
    assert (await read(fetch)).endswith("\n\ntext")
    assert (await read(fetch, "http://example.org/plain")).endswith("\n\ntext")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (reply(b"\x89PNG", content_type="image/png"), "What is at example.org is image/png, not text"),
        (reply(b"%PDF", content_type="application/pdf"), "is application/pdf, not text"),
        (reply(b"a\x00b"), "is not text"),
        (reply("", content_type="text/html"), "has no text that can be read"),
        (html("<script>run()</script>"), "has no text that can be read"),
        (reply("no", status="403 Forbidden"), "example.org answers 403 Forbidden"),
        (reply("", status="503 Busy"), "example.org answers 503 Busy"),
        (reply("", status="204 No Content"), "answers 204"),
        (reply(gzip.compress(b"x" * 9), content_type="text/plain", content_encoding="gzip"), "compresses its pages"),
        (b"nonsense\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nContent-Type: text/plain\r\n\r\nx", "broke the connection off"),
        (b"", "broke the connection off"),
    ],
)
async def test_what_is_no_page_is_said_in_a_sentence(server, fetch, answer, said):
    server.replies["/page"] = answer
    assert said in await refusal(fetch)
    assert fetch.desk.page is None


async def test_nothing_there_is_said(fetch):
    assert "example.org answers 404" in await refusal(fetch)


async def test_more_than_the_most_is_not_read(server, fetch):
    server.replies["/page"] = reply(b"x" * (MAX_BYTES + 99_999), content_type="text/plain")
    await read(fetch)
    text = (await fetch.desk.page.read()).text
    assert text.endswith("x\n[Only the first 2 MB of the page were read.]")
    assert len(text) < MAX_BYTES + 100


@pytest.mark.parametrize(
    "address",
    [
        *(
            "",
            "example.org",
            "ftp://example.org/",
            "file:///etc/passwd",
            "http://",
            "http:///etc",
            "javascript:alert(1)",
        ),
        *("gopher://example.org", "http://[::1", "http://example.org:99999/", "what is it?", "http://" + "x" * 3_000),
        *("data:text/plain,x", "http://exa\x00mple.org/", "http://example.org:http/"),
    ],
)
async def test_what_is_no_address_of_a_page_is_refused(fetch, server, address):
    assert "is no address of a web page" in await refusal(fetch, address)
    assert server.came == []


@pytest.mark.parametrize("address", ["http://me:secret@example.org/", "http://me@example.org/", "http://@example.org/"])
async def test_an_address_with_a_name_in_it_is_refused(fetch, server, address):
    assert "name or password" in await refusal(fetch, address)
    assert server.came == []


def test_signs_around_an_address_do_not_matter():
    assert checked(" <https://example.org/a#part> ") == "https://example.org/a"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
async def test_this_machine_is_never_connected_to(server, host):
    """Nothing is replaced here: it is the machine's own resolver and network."""
    assert "not on the public internet" in await refusal(Fetch(), f"http://{host}:{server.port}/page")
    assert server.connections == 0


@pytest.mark.parametrize("target", ["http://127.0.0.1:{port}/secret", "http://metadata.test/", "http://[::1]:{port}/"])
@pytest.mark.parametrize("hops", [1, 2, 4])
async def test_a_redirect_to_this_machine_is_refused_at_every_hop(server, fetch, target, hops):
    for hop in range(hops - 1):
        server.replies[f"/{hop}"] = moved(f"/{hop + 1}")
    server.replies[f"/{hops - 1}"] = moved(target.format(port=server.port))
    assert "not on the public internet" in await refusal(fetch, "http://example.org/0")
    assert server.came == [f"GET /{hop} example.org" for hop in range(hops)]


async def test_a_name_that_changes_its_meaning_between_hops_is_refused(server):
    answers = [[PUBLIC], ["127.0.0.1"]]

    async def rebinding(host: str, port: int) -> list[str]:
        return answers.pop(0)

    server.replies["/page"] = moved("/again")
    fetch = Fetch(transport=lambda: PublicTransport(Rerouted(server.port), rebinding, lambda address: False))
    assert "not on the public internet" in await refusal(fetch)
    assert server.came == ["GET /page example.org"]


async def test_redirects_are_followed_and_the_last_address_is_shown(server, fetch):
    server.replies |= {"/page": moved("//other.example.org/b"), "/b": moved("c?d=1#e", "308 Permanent Redirect")}
    server.replies["/c"] = html("<p>Here.</p>", "C")
    assert await read(fetch) == "C\nhttp://other.example.org/c?d=1\n\nHere."
    assert server.came == ["GET /page example.org", "GET /b other.example.org", "GET /c other.example.org"]


@pytest.mark.parametrize(
    "target", ["ftp://example.org/", "file:///etc/passwd", "http://me:pw@example.org/", "http://["]
)
async def test_a_redirect_to_what_is_no_page_is_refused(server, fetch, target):
    server.replies["/page"] = moved(target)
    said = await refusal(fetch)
    assert "is no address" in said or "name or password" in said
    assert len(server.came) == 1


async def test_a_circle_of_redirects_ends(server, fetch):
    server.replies["/page"] = moved("/page")
    assert "leads on more than 5 times" in await refusal(fetch)
    assert len(server.came) == 6


async def test_a_server_that_is_gone_is_said(fetch, server, monkeypatch):
    async with web() as gone:
        port = gone.port
    fetch = Fetch(transport=lambda: PublicTransport(Rerouted(port), resolve, lambda address: False))
    assert await refusal(fetch) == "example.org cannot be reached. Try another page, or go on without it."


async def test_a_host_that_does_not_exist_is_said(monkeypatch):
    async def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    fetch = Fetch(transport=lambda: PublicTransport(resolve=unknown))
    assert "There is no host nowhere.test, or no connection" in await refusal(fetch, "http://nowhere.test/")


async def test_cancelling_closes_the_connection(server, fetch):
    held = asyncio.Event()

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nbegun")
        await reader.read(-1)  # until the other side has closed
        held.set()
        writer.close()

    stalling = await asyncio.start_server(stall, "127.0.0.1", 0)
    server.port = stalling.sockets[0].getsockname()[1]
    task = asyncio.create_task(read(fetch))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(held.wait(), 5)
    stalling.close()


def test_the_person_is_asked_unless_they_do_not_want_that(settings: Settings):
    assert create(settings).needs_approval is True
    assert create(settings.model_copy(update={"fetch_approval": "off"})).needs_approval is False


def test_no_proxy_connects_in_our_place(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    transport = public.PublicTransport()
    assert "proxy" not in type(transport._inner._pool).__name__.lower()
