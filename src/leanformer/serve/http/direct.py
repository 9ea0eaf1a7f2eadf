"""The short way of an ordinary request: from the HTTP parser to the workers and back, without an ASGI application.

Ordinary is a POST to one of our own routes that has arrived whole, with no header that changes how it is read or
answered. Most requests are, and most of what they cost used to be tasks, messages and middleware. All others go through
`app.py`. Both ways use the same checks, queue, words and records, so a client cannot tell which one it got.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from leanformer.serve.generation import Answered, Begun
from leanformer.serve.http.access import Access
from leanformer.serve.http.body import TIMEOUT_HEADER
from leanformer.serve.http.foreign import HUB_CLIENT, asks_similarity
from leanformer.serve.http.guard import HEADERS, Records, log_failure, request_id_of
from leanformer.serve.http.inputs import OPTIONS, Query, read_asked, read_json, read_query
from leanformer.serve.http.refused import Refused
from leanformer.serve.http.written import JSON, asked, wanted, write_json, written
from leanformer.serve.service import Service
from leanformer.serve.workers.queues import PRIORITY_HEADER, priority_of

if TYPE_CHECKING:
    from leanformer.serve.http.connection import Connection

# The root answers as the route of the model.
_ROUTES = {b"/": None, **{f"/{route}".encode(): route for route in OPTIONS}}
_UNUSUAL = frozenset(
    (b"transfer-encoding", b"expect", b"upgrade", b"http2-settings", b"origin", TIMEOUT_HEADER.encode())
)
_PRIORITY = PRIORITY_HEADER.encode()
_ALWAYS = b"".join(name + b": " + value + b"\r\n" for name, value in HEADERS) + b"\r\n"


def noted(answered: Answered) -> dict[str, Any]:
    """The fields of the log line of an answered request."""
    return {
        "model": answered.model.name, "texts": len(answered.answers), "tokens": answered.tokens,
        **{f"{stage}_ms": round(value * 1000, 3) for stage, value in answered.seconds.items()},
    }  # fmt: skip


class Direct:
    """Takes ordinary requests of a service's connections."""

    def __init__(self, service: Service) -> None:
        settings = service.settings
        self.service, self.limits, self.log = service, settings.limits, service.log
        self.access, self.records = Access(settings), Records(settings, service.metrics, service.log)
        self.on = not settings.tracing

    def headers(self, connection: Connection) -> dict[bytes, bytes] | None:
        """The headers of a request whose head is complete; None if it is not an ordinary one."""
        parser, given = connection.parser, connection.headers
        if connection.url not in _ROUTES or parser.get_method() != b"POST" or not self.on:
            return None
        headers = dict(given)
        if (
            len(headers) != len(given)
            or not _UNUSUAL.isdisjoint(headers)
            or headers.get(b"content-type", b"").partition(b";")[0].strip().lower() != JSON.encode()
            or not 0 < len(length := headers.get(b"content-length", b"")) < 16
            or int(length) > self.limits.body_bytes
            or parser.get_http_version() != "1.1"
            or not parser.should_keep_alive()
            or len(connection.connections) > self.limits.connections
            or connection.flow.write_paused
            or (connection.url == b"/" and HUB_CLIENT.encode() in headers.get(b"user-agent", b""))
            or not self.access.knows(headers.get(b"host", b""))
            or not self.access.allows(headers.get(b"authorization", b""))
        ):
            return None
        return headers

    def take(self, connection: Connection, headers: Mapping[bytes, bytes], body: bytes) -> Flight | None:
        """Begin to answer a request; None if it needs more work than may be done at once."""
        flight = Flight(self, connection, headers)
        refusal = None
        try:
            priority = priority_of(headers, _PRIORITY)
            if (query := self._query(connection.url, body)) is not None:
                query = asked(query, flight.media)
                flight.begun = self.service.begin(query, timeout=self.limits.timeout_seconds, priority=priority)
        except Refused as refused:
            refusal = refused
        except Exception as error:
            refusal = log_failure(self.log, error, flight.request_id)
        if refusal is None and flight.begun is None:
            return None
        connection.cycle = flight  # type: ignore[assignment]
        if refusal is not None:
            flight.end(refusal)
        elif flight.begun is not None:
            flight.begun.job.answer.add_done_callback(flight.done)
        return flight

    def _query(self, url: bytes, body: bytes) -> Query | None:
        """What a body asks; None if another server's route answers it. Raises `Refused`."""
        if (route := _ROUTES[url]) is not None:
            return read_asked(body, self.limits, route)
        value = read_json(body)
        return None if asks_similarity(value) else read_query(value, self.limits, self.service.route_of(value))


class Flight:
    """One request on the short way; to uvicorn's connection it is the request's cycle."""

    __slots__ = (
        "begun", "connection", "direct", "disconnected", "keep_alive", "media", "path", "request_id",
        "response_complete", "start",
    )  # fmt: skip
    more_body = False
    # Set by uvicorn when the connection is lost, for which this waits in another way.
    message_event = asyncio.Event()

    def __init__(self, direct: Direct, connection: Connection, headers: Mapping[bytes, bytes]) -> None:
        self.direct, self.connection = direct, connection
        self.request_id = request_id_of(headers.get(b"x-request-id", b""))
        self.media = wanted(headers[b"accept"].decode("latin-1")) if b"accept" in headers else JSON
        self.path, self.start = connection.url, time.perf_counter()
        self.begun: Begun | None = None
        self.keep_alive, self.response_complete, self.disconnected = True, False, False

    def lost(self) -> None:
        """The connection is lost: nobody waits for the answer."""
        self.disconnected = True
        if self.begun is not None:
            self.begun.drop()

    def done(self, answer: asyncio.Future[Any]) -> None:
        """The job has its logits, or the reason why it will not get them."""
        begun = self.begun
        assert begun is not None
        try:
            answered = begun.answered(begun.model.answer_now(answer.result(), begun.reading, begun.query))
            body, headers = written(answered, self.media)
        except Refused as refused:
            self.end(refused)
        except Exception as error:
            self.end(log_failure(self.direct.log, error, self.request_id))
        else:
            self._write(200, headers, body, self.media)
            self.direct.service.count(answered)
            self._record(200, noted(answered) if self.direct.records.logged else {})

    def end(self, refused: Refused) -> None:
        """Answer with a refusal."""
        self._write(refused.status, refused.headers, write_json(refused.to_json()))
        self._record(refused.status, {})

    def _write(self, status: int, headers: Mapping[str, str], body: bytes, media: str = JSON) -> None:
        connection, self.begun, self.response_complete = self.connection, None, True
        if self.disconnected:
            return
        told = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        told += f"content-length: {len(body)}\r\ncontent-type: {media}\r\nx-request-id: {self.request_id}\r\n"
        if not self.keep_alive:
            told += "connection: close\r\n"
        parts = [
            STATUS_LINE[status],
            *(name + b": " + value + b"\r\n" for name, value in connection.server_state.default_headers),
        ]
        connection.transport.write(b"".join((*parts, told.encode("latin-1"), _ALWAYS, body)))
        if not self.keep_alive:
            connection.transport.close()
        connection.on_response_complete()

    def _record(self, status: int, fields: Mapping[str, Any]) -> None:
        seconds = time.perf_counter() - self.start
        self.direct.records.add("POST", self.path.decode(), status, seconds, self.request_id, fields)
