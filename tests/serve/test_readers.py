"""Long texts are read by few threads, within a bound of their own and the time of their request."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from leanformer.serve.http.inputs import Query
from leanformer.serve.http.refused import Refused
from leanformer.serve.model import Model
from leanformer.serve.readers import Readers
from leanformer.serve.settings import RequestLimits
from tests.serve.http.test_direct import Fixture, using

LIMITS = RequestLimits(queue_tokens=10, pack_tokens=10, body_bytes=100)
LONG = "rain " * 2000


async def refusal(work: Coroutine[Any, Any, Any]) -> Refused:
    with pytest.raises(Refused) as caught:
        await work
    return caught.value


def with_readers(test: Callable[[Readers, threading.Event], Any]) -> None:
    async def run() -> None:
        readers, go = Readers(LIMITS), threading.Event()
        try:
            await test(readers, go)
        finally:
            go.set()
            readers.close()

    asyncio.run(asyncio.wait_for(run(), 30))


def test_what_is_read_and_waits_is_bounded_and_gives_its_room_back():
    async def test(readers: Readers, go: threading.Event) -> None:
        held = [asyncio.create_task(readers.run(30, go.wait, 20.0)) for _ in range(3)]
        await asyncio.sleep(0)
        assert readers.characters == 90
        full = await refusal(readers.run(20, go.wait, 20.0))
        assert full.status == 429 and full.headers["retry-after"] and "the limit is 100" in full.message
        go.set()
        assert await asyncio.gather(*held) == [True] * 3
        assert readers.characters == 0
        assert await readers.run(1000, go.wait, 20.0), "a request that is alone is read, however long it is"

    with_readers(test)


def test_few_at_once_and_the_others_not_longer_than_they_may():
    async def test(readers: Readers, go: threading.Event) -> None:
        begun: list[int] = []
        held = [asyncio.create_task(readers.run(1, lambda: (begun.append(1), go.wait()), 20.0)) for _ in range(2)]
        await asyncio.sleep(0)
        late = await refusal(readers.run(1, lambda: begun.append(2), 0.02))
        assert late.status == 504 and "0.02 s" in late.message
        assert readers.characters == 2, "what will not be read is no longer counted"
        go.set()
        await asyncio.gather(*held)
        assert begun == [1, 1]

    with_readers(test)


def test_what_is_given_up_does_not_keep_its_texts():
    class Texts:
        def __call__(self) -> None: ...

    async def test(readers: Readers, go: threading.Event) -> None:
        held = [asyncio.create_task(readers.run(1, go.wait, 20.0)) for _ in range(2)]
        await asyncio.sleep(0)
        texts = Texts()
        kept = weakref.ref(texts)
        await refusal(readers.run(1, texts, 0.02))
        del texts
        gc.collect()
        assert kept() is None, "both threads are still busy"
        go.set()
        await asyncio.gather(*held)

    with_readers(test)


def test_long_texts_are_refused_and_dropped_before_the_queue(tiny_onnx_artifact: Path, monkeypatch: pytest.MonkeyPatch):
    """A service whose readers hang: the queue is empty, and still no more than the limit is accepted."""
    go = threading.Event()
    reading = Model.read_now
    monkeypatch.setattr(Model, "read_now", lambda *given: (go.wait(20), reading(*given))[1])

    async def test(one: Fixture) -> None:
        def ask(timeout: float) -> Coroutine[Any, Any, Any]:
            return one.service.answer(Query([LONG], truncate=True), timeout=timeout)

        try:
            held = asyncio.create_task(ask(20.0))
            await asyncio.sleep(0)
            assert (await refusal(ask(20.0))).status == 429
            assert one.service.generation.scheduler.outstanding == 0
            go.set()
            assert len((await held).answers) == 1
            go.clear()
            start = time.monotonic()
            assert (await refusal(ask(0.05))).status == 504
            assert time.monotonic() - start < 10
        finally:
            go.set()

    using(tiny_onnx_artifact, test, limits=RequestLimits(queue_tokens=100, pack_tokens=100, body_bytes=len(LONG)))
