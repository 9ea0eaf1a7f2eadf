"""Middleware around every request: access control, a request id, a log line, and a defined end whatever happens."""

from __future__ import annotations

import asyncio
import json
import re
import time
import traceback
from collections.abc import Mapping
from random import getrandbits
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leanformer.serve.http.access import OPEN_ROUTES, Access
from leanformer.serve.http.foreign import FOREIGN
from leanformer.serve.http.inputs import OPTIONS
from leanformer.serve.http.refused import KINDS, Refused
from leanformer.serve.logs import Log
from leanformer.serve.metrics import Metrics
from leanformer.serve.settings import ServerSettings

ROUTES = (
    *OPEN_ROUTES,
    "/info",
    "/metrics",
    "/tokenize",
    "/decode",
    "/v1/models",
    *(f"/{path}" for path in FOREIGN),
    *(f"/{option}{way}" for option in OPTIONS for way in ("", "/stream")),
)
# In a request's scope: a function that aborts its connection. See `connection.py`.
ABORT = "leanformer.abort"
# In a request's scope: functions that tell whether its whole body has arrived, and whether its client reads the
# response too slowly. If neither has to be waited for, no deadline need be set, which would cost more than everything
# else in the middleware.
WHOLE, BEHIND = "leanformer.whole", "leanformer.behind"
# In a request's scope: whether it has been refused and counted as what is no HTTP.
COUNTED = "leanformer.counted"
# In a request's scope: number of open connections.
CONNECTIONS = "leanformer.connections"
_QUIET = ("/health", "/ready", "/metrics")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
)


class Records:
    """What is kept of a request at its end: a metric and, if wanted, a line of the log."""

    def __init__(self, settings: ServerSettings, metrics: Metrics, log: Log) -> None:
        self.logged, self._metrics, self._log = settings.access_log, metrics, log

    def add(
        self, method: str, path: str, status: int, seconds: float, request_id: str, fields: Mapping[str, Any]
    ) -> None:
        """`status` is 0 for a request that got no response; `fields` are further ones of the log."""
        route, status = path if path in ROUTES else "other", status or 499
        self._metrics.requests(route, str(status)).inc()
        if status >= 400:
            self._metrics.refused(KINDS.get(status, "other")).inc()
        if self.logged and not (route in _QUIET and status == 200):
            self._log.soon(
                "request", request_id=request_id, method=method, route=route, status=status,
                ms=round(seconds * 1000, 3), **fields,
            )  # fmt: skip


def request_id_of(given: bytes) -> str:
    """The client's own id of a request, from its header, or a new one."""
    told = given.decode("latin-1")
    return told if _REQUEST_ID.fullmatch(told) else f"{getrandbits(128):032x}"


def log_failure(log: Log, error: Exception, request_id: str) -> Refused:
    """Log an exception that nobody expected; the refusal that the client gets."""
    # Log the location, not the message, which may contain parts of the request.
    frames = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-6:]]
    log("failure", level="error", request_id=request_id, error=type(error).__name__, frames=frames)
    return Refused(500, "the server failed; its log has the place under this request id")


class _CutError(Exception):
    """A client did not read its response in time; the connection is aborted."""


class Guard:
    """ASGI middleware; handlers add fields for the log to `scope["leanformer"]`, a dict."""

    def __init__(self, app: ASGIApp, settings: ServerSettings, metrics: Metrics, log: Log) -> None:
        self._app, self._limits, self._log = app, settings.limits, log
        self._access, self._records = Access(settings), Records(settings, metrics, log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        start = time.perf_counter()
        headers = dict(scope["headers"])
        request_id = request_id_of(headers.get(b"x-request-id", b""))
        fields: dict[str, Any] = {}
        scope["leanformer"] = fields
        status = 0
        behind = scope.get(BEHIND, _always)

        async def mark(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode()), *HEADERS]
            if not behind():
                return await send(message)
            try:
                async with asyncio.timeout(self._limits.send_seconds):
                    await send(message)
            except TimeoutError as error:
                fields["cut"] = "the client did not read its answer"
                scope.get(ABORT, _nothing)()
                raise _CutError from error

        try:
            limit = self._limits.connections
            if scope.get(CONNECTIONS, 0) > limit and scope["path"] not in ("/health", "/ready"):
                more = {"retry-after": "1", "connection": "close"}
                raise Refused(503, f"too many connections; the limit connections is {limit}", more)
            self._access.check(scope)
            await self._app(scope, receive, mark)
        except Refused as refused:
            await _answer(refused, mark)
        except _CutError:
            status = 499
        except Exception as error:
            failed = log_failure(self._log, error, request_id)
            if not status:
                await _answer(failed, mark)
        finally:
            # In the loop's next iteration: the response leaves at the end of this one and need not wait for the log.
            seconds = time.perf_counter() - start
            if not scope.get(COUNTED):
                asyncio.get_running_loop().call_soon(
                    self._records.add, scope["method"], scope["path"], status, seconds, request_id, fields
                )


async def _answer(refused: Refused, send: Send) -> None:
    body = json.dumps(refused.to_json()).encode()
    headers = {"content-type": "application/json", "content-length": str(len(body)), **refused.headers}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refused.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def _always() -> bool:
    """Default for servers that do not provide this."""
    return True


def _nothing() -> None:
    """Default for servers whose connections cannot be aborted from here."""
