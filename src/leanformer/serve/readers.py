"""Texts that take long to read are read in threads: so many at once, within the request's time, and not without end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

from leanformer.serve.http.refused import Refused
from leanformer.serve.settings import RequestLimits

# They share the interpreter with the event loop.
_AT_ONCE = 2
# A full queue comes from about so many characters for each of its tokens.
_CHARACTERS_PER_TOKEN = 8
Read = TypeVar("Read")


class Readers:
    """The threads that read, before the exact number of tokens is known and a place in the queue can be had.

    Attributes:
        limit: most characters that are being read or wait for it, of all requests. A request that is alone may have
            more.
        characters: how many there are.
    """

    def __init__(self, limits: RequestLimits) -> None:
        self.limit = max(_CHARACTERS_PER_TOKEN * limits.queue_tokens, limits.body_bytes)
        self.characters = 0
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="reader")

    async def run(self, characters: int, work: Callable[[], Read], seconds: float) -> Read:
        """What `work` returns, done in a thread.

        A call that is cancelled, or too late, gives its place in the queue of readers back; what has begun is ended.

        Raises `Refused`: 429 if there is no room for so many characters, 504 after so many seconds; and what `work`
        raises.
        """
        with self._lock:
            if self.characters and self.characters + characters > self.limit:
                raise Refused(
                    429, f"{self.characters} characters are being read; the limit is {self.limit}", {"retry-after": "1"}
                )
            self.characters += characters
        held = [work]
        del work  # the frame outlives the call, in the traceback of its cancellation
        future = self._pool.submit(lambda: held.pop()())

        def release(_: Future[Read]) -> None:
            # A call that was given up lies there until a thread comes to it, and must not keep its texts.
            held.clear()
            with self._lock:
                self.characters -= characters

        future.add_done_callback(release)
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            raise Refused(504, f"not read within {seconds:g} s; the work was dropped") from error

    def close(self) -> None:
        """Let the threads end; nothing may be read any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
