"""Bulk work as newline-delimited JSON: a line in, a line out, in order, with backpressure.

A stream never finds the queue full: it reads lines only as fast as they are answered, and never fills more than half of
a model's queue, so that single requests get through.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from leanformer.serve.generation import Answered
from leanformer.serve.http.answers import NAMES
from leanformer.serve.http.inputs import Query, read_json, read_query
from leanformer.serve.http.refused import Refused
from leanformer.serve.http.written import write_json
from leanformer.serve.service import Service
from leanformer.serve.workers.queues import NORMAL

# Lines of one stream in flight: enough to fill the packs of several workers, but small compared with the queue.
WINDOW = 64
_RETRY_SECONDS = 0.01


async def answer_lines(
    service: Service, lines: AsyncIterator[bytes], timeout: float, route: str = "predict", priority: int = NORMAL
) -> AsyncIterator[bytes]:
    """For each line a line of JSON: `{"index", "scores"}`, or `{"index", "error", "error_type"}`.

    `scores` is replaced by the name in `answers.NAMES` for `route`.

    A line is a text as a JSON string, or an object as in `POST /ROUTE`. An error in one line is reported in its place,
    and the stream continues; a blank line also counts as one, so that the n-th answer belongs to the n-th line. An
    answer is sent as soon as it and those before it are ready, even while waiting for the next line. When this
    generator is closed, its unfinished work is dropped.
    """
    out: asyncio.Queue[asyncio.Task[bytes] | None] = asyncio.Queue(WINDOW)
    turn = Turn(timeout)
    tasks: set[asyncio.Task[Any]] = set()

    async def read() -> None:
        index = 0
        try:
            async for line in lines:
                await put(_one(service, line, index, turn, route, priority))
                index += 1
        except Refused as refused:
            if refused.status != 499:
                await put(_refusal(index, refused))
        await out.put(None)

    async def put(work: Any) -> None:
        task = asyncio.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        await out.put(task)

    reader = asyncio.create_task(read())
    try:
        while (task := await out.get()) is not None:
            yield await task
        await reader
    finally:
        reader.cancel()
        for unfinished in tasks:
            unfinished.cancel()


async def _one(service: Service, line: bytes, index: int, turn: Turn, route: str, priority: int) -> bytes:
    try:
        if not line.strip():
            raise Refused(422, "an empty line")
        value = read_json(line)
        query = read_query({"inputs": value} if isinstance(value, str) else value, service.settings.limits, route)
        answered = await _patiently(service, query, turn, priority)
    except Refused as refused:
        return await _refusal(index, refused)
    return _line({"index": index, NAMES[route]: answered.value})


async def _refusal(index: int, refused: Refused) -> bytes:
    return _line({"index": index, **refused.to_json()})


class Turn:
    """How long lines have waited for room in a queue while none of their stream got any.

    Args:
        timeout: seconds after which a line that waits is given up, and of each line that got room.
    """

    def __init__(self, timeout: float) -> None:
        self.timeout, self._last = timeout, time.monotonic()

    def taken(self) -> None:
        """A line has got room."""
        self._last = time.monotonic()

    def check(self, since: float) -> None:
        """Raise `Refused` (504) for a line that has waited `since` then, if it is given up."""
        if time.monotonic() - max(since, self._last) > self.timeout:
            raise Refused(504, f"no room in the queue within {self.timeout:g} s: other requests fill half of it")


async def _patiently(service: Service, query: Query, turn: Turn, priority: int) -> Answered:
    """`Service.answer`, but first waits until at most half of the model's queue is taken; the deadline is from there.

    The other half is thus left to single requests. Lines do not expire because the stream is ahead of its answers, but
    they do if other requests leave it no room for as long as a request may take.
    """
    since = time.monotonic()
    while True:
        generation = service.generation
        queue = generation.scheduler.queue(service.model(query, generation).index)
        if queue.outstanding <= queue.limit // 2:
            try:
                answered = await service.answer(
                    query, timeout=turn.timeout, priority=priority, accepted=lambda scheduler, job: turn.taken()
                )
            except Refused as refused:
                if refused.status != 429:
                    raise
            else:
                return answered
        turn.check(since)
        await asyncio.sleep(_RETRY_SECONDS)


def _line(value: dict[str, Any]) -> bytes:
    return write_json(value) + b"\n"
