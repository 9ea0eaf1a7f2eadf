"""Middleware around every request: access control, a request id, a log line, and a defined end whatever happens."""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import time
import traceback
import uuid
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leanformer.serve.http.inputs import OPTIONS
from leanformer.serve.http.refused import KINDS, Refused
from leanformer.serve.logs import Log
from leanformer.serve.metrics import Metrics
from leanformer.serve.settings import LOOPBACK_NAMES, ServerSettings

# Health checks carry no key, and the pages contain nothing that is not in the source of this package.
OPEN_ROUTES = ("/", "/docs", "/openapi.json", "/health", "/ready")
ROUTES = (*OPEN_ROUTES, "/info", "/metrics", *(f"/{option}{way}" for option in OPTIONS for way in ("", "/stream")))
# In a request's scope: a function that aborts its connection. See `connection.py`.
ABORT = "leanformer.abort"
# In a request's scope: functions that tell whether its whole body has arrived, and whether its client reads the
# response too slowly. If neither has to be waited for, no deadline need be set, which would cost more than everything
# else in the middleware.
WHOLE, BEHIND = "leanformer.whole", "leanformer.behind"
# In a request's scope: the request target of its first line, as received.
TARGET = "leanformer.target"
# In a request's scope: number of open connections.
CONNECTIONS = "leanformer.connections"
_QUIET = ("/health", "/ready", "/metrics")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)


class _CutError(Exception):
    """A client did not read its response in time; the connection is aborted."""


class Guard:
    """ASGI middleware; handlers add fields for the log to `scope["leanformer"]`, a dict."""

    def __init__(self, app: ASGIApp, settings: ServerSettings, metrics: Metrics, log: Log) -> None:
        self._app, self._settings, self._metrics, self._log = app, settings, metrics, log
        self._key = None if settings.key is None else settings.key.encode()
        self._hosts = {*LOOPBACK_NAMES, *(host.lower() for host in settings.hosts)} if settings.loopback else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        start = time.perf_counter()
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        fields: dict[str, Any] = {}
        scope["leanformer"] = fields
        status = 0
        behind = scope.get(BEHIND, _always)

        async def mark(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode()), *_HEADERS]
            if not behind():
                return await send(message)
            try:
                async with asyncio.timeout(self._settings.limits.send_seconds):
                    await send(message)
            except TimeoutError as error:
                fields["cut"] = "the client did not read its answer"
                scope.get(ABORT, _nothing)()
                raise _CutError from error

        try:
            limit = self._settings.limits.connections
            if scope.get(CONNECTIONS, 0) > limit and scope["path"] not in ("/health", "/ready"):
                more = {"retry-after": "1", "connection": "close"}
                raise Refused(503, f"too many connections; the limit connections is {limit}", more)
            self._check(scope)
            await self._app(scope, receive, mark)
        except Refused as refused:
            await _answer(refused, mark)
        except _CutError:
            status = 499
        except Exception as error:
            # Log the location, not the message, which may contain parts of the request.
            frames = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-6:]]
            self._log("failure", level="error", request_id=request_id, error=type(error).__name__, frames=frames)
            if not status:
                await _answer(Refused(500, "the server failed; its log has the place under this request id"), mark)
        finally:
            # In the loop's next iteration: the response leaves at the end of this one and need not wait for the log.
            seconds = time.perf_counter() - start
            asyncio.get_running_loop().call_soon(self._finish, scope, status, seconds, request_id, fields)

    def _check(self, scope: Scope) -> None:
        """Raise `Refused` for a request that is for another server, or lacks a required key."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        target = scope.get(TARGET, b"/")
        # Two servers that read such a request might each see a different host.
        if len(hosts) > 1:
            raise Refused(400, "the request has more than one Host header", {"connection": "close"})
        if scope["path"].startswith("//"):
            raise Refused(400, "the request's path begins with two slashes", {"connection": "close"})
        if not target.startswith((b"/", b"*")):
            # An absolute address, as sent to proxies (RFC 9112, 3.2.2): its host takes precedence.
            hosts.append(_host_of(target))
        if self._hosts is not None:
            for host in hosts or [b""]:
                name = host.decode("latin-1").lower()
                name = name.rpartition(":")[0] if re.search(r":\d*$", name) else name
                if name not in self._hosts:
                    raise Refused(421, "this server answers to the names of the loopback address; see --allow-host")
        if self._key is None or (scope["path"] in OPEN_ROUTES and scope["method"] in ("GET", "HEAD", "OPTIONS")):
            return
        headers = dict(scope["headers"])
        scheme, _, key = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(key.strip(), self._key):
            raise Refused(401, "a valid key is needed: Authorization: Bearer KEY", {"www-authenticate": "Bearer"})

    def _finish(self, scope: Scope, status: int, seconds: float, request_id: str, fields: dict[str, Any]) -> None:
        route = scope["path"] if scope["path"] in ROUTES else "other"
        self._metrics.requests(route, str(status or 499)).inc()
        if status >= 400 or not status:
            self._metrics.refused(KINDS.get(status or 499, "other")).inc()
        if self._settings.access_log and not (route in _QUIET and status == 200):
            self._log(
                "request", request_id=request_id, method=scope["method"], route=route, status=status or 499,
                ms=round(seconds * 1000, 3), **fields,
            )  # fmt: skip


async def _answer(refused: Refused, send: Send) -> None:
    body = json.dumps(refused.to_json()).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), **refused.headers}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refused.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def _host_of(target: bytes) -> bytes:
    """The host, with its port if there is one, of an address like http://host:80/path. Raises `Refused` (400)."""
    scheme, _, rest = target.partition(b"://")
    host = re.split(rb"[/?#]", rest, maxsplit=1)[0]
    if scheme.lower() not in (b"http", b"https") or not host or b"@" in host:
        raise Refused(400, "the request's first line names no address of this server", {"connection": "close"})
    return host


def _always() -> bool:
    """Default for servers that do not provide this."""
    return True


def _nothing() -> None:
    """Default for servers whose connections cannot be aborted from here."""
