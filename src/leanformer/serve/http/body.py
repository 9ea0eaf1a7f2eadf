"""Reading a request's body within its limits, and detecting clients that have disconnected."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request

from leanformer.serve.http.guard import WHOLE
from leanformer.serve.http.refused import Refused
from leanformer.serve.settings import RequestLimits
from leanformer.serve.workers.jobs import RequestJob
from leanformer.serve.workers.scheduler import Scheduler

TIMEOUT_HEADER = "leanformer-timeout-ms"
# Most answers are ready before it is worth checking whether the client is still connected.
_WATCH_AFTER_SECONDS = 0.05


def need_type(request: Request, *types: str) -> None:
    """Raise `Refused` (415) unless the body is declared as one of `types`.

    This is a protection: a page of another site can send the content types of HTML forms from a visitor's browser
    without permission, but not these.
    """
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in types:
        raise Refused(415, f"the content-type must be {' or '.join(types)}")


async def read_body(request: Request, limits: RequestLimits) -> bytes:
    """The whole body. Raises `Refused`: 413 too long, 408 too slow, 499 client disconnected."""
    declared = request.headers.get("content-length", "")
    too_long = Refused(413, f"the body is too long; the limit body_bytes is {limits.body_bytes}")
    if declared.isdigit() and int(declared) > limits.body_bytes:
        raise too_long
    parts: list[bytes] = []
    size = 0
    try:
        here = request.scope.get(WHOLE, bool)()
        async with asyncio.timeout(None if here else limits.receive_seconds):
            async for part in request.stream():
                size += len(part)
                if size > limits.body_bytes:
                    raise too_long
                parts.append(part)
    except TimeoutError as error:
        message = f"the body took too long to arrive; the limit receive_seconds is {limits.receive_seconds:g}"
        raise Refused(408, message, {"connection": "close"}) from error
    except ClientDisconnect as error:
        raise Refused(499, "the client has gone") from error
    return b"".join(parts)


async def read_lines(request: Request, limits: RequestLimits) -> AsyncIterator[bytes]:
    """The lines of a body of any length, including blank ones, as they arrive. Raises `Refused` as `read_body` does."""
    stream = request.stream()
    rest = b""
    while True:
        try:
            part = await asyncio.wait_for(anext(stream, None), limits.receive_seconds)
        except TimeoutError as error:
            raise Refused(408, f"no data for {limits.receive_seconds:g} s, the limit receive_seconds") from error
        except ClientDisconnect as error:
            raise Refused(499, "the client has gone") from error
        if part is None:
            break
        *lines, rest = (rest + part).split(b"\n") if b"\n" in part else ([rest + part])
        if len(rest) > limits.body_bytes or any(len(line) > limits.body_bytes for line in lines):
            raise Refused(413, f"a line is too long; the limit body_bytes is {limits.body_bytes}")
        for line in lines:
            yield line
    if rest:
        yield rest


def timeout_of(request: Request, limits: RequestLimits) -> float:
    """Seconds that the request may wait: its own limit, at most the server's. Raises `Refused` (422)."""
    value = request.headers.get(TIMEOUT_HEADER)
    if value is None:
        return limits.timeout_seconds
    if not (value.isascii() and value.isdigit() and int(value[:12]) > 0):
        raise Refused(422, f"header {TIMEOUT_HEADER}: must be a whole number of milliseconds from 1")
    return min(int(value[:12]) / 1000, limits.timeout_seconds)


class Watch:
    """Drops a job whose client disconnects before it is answered.

    Pass `over` to `Service.answer` as `accepted`, once the body has been read, and call `end` afterwards.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def over(self, scheduler: Scheduler, job: RequestJob) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_WATCH_AFTER_SECONDS, self._begin, scheduler, job)

    def _begin(self, scheduler: Scheduler, job: RequestJob) -> None:
        self._task = asyncio.ensure_future(self._wait(scheduler, job))

    async def _wait(self, scheduler: Scheduler, job: RequestJob) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        scheduler.drop(job, Refused(499, "the client has gone"))

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None:
            self._task.cancel()
