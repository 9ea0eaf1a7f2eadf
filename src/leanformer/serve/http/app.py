"""The routes."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leanformer import __version__
from leanformer.serve.generation import Answered
from leanformer.serve.http.body import TIMEOUT_HEADER, Watch, need_type, read_body, read_lines, timeout_of
from leanformer.serve.http.direct import noted
from leanformer.serve.http.foreign import FOREIGN, HUB_CLIENT, asks_similarity
from leanformer.serve.http.guard import Guard
from leanformer.serve.http.inputs import OPTIONS, Query, read_asked, read_json, read_query
from leanformer.serve.http.openapi import describe, page
from leanformer.serve.http.pages import playground
from leanformer.serve.http.refused import KINDS, Refused
from leanformer.serve.http.stream import answer_lines
from leanformer.serve.http.tokens import Tokens, decode, tokenize
from leanformer.serve.http.written import JSON, RAW, SHAPE_HEADER, asked, told, wanted, write, written
from leanformer.serve.metrics import CONTENT_TYPE
from leanformer.serve.service import Service
from leanformer.serve.settings import RequestLimits
from leanformer.serve.tracing import make_trace
from leanformer.serve.workers.queues import PRIORITY_HEADER, priority_of

_FOLDERS = re.compile(r"(?<![\w.])~?/(?:[^\s/:,]+/)*")
_LINES_TYPES = ("application/x-ndjson", "application/jsonlines", "application/x-jsonlines")


def without_folders(text: str | None) -> str | None:
    """The text with the names of its files, and not where they lie: that is for the log, not for clients."""
    return text and _FOLDERS.sub("", text)


def make_app(service: Service) -> ASGIApp:
    """The ASGI application of a service."""
    routes = Routes(service)
    app: ASGIApp = Starlette(
        routes=[
            *(Route(f"/{option}", partial(routes.ask, route=option), methods=["POST"]) for option in OPTIONS),
            *(Route(f"/{option}/stream", partial(routes.stream, route=option), methods=["POST"]) for option in OPTIONS),
            *(Route(f"/{path}", partial(routes.ask_foreign, path=path), methods=["POST"]) for path in FOREIGN),
            Route("/tokenize", routes.tokenize, methods=["POST"]),
            Route("/decode", routes.decode, methods=["POST"]),
            Route("/embed_sparse", routes.embed_sparse, methods=["POST"]),
            Route("/v1/models", routes.models),
            Route("/info", routes.info),
            Route("/health", routes.health),
            Route("/ready", routes.ready),
            Route("/metrics", routes.metrics),
            Route("/openapi.json", routes.openapi),
            Route("/docs", routes.docs),
            Route("/", routes.root, methods=["GET", "POST"]),
        ],
        exception_handlers={Refused: _refused, HTTPException: _http},  # type: ignore[dict-item]
    )
    app = Guard(app, service.settings, service.metrics, service.log)
    if service.settings.origins:
        app = CORSMiddleware(
            app, allow_origins=service.settings.origins, allow_methods=("GET", "POST"),
            allow_headers=("authorization", "content-type", "x-request-id", TIMEOUT_HEADER, PRIORITY_HEADER),
            expose_headers=("server-timing", "x-request-id", "leanformer-model", "leanformer-version", SHAPE_HEADER),
        )  # fmt: skip
    return app


class Routes:
    """One method per route."""

    def __init__(self, service: Service) -> None:
        self.service, self.limits = service, service.settings.limits
        self.trace = make_trace() if service.settings.tracing else None

    async def ask(self, request: Request, route: str) -> Response:
        query, media = read_asked(await self._body(request), self.limits, route), _media(request)
        body, headers = written(await self._answer(request, asked(query, media)), media)
        return Response(body, 200, headers, media)

    async def ask_foreign(self, request: Request, path: str) -> Response:
        """A route of another server (`foreign.FOREIGN`)."""
        return await self._ask_foreign(request, read_json(await self._body(request)), path)

    async def _ask_foreign(self, request: Request, value: Any, path: str) -> Response:
        foreign = FOREIGN[path]
        media = _values_only(request, path)
        query, fields = foreign.read(value, self.limits)
        query = foreign.suited(query, self.service)
        try:
            answered = await self._answer(request, query)
        except Refused as refused:
            raise foreign.renamed(refused, fields) from refused
        return Response(write(foreign.answer(answered, fields), media), 200, told(answered), media)

    async def tokenize(self, request: Request) -> Response:
        return await self._with_tokens(request, "tokenize", tokenize)

    async def decode(self, request: Request) -> Response:
        return await self._with_tokens(request, "decode", decode)

    async def _with_tokens(
        self, request: Request, path: str, answer: Callable[[Any, RequestLimits, Tokens], Awaitable[Any]]
    ) -> Response:
        media = _values_only(request, path)
        value = read_json(await self._body(request))
        answered = await answer(value, self.limits, self.service.generation.tokens_of(value))
        return Response(write(answered, media), media_type=media)

    async def embed_sparse(self, request: Request) -> Response:
        raise Refused(404, "no model here gives sparse vectors; /embed gives dense ones")

    async def ask_any(self, request: Request) -> Response:
        """`ask` on the model's own route, as in text-embeddings-inference and Hugging Face's endpoints."""
        value = read_json(await self._body(request))
        if asks_similarity(value):
            return await self._ask_foreign(request, value, "similarity")
        query, media = read_query(value, self.limits, self.service.route_of(value)), _media(request)
        answered = await self._answer(request, asked(query, media))
        # Hugging Face's own client takes the first item of the response as the answer to its single text.
        if (
            answered.single
            and media != RAW
            and answered.model.route == "predict"
            and HUB_CLIENT in request.headers.get("user-agent", "")
        ):
            return Response(write([answered.value], media), 200, told(answered), media)
        body, headers = written(answered, media)
        return Response(body, 200, headers, media)

    async def _body(self, request: Request) -> bytes:
        need_type(request, "application/json")
        # What is wrong with them is told before the body is read.
        timeout_of(request, self.limits)
        priority_of(request.headers)
        return await read_body(request, self.limits)

    async def _answer(self, request: Request, query: Query) -> Answered:
        timeout, priority = timeout_of(request, self.limits), priority_of(request.headers)
        start = time.time_ns()
        watch = Watch(request)
        try:
            answered = await self.service.answer(query, timeout=timeout, accepted=watch.over, priority=priority)
        finally:
            watch.end()
        request.scope["leanformer"].update(noted(answered))
        if self.trace is not None:
            self.trace(request.headers, start, answered)
        return answered

    async def stream(self, request: Request, route: str) -> Response:
        need_type(request, *_LINES_TYPES)
        timeout, priority = timeout_of(request, self.limits), priority_of(request.headers)
        _ = self.service.generation  # raise "not ready" once, and not on every line
        return Lines(answer_lines(self.service, read_lines(request, self.limits), timeout, route, priority))

    async def info(self, request: Request) -> Response:
        generation = self.service.generation
        models = [
            {
                "name": model.name,
                "version": model.version,
                # A matrix is of no use to a reader here.
                "task": {key: value for key, value in model.task.to_json().items() if key != "transitions"},
                "max_tokens": model.max_tokens,
                "engine": {name: without_folders(text) for name, text in generation.engine_of(model).items()},
                **model.facts,
            }
            for model in generation.models.values()
        ]
        settings = self.service.settings
        limits = dict(vars(self.limits))
        return _json({"version": __version__, "models": models, "workers": settings.workers, "limits": limits})

    async def models(self, request: Request) -> Response:
        """As OpenAI's clients ask for them."""
        models = [
            {"id": name, "object": "model", "created": 0, "owned_by": "leanformer"}
            for name in self.service.generation.models
        ]
        return _json({"object": "list", "data": models})

    async def health(self, request: Request) -> Response:
        return _json({"status": "alive"})

    async def ready(self, request: Request) -> Response:
        if not self.service.ready:
            raise Refused(503, "not ready: no worker is alive", {"retry-after": "1"})
        return _json({"status": "ready"})

    async def metrics(self, request: Request) -> Response:
        self.service.gauge()
        return Response(self.service.metrics.render(), media_type=CONTENT_TYPE)

    async def openapi(self, request: Request) -> Response:
        return _json(self._described())

    async def docs(self, request: Request) -> Response:
        return HTMLResponse(page(self._described()))

    def _described(self) -> dict[str, Any]:
        return describe(self.service.settings, self.service.tasks, self.service.largest_id)

    async def root(self, request: Request) -> Response:
        return await self.ask_any(request) if request.method == "POST" else playground()


