"""A server for tests that says the key which it was shown wherever it can: in lists, errors and answers."""

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route


class Echo:
    """Speaks OpenAI's protocol and Ollama's. `refuse` is a status, `pieces` how many an answer comes in."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []
        self.refuse = 0
        self.pieces = 1
        self.pause = 0.0
        self.url = ""

    def app(self) -> Starlette:
        gets = {"/v1/models": self.models, "/api/tags": self.tags, "/api/ps": self.tags, "/api/version": self.tags}
        posts = {"/v1/chat/completions": self.openai, "/api/chat": self.ollama, "/api/show": self.show}
        routes = [Route(path, handler) for path, handler in gets.items()]
        return Starlette(routes=[*routes, *(Route(path, handler, methods=["POST"]) for path, handler in posts.items())])

    def key(self, request: Request) -> str:
        self.headers.append(dict(request.headers))
        return request.headers.get("authorization", "").removeprefix("Bearer ")

    async def show(self, request: Request) -> Response:
        self.key(request)
        return JSONResponse({"capabilities": ["completion"], "details": {}, "model_info": {}})

    async def models(self, request: Request) -> Response:
        key = self.key(request)
        if self.refuse:
            return JSONResponse({"error": {"message": f"no {key} here"}}, status_code=self.refuse)
        return JSONResponse({"object": "list", "data": [{"id": name, "object": "model"} for name in ("m", f"m-{key}")]})

    async def tags(self, request: Request) -> Response:
        key = self.key(request)
        if self.refuse:
            return JSONResponse({"error": f"no {key} here"}, status_code=self.refuse)
        known = [{"name": "m:latest", "model": "m:latest", "digest": "abc"}]
        return JSONResponse({"models": known if request.url.path == "/api/tags" else [], "version": "1.2.3"})

    def split(self, text: str) -> list[str]:
        size = -(-len(text) // self.pieces)
        return [text[at : at + size] for at in range(0, len(text), size)]

    async def openai(self, request: Request) -> Response:
        key = self.key(request)
        if self.refuse:
            said = {"error": {"message": f"Incorrect key {key} given", "code": "bad"}}
            return JSONResponse(said, status_code=self.refuse)

        async def events() -> AsyncIterator[str]:
            for piece in self.split(f"You sent {key} to me."):
                await asyncio.sleep(self.pause)
                token = {"token": piece, "logprob": -0.1, "top_logprobs": []}
                choice = {"index": 0, "delta": {"content": piece}, "logprobs": {"content": [token]}}
                yield f"data: {json.dumps({'id': 'c', 'object': 'chat.completion.chunk', 'choices': [choice]})}\n\n"
            last = {"index": 0, "delta": {}, "finish_reason": "stop"}
            yield f"data: {json.dumps({'id': 'c', 'object': 'chat.completion.chunk', 'choices': [last]})}\n\n"
            yield "data: [DONE]\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    async def ollama(self, request: Request) -> Response:
        key = self.key(request)
        if self.refuse:
            return JSONResponse({"error": f"Incorrect key {key} given"}, status_code=self.refuse)

        async def lines() -> AsyncIterator[str]:
            for piece in self.split(f"You sent {key} to me."):
                yield json.dumps({"model": "m", "message": {"role": "assistant", "content": piece}}) + "\n"
            final = {"model": "m", "message": {"role": "assistant", "content": ""}, "done": True}
            yield json.dumps(final | {"done_reason": "stop"}) + "\n"

        return StreamingResponse(lines(), media_type="application/x-ndjson")
