"""A connection that is not kept waiting for by a client that dawdles: uvicorn's HTTP protocol with deadlines.

uvicorn closes connections that are idle between requests. It waits without end for the head of a first request, and
for the rest of a body that nobody reads any more; here both have a deadline.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from leanformer.serve.guard import ABORT, BEHIND, CONNECTIONS, WHOLE

_GRACE_SECONDS = 0.5


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

    def on_message_begin(self) -> None:
        self._arm()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._disarm()
        super().on_headers_complete()
        # The task of the request has been made and has not run yet.
        self.scope[ABORT] = self.transport.abort  # type: ignore[literal-required]
        cycle = self.cycle
        self.scope[WHOLE] = lambda: not cycle.more_body  # type: ignore[literal-required]
        self.scope[BEHIND] = lambda: self.flow.write_paused  # type: ignore[literal-required]
        self.scope[CONNECTIONS] = len(self.connections)  # type: ignore[literal-required]

    def on_message_complete(self) -> None:
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
        # Perhaps it is the server that is late, and what was sent lies there unread: then it will be read before this.
        self._deadline = self.loop.call_later(_GRACE_SECONDS, self.transport.abort)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def with_deadline(receive_seconds: float) -> type[Connection]:
    """The class of connections whose heads, and unread rests of bodies, must arrive within so many seconds."""
    return type("Connection", (Connection,), {"receive_seconds": receive_seconds})
