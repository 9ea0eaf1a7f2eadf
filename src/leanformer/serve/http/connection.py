"""uvicorn's HTTP protocol with deadlines, and without upgrades to other protocols.

uvicorn closes connections that are idle between requests. But it waits forever for the head of the first request, and
for the rest of a body that no handler reads any more; here both have a deadline. And if a client offers to upgrade to
another protocol (a WebSocket, HTTP/2), uvicorn's parser drops the body and ignores all following requests; here the
offer is declined, as HTTP allows, by answering in HTTP/1.1.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from leanformer.serve.http.guard import ABORT, BEHIND, CONNECTIONS, TARGET, WHOLE

_GRACE_SECONDS = 0.5
# Headers of an offer to change the protocol (RFC 9110, 7.8; RFC 7540, 3.2.1).
_OFFER = (b"connection", b"upgrade", b"http2-settings")


class Connection(HttpToolsProtocol):
    """One connection; `receive_seconds` is set on the subclass that `with_deadline` makes."""

    receive_seconds = 10.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._decline(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse()

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

    def on_message_begin(self) -> None:
        self._arm()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._disarm()
        if self.parser.should_upgrade():
            return  # see `_decline`
        super().on_headers_complete()
        # The task of the request has been created but has not run yet.
        self.scope[ABORT] = self.transport.abort  # type: ignore[literal-required]
        cycle = self.cycle
        self.scope[WHOLE] = lambda: not cycle.more_body  # type: ignore[literal-required]
        self.scope[BEHIND] = lambda: self.flow.write_paused  # type: ignore[literal-required]
        self.scope[TARGET] = self.url  # type: ignore[literal-required]
        self.scope[CONNECTIONS] = len(self.connections)  # type: ignore[literal-required]

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._disarm()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if self.cycle.more_body and not self.pipeline:
            self._arm()
        super().on_response_complete()

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


def with_deadline(receive_seconds: float) -> type[Connection]:
    """The class of connections whose heads, and unread rests of bodies, must arrive within `receive_seconds`."""
    return type("Connection", (Connection,), {"receive_seconds": receive_seconds})
