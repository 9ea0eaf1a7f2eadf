"""uvicorn's HTTP protocol with deadlines and a limit on heads, and without upgrades to other protocols.

uvicorn closes connections that are idle between requests. But it waits forever for the head of the first request, for
the rest of a body that no handler reads any more, and for a client to read the end of an answer, even after closing;
here these have deadlines. It keeps a head of any length, and takes headers after a body in chunks for those of the
head; here a head has limits, and such headers are dropped. And if a client offers to upgrade to another protocol (a
WebSocket, HTTP/2), uvicorn's parser drops the body and ignores all following requests; here the offer is declined, as
HTTP allows, by answering in HTTP/1.1.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from leanformer.serve.http.access import TARGET
from leanformer.serve.http.direct import Direct, Flight
from leanformer.serve.http.guard import ABORT, BEHIND, CONNECTIONS, COUNTED, WHOLE

_GRACE_SECONDS = 0.5
# Most bytes that may arrive without completing a head or adding to a body, besides those that arrive together with its
# beginning; and most headers.
_HEAD_BYTES, _HEADERS = 1 << 16, 256
# Headers of an offer to change the protocol (RFC 9110, 7.8; RFC 7540, 3.2.1).
_OFFER = (b"connection", b"upgrade", b"http2-settings")


class Connection(HttpToolsProtocol):
    """One connection; the class attributes are set on the subclass that `connections_of` makes."""

    receive_seconds = send_seconds = 10.0
    direct: Direct | None = None
    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _in_head = False
    _head_bytes = 0
    # The headers of a request that may take the short way (`direct.py`), from the end of its head to that of its body.
    _ordinary: dict[bytes, bytes] | None = None
    _body = b""
    _flight: Flight | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._forget()
        if self._flight is not None and not self._flight.response_complete:
            self._flight.lost()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._head_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse()
        else:
            if self._head_bytes > _HEAD_BYTES:
                return self._refuse()
            if self._ordinary is not None:  # its body has still to come
                self._go_on()
            if self._in_head and self._deadline is None:
                self._arm()

    def _decline(self, rest: bytes) -> None:
        """Parse the request again without the offer, and then the data after its head."""
        method = self.parser.get_method()
        if method == b"CONNECT":
            return self._refuse()
        close = any(name == b"connection" and b"close" in value.lower() for name, value in self.headers)
        head = [(name, value) for name, value in self.headers if name not in _OFFER]
        head += [(b"connection", b"close")] if close else []
        lines = [method + b" " + self.url + b" HTTP/1.1", *(name + b": " + value for name, value in head)]
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"\r\n".join(lines) + b"\r\n\r\n" + rest)

    def _refuse(self) -> None:
        self.logger.warning("Invalid HTTP request received.")
        self.send_400_response("Invalid HTTP request received.")
        if self.cycle is not None and not self.cycle.response_complete:
            self.scope[COUNTED] = True  # type: ignore[literal-required]
        if self.direct is not None:
            # Its method and path may be anything.
            self.direct.records.add("?", "", 400, 0.0, "", {})
        self._watch()

    def on_message_begin(self) -> None:
        # The timer is set only if the head is not complete with the data at hand.
        self._disarm()
        # Set if the request before, in the same data, has been answered already.
        self._unset_keepalive_if_required()
        self._forget()
        self._in_head, self._head_bytes, self._ordinary = True, 0, None
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # after a body in chunks
        if len(self.headers) >= _HEADERS:
            raise ValueError("too many headers")  # refused in `data_received`: the parser makes it an error of its own
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._disarm()
        self._in_head, self._head_bytes = False, 0
        if self.parser.should_upgrade():
            return  # see `_decline`
        if self.direct is not None and (self.cycle is None or self.cycle.response_complete):
            self._ordinary, self._body = self.direct.headers(self), b""
        if self._ordinary is None:
            self._begin()

    def _begin(self) -> None:
        """Start the request's task, which takes the long way."""
        super().on_headers_complete()
        # The task of the request has been created but has not run yet.
        self.scope[ABORT] = self.transport.abort  # type: ignore[literal-required]
        cycle = self.cycle
        self.scope[WHOLE] = lambda: not cycle.more_body  # type: ignore[literal-required]
        self.scope[BEHIND] = lambda: self.flow.write_paused  # type: ignore[literal-required]
        self.scope[TARGET] = self.url  # type: ignore[literal-required]
        self.scope[CONNECTIONS] = len(self.connections)  # type: ignore[literal-required]

    def _go_on(self) -> None:
        """Let a request take the long way, with what has arrived of its body."""
        body, self._ordinary = self._body, None
        self._begin()
        if body:
            super().on_body(body)

    def on_body(self, body: bytes) -> None:
        self._head_bytes = 0
        if self._ordinary is None:
            super().on_body(body)
        else:
            self._body += body

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        if self._ordinary is not None:
            assert self.direct is not None
            flight = self.direct.take(self, self._ordinary, self._body)
            if flight is not None:
                self._ordinary, self._flight = None, flight
                return
            self._go_on()
        self._disarm()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if self.cycle.more_body and not self.pipeline:
            self._arm()
        super().on_response_complete()
        if self.transport.is_closing() or self.flow.write_paused:
            self._watch()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch()

    def _watch(self) -> None:
        """Break off the connection if its client reads nothing of the answers that are complete for `send_seconds`."""
        self._forget()
        # While an answer is being written, `Guard` sees to it.
        over = self.transport.is_closing() or (self.cycle is not None and self.cycle.response_complete)
        if over and (unread := self.transport.get_write_buffer_size()):
            self._unread = self.loop.call_later(self.send_seconds, self._look, unread)

    def _look(self, before: int) -> None:
        if self.transport.get_write_buffer_size() < before:
            self._watch()
        else:
            self.transport.abort()

    def _forget(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _arm(self) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(self.receive_seconds, self._late)

    def _late(self) -> None:
        # The server may be late, with data received but not yet read: then they will be read before this check.
        self._deadline = self.loop.call_later(_GRACE_SECONDS, self.transport.abort)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def connections_of(
    receive_seconds: float, send_seconds: float = 10.0, direct: Direct | None = None
) -> type[Connection]:
    """The class of a server's connections.

    Args:
        receive_seconds: their heads, and unread rests of bodies, must arrive within this time.
        send_seconds: longest time that a client may leave the end of an answer unread.
        direct: takes ordinary requests; None if all take the long way.
    """
    limits = {"receive_seconds": receive_seconds, "send_seconds": send_seconds, "direct": direct}
    return type("Connection", (Connection,), limits)
