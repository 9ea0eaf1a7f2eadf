"""The short way of ordinary requests: which ones take it, and that it answers as the long way does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from leanformer.serve.http.body import TIMEOUT_HEADER
from leanformer.serve.http.connection import Connection, connections_of
from leanformer.serve.http.direct import Direct
from leanformer.serve.logs import Log
from leanformer.serve.service import Service
from leanformer.serve.settings import RequestLimits, ServerSettings
from leanformer.serve.workers.jobs import WorkerBatch
from leanformer.serve.workers.scheduler import Scheduler
from leanformer.serve.workers.wire import Answer
from tests.making.servers import Server

KEY = "0123456789abcdef0123456789abcdef"
# The first takes the short way; what is asked is the same in all.
PLAIN = {"content-type": "application/json", "host": "localhost"}
TELLING = ("content-type", "content-length", "cache-control", "x-content-type-options", "leanformer-model", "date")


class Pool:
    """A worker in this process. It gives label i the logit i, or nothing while it is told to `wait`."""

    def __init__(self, scheduler: Scheduler, **_: Any) -> None:
        self.scheduler, self.wait = scheduler, False
        self.packs: dict[int, WorkerBatch] = {}
        self.engines = [{"remedy": None}]

    async def start(self) -> None:
        self.scheduler.add(self)

    async def stop(self) -> None: ...

    def send(self, pack: WorkerBatch) -> None:
        if not self.wait:
            logits = np.tile(np.arange(3, dtype=np.float32), (len(pack.rows()), 1))
            asyncio.get_running_loop().call_soon(self.scheduler.answered, self, Answer(pack.number, 0.0, logits))


class Transport:
    """The network end of a connection: what was written to it, and whether it was closed."""

    def __init__(self) -> None:
        self.sent, self.closed, self.unread = b"", False, 0

    def write(self, data: bytes) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def get_write_buffer_size(self) -> int:
        return self.unread

    def get_extra_info(self, name: str) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Fixture:
    """A connection of a service with one model; `long` has the bodies of requests that took the long way."""

    def __init__(self, artifact: Path, **settings: Any) -> None:
        self.service = Service(ServerSettings({"tiny": str(artifact)}, **settings), Log(_Nowhere()), Pool)
        self.long: list[bytes] = []

    async def __aenter__(self) -> Fixture:
        await self.service.start()
        config = Config(self._app, interface="asgi3", lifespan="off", log_config=None)
        self.connection: Connection = connections_of(10.0, 0.05, Direct(self.service))(config, ServerState(), {})
        self.transport = Transport()
        self.connection.connection_made(self.transport)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.connection.connection_lost(None)
        await asyncio.sleep(0)
        await self.service.stop()

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.long.append(body)
        await send({"type": "http.response.start", "status": 204, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    @property
    def pool(self) -> Pool:
        pool = self.service.generation.pool
        assert isinstance(pool, Pool)
        return pool

    async def ask(self, *parts: bytes) -> bytes:
        """What is sent back to these parts of a stream."""
        self.transport.sent = b""
        for part in parts:
            self.connection.data_received(part)
        for _ in range(10):
            await asyncio.sleep(0)
        return self.transport.sent


class _Nowhere:
    def write(self, text: str) -> None: ...
    def flush(self) -> None: ...


def request(body: bytes = b'{"inputs": "rain"}', first: str = "POST /predict HTTP/1.1", **headers: str) -> bytes:
    told = PLAIN | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [first, *(f"{name}: {value}" for name, value in told.items()), f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def using(artifact: Path, test: Callable[[Fixture], Any], **settings: Any) -> None:
    async def run() -> None:
        async with Fixture(artifact, **settings) as fixture:
            await test(fixture)

    asyncio.run(asyncio.wait_for(run(), 30))


def test_an_ordinary_request_needs_no_application(tiny_onnx_artifact: Path):
    async def test(one: Fixture) -> None:
        for _ in range(2):
            head, _, body = (await one.ask(request(x_request_id="mine"))).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\n") and b"x-request-id: mine" in head
            assert [score["label"] for score in json.loads(body)] == list(one.service.tasks["tiny"].labels[::-1])
        assert (await one.ask(request(first="POST / HTTP/1.1"))).startswith(b"HTTP/1.1 200")
        assert one.long == [] and not one.transport.closed
        assert sum(one.service.metrics.stage_seconds("tiny", "total").counts) == 3
        assert b'leanformer_requests_total{route="/predict",status="200"} 2.0' in one.service.metrics.render()

    using(tiny_onnx_artifact, test)


@pytest.mark.parametrize(
    "parts",
    [
        (request(first="POST /predict?x=1 HTTP/1.1"),),
        (request(first="POST /predict HTTP/1.0"),),
        (request(first="PUT /predict HTTP/1.1"),),
        (request(first="POST /predict HTTP/1.0", connection="keep-alive"),),
        (request().replace(b"\r\n\r\n", b"\r\naccept: a\r\naccept: b\r\n\r\n"),),
        (request(connection="close"),),
        (request(origin="https://other.example"),),
        (request(leanformer_timeout_ms="5000"),),
        (request(content_type="text/plain"),),
        (request(host="evil.example"),),
        (request(first="POST / HTTP/1.1", user_agent="unknown/None; hf_hub/2.4.0"),),
        (request(b'{"inputs": {"source_sentence": "a", "sentences": ["b"]}}', first="POST / HTTP/1.1"),),
        (request(b'{"inputs": "' + b"rain " * 2000 + b'"}'),),
        (request()[:-5], request()[-5:]),
        (request()[:-18], request()[-18:]),
    ],
)
def test_others_take_the_long_way_whole(tiny_onnx_artifact: Path, parts: tuple[bytes, ...]):
    async def test(one: Fixture) -> None:
        assert (await one.ask(*parts)).startswith(b"HTTP/1.1 204")
        assert one.long == [b"".join(parts).partition(b"\r\n\r\n")[2]]

    using(tiny_onnx_artifact, test)


def test_what_has_to_wait_or_exceeds_a_limit_takes_the_long_way(tiny_onnx_artifact: Path):
    async def test(one: Fixture) -> None:
        await one.ask(request(b'{"inputs": "rain in the town"}'))
        one.connection.connections.update((asyncio.Protocol(), asyncio.Protocol()))  # type: ignore[arg-type]
        await one.ask(request())
        one.connection.connections.clear()
        one.connection.pause_writing()
        await one.ask(request())
        one.connection.resume_writing()
        await one.ask()
        assert len(one.long) == 3
        assert (await one.ask(request()))[9:12] == b"200"

    using(tiny_onnx_artifact, test, limits=RequestLimits(body_bytes=20, connections=2))


def test_with_spans_all_take_the_long_way(tiny_onnx_artifact: Path):
    async def test(one: Fixture) -> None:
        assert (await one.ask(request()))[9:12] == b"204"

    using(tiny_onnx_artifact, test, tracing=True)


def test_without_the_key_a_request_is_not_ordinary(tiny_onnx_artifact: Path):
    async def test(one: Fixture) -> None:
        for given, status in ((f"Bearer {KEY}", b"200"), (f"Bearer {KEY[:-1]}0", b"204"), ("", b"204")):
            assert (await one.ask(request(authorization=given)))[9:12] == status

    using(tiny_onnx_artifact, test, key=KEY)


def test_requests_in_a_row_are_answered_in_order(tiny_onnx_artifact: Path):
    async def test(one: Fixture) -> None:
        sent = await one.ask(request(x_request_id="a") + request(first="POST /other HTTP/1.1") + request(b"{"))
        for _ in range(20):
            await asyncio.sleep(0)
        sent = one.transport.sent
        assert sent.index(b"HTTP/1.1 200") < sent.index(b"HTTP/1.1 204") and sent.count(b"HTTP/1.1 ") == 3
        # The second and third wait for the first, in uvicorn's way.
        assert one.long == [b'{"inputs": "rain"}', b"{"]
        assert (await one.ask(request())).startswith(b"HTTP/1.1 200")

    using(tiny_onnx_artifact, test)


def test_a_lost_connection_drops_the_work(tiny_onnx_artifact: Path):
    async def test(one: Fixture) -> None:
        one.pool.wait = True
        assert await one.ask(request()) == b""
        assert one.service.generation.scheduler.jobs == 1
        one.connection.connection_lost(None)
        assert one.service.generation.scheduler.jobs == 0
        await asyncio.sleep(0)
        assert b'leanformer_requests_total{route="/predict",status="499"} 1.0' in one.service.metrics.render()

    using(tiny_onnx_artifact, test)


def test_a_server_that_stops_answers_and_closes(tiny_onnx_artifact: Path):
    async def test(one: Fixture) -> None:
        one.connection.data_received(request())
        one.connection.shutdown()
        assert b"connection: close" in await one.ask() and one.transport.closed

    using(tiny_onnx_artifact, test)


def test_a_full_queue_and_a_late_answer_are_told(tiny_onnx_artifact: Path):
    async def test(one: Fixture) -> None:
        one.pool.wait = True
        await one.ask(request())
        late = await one.ask()
        while not late:
            await asyncio.sleep(0.005)
            late = one.transport.sent
        assert late.startswith(b"HTTP/1.1 504") and b'"error_type":"deadline"' in late
        one.service.generation.scheduler.queue(0).outstanding = 9
        full = await one.ask(request())
        assert full.startswith(b"HTTP/1.1 429") and b"\r\nretry-after: " in full
        one.service.generation.scheduler.queue(0).outstanding = 0

    using(tiny_onnx_artifact, test, limits=RequestLimits(timeout_seconds=0.02, queue_tokens=8, pack_tokens=8))


def test_a_fault_is_logged_and_told(tiny_onnx_artifact: Path, monkeypatch: pytest.MonkeyPatch):
    async def test(one: Fixture) -> None:
        monkeypatch.setattr(one.service, "begin", lambda *_, **__: 1 / 0)
        assert b"500 Internal Server Error" in await one.ask(request())

    using(tiny_onnx_artifact, test)


@pytest.mark.slow
@pytest.mark.parametrize("route", ["predict", "tag", "embed", "answer", ""])
@pytest.mark.parametrize(
    "body",
    [
        b'{"inputs": "rain in town"}',
        b'{"inputs": ["rain", "a game"], "exact": true}',
        b'{"inputs": "rain", "parameters": {}, "options": null}',
        b'{"inputs": "rain", "model": "nobody"}',
        b'{"inputs": "rain", "top_k": 0}',
        b'{"inputs": ""}',
        b'{"inputs": ["a", ["b", "c"]]}',
        b'{"inputs": "a\\ud800"}',
        b'{"inputs": 3}',
        b"{",
        b"",
        b"\xff",
    ],
)
def test_both_ways_answer_alike(all_server: Server, route: str, body: bytes):
    short, long = (all_server.ask("POST", f"/{route}", body, headers) for headers in ({}, {TIMEOUT_HEADER: "9000"}))
    assert (short.status, short.body) == (long.status, long.body)
    assert set(short.headers) == set(long.headers)
    assert all(short.headers.get(name) == long.headers.get(name) for name in TELLING[:-1])