class Lines(Response):
    """Streams lines. Starlette's streaming response would listen for a disconnect, and consume the request's lines."""

    def __init__(self, lines: AsyncIterator[bytes]) -> None:
        super().__init__(media_type=_LINES_TYPES[0])
        del self.headers["content-length"]
        self._lines = lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Not before the first line: a client waiting for permission to send would take a response for a refusal.
        start: Message | None = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        try:
            async for line in self._lines:
                if start is not None:
                    await send(start)
                    start = None
                await send({"type": "http.response.body", "body": line, "more_body": True})
        finally:
            await self._lines.aclose()  # type: ignore[attr-defined]
        if start is not None:
            await send(start)
        await send({"type": "http.response.body", "body": b""})


def _media(request: Request) -> str:
    return wanted(request.headers.get("accept", ""))


def _values_only(request: Request, path: str) -> str:
    """The media type that the client wants. Raises `Refused` (406) if that is raw numbers."""
    media = _media(request)
    if media == RAW:
        raise Refused(406, f"/{path} answers with no raw numbers; ask for {JSON}")
    return media


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(write(value, JSON), status, headers, JSON)


async def _refused(request: Request, error: Refused) -> Response:
    value: dict[str, Any] = error.to_json()
    if request.url.path.startswith("/v1/"):  # where OpenAI's clients look for the message
        value = {"error": {"message": error.message, "type": value["error_type"], "param": None, "code": None}}
    return _json(value, error.status, error.headers)


async def _http(request: Request, error: HTTPException) -> Response:
    kind = KINDS.get(error.status_code, "malformed")
    headers = None if error.headers is None else dict(error.headers)
    return _json({"error": error.detail, "error_type": kind}, error.status_code, headers)
