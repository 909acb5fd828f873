"""A server that points elsewhere: neither the key nor the prompt goes there."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.backends.asking import ask, collect
from tests.ollama_server import serving
from workbench.backends import keys, registry
from workbench.backends.base import Backend
from workbench.backends.servers import Server
from workbench.errors import WrongServer
from workbench.settings import Settings

KEY = "sk-redirected-4711-8f2c"
PROMPT = "What nobody else may read"
METHODS = ["GET", "POST", "HEAD", "DELETE"]


class Elsewhere:
    """Keeps whatever it is sent."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.url = ""

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self.take, methods=METHODS)])

    async def take(self, request: Request) -> Response:
        self.heard.append(f"{request.method} {request.url} {request.headers} {(await request.body())!r}")
        return JSONResponse({"object": "list", "data": [], "models": [], "version": "1.0"})


class Pointing:
    """Sends every request to `target`, as `status`; keeps the keys that it was shown."""

    def __init__(self) -> None:
        self.target: Callable[[Request], str] = lambda request: "/"
        self.status = 307
        self.keys: list[str] = []
        self.url = ""

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self.point, methods=METHODS)])

    async def point(self, request: Request) -> Response:
        self.keys.append(request.headers.get("authorization", ""))
        return RedirectResponse(self.target(request), status_code=self.status)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[Pointing, Elsewhere]]:
    here, there = Pointing(), Elsewhere()
    with serving(here.app()) as here.url, serving(there.app()) as there.url:
        yield here, there


@pytest.fixture
def here(servers: tuple[Pointing, Elsewhere]) -> Pointing:
    """The server that a person has named, which has been asked nothing yet."""
    servers[0].keys.clear()
    servers[0].status = 307
    return servers[0]


@pytest.fixture
def elsewhere(servers: tuple[Pointing, Elsewhere]) -> Elsewhere:
    """Where it points."""
    servers[1].heard.clear()
    return servers[1]


def backend_at(kind: str, url: str) -> Backend:
    server = Server(kind=kind, name="mine", address=f"{url}/v1" if kind == "openai" else url)
    return registry.create(server.id, Settings(), server, keys.given(SecretStr(KEY)))


async def listed(backend: Backend) -> Any:
    return await backend.models()


async def asked(backend: Backend) -> Any:
    return await collect(backend, ask("m", PROMPT))


@pytest.fixture(params=["openai", "ollama"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def refused(kind: str, here: Pointing, request: Callable[[Backend], Any] = asked) -> WrongServer:
    """What a person is told who asks the server that points elsewhere."""
    backend = backend_at(kind, here.url)
    with pytest.raises(WrongServer, match="not followed") as caught:
        await request(backend)
    await backend.close()
    assert here.keys == [f"Bearer {KEY}"] * len(here.keys)
    return caught.value


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("request_", [listed, asked])
async def test_a_redirect_to_another_port_is_not_followed(
    kind: str, status: int, request_: Any, here: Pointing, elsewhere: Elsewhere
):
    here.target, here.status = lambda request: f"{elsewhere.url}{request.url.path}", status
    error = await refused(kind, here, request_)
    assert here.keys
    assert elsewhere.heard == []
    assert elsewhere.url in error.message
    assert f"the address of {kind}@mine under Models to {elsewhere.url}" in error.hint


async def test_another_name_of_the_same_machine_is_another_address(kind: str, here: Pointing):
    here.target = lambda request: f"http://localhost:{request.url.port}/again"
    assert "http://localhost:" in (await refused(kind, here)).message
    assert len(here.keys) == 1


async def test_https_on_the_same_host_is_another_address_to_be_set(kind: str, here: Pointing):
    here.target = lambda request: f"https://127.0.0.1:{request.url.port}{request.url.path}"
    path = "/v1" if kind == "openai" else ""
    assert (await refused(kind, here)).hint.endswith(f"to {here.url.replace('http:', 'https:')}{path}.")
    assert len(here.keys) == 1


async def test_a_redirect_that_is_no_address_ends_in_a_sentence(kind: str, here: Pointing):
    here.target = lambda request: "http://[nowhere"
    assert "Check the address" in (await refused(kind, here)).hint


async def test_a_redirect_within_the_same_address_is_followed_with_the_key(kind: str):
    seen: list[str] = []

    async def models(request: Request) -> Response:
        seen.append(request.headers.get("authorization", ""))
        return JSONResponse({"object": "list", "data": [{"id": "there", "object": "model"}]})

    async def tags(request: Request) -> Response:
        seen.append(request.headers.get("authorization", ""))
        return JSONResponse({"models": [], "version": "1.2.3"})

    moved = {f"/{old}": f"/new/{old}" for old in ("v1/models", "api/tags", "api/ps", "api/version")}

    async def point(request: Request) -> Response:
        return RedirectResponse(moved[request.url.path], status_code=308)

    routes = [Route(path, point) for path in moved]
    routes += [Route(path, models if "models" in path else tags) for path in moved.values()]
    with serving(Starlette(routes=routes)) as url:
        backend = backend_at(kind, url)
        assert [model.name for model in await backend.models()] == (["there"] if kind == "openai" else [])
        await backend.close()
    assert set(seen) == {f"Bearer {KEY}"}


async def test_the_default_server_s_error_names_the_variable_to_change(here: Pointing, elsewhere: Elsewhere):
    here.target = lambda request: f"{elsewhere.url}{request.url.path}"
    for name, settings, variable in (
        ("openai", Settings(openai_base_url=f"{here.url}/v1"), "OPENAI_BASE_URL"),
        ("ollama", Settings(ollama_host=here.url), "OLLAMA_HOST"),
    ):
        backend = registry.create(name, settings)
        status = await backend.status()
        await backend.close()
        assert not status.ready and elsewhere.url in status.detail
        assert f"set {variable} in .env to {elsewhere.url}" in status.hint
    assert elsewhere.heard == []
