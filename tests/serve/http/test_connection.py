"""What a connection takes in before a request is looked at, and how long it stays open."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from tests.serve.http.test_direct import Fixture, request, using

HEAD = b"POST /predict HTTP/1.1\r\nhost: localhost\r\n"


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (HEAD + b"x-long: ", b"x" * 10_000),
        (HEAD, b"x: y\r\n"),
        (b"GET /", b"x" * 10_000),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n", b"x-late: y\r\n" * 1000),
        (HEAD + b"transfer-encoding: chunked\r\n\r\n1;", b"x" * 10_000),
    ],
    ids=["a header", "many headers", "an address", "headers after the body", "what is told of a chunk"],
)
def test_a_head_without_end_is_refused(tiny_onnx_artifact: Path, start: bytes, more: bytes):
    async def test(one: Fixture) -> None:
        sent = await one.ask(start)
        for _ in range(300):
            if one.transport.closed:
                break
            sent = await one.ask(more)
        assert one.transport.closed and sent.startswith(b"HTTP/1.1 400")

    using(tiny_onnx_artifact, test)


def test_what_is_no_http_is_counted(tiny_onnx_artifact: Path):
    async def test(one: Fixture) -> None:
        assert (await one.ask(b"\x16\x03\x01 oops\r\n\r\n")).startswith(b"HTTP/1.1 400")
        told = one.service.metrics.render().decode()
        assert 'leanformer_refused_total{reason="malformed"} 1.0' in told
        assert 'leanformer_requests_total{route="other",status="400"} 1.0' in told

    using(tiny_onnx_artifact, test)


def test_long_heads_and_bodies_in_pieces_are_taken(tiny_onnx_artifact: Path):
    async def test(one: Fixture) -> None:
        body = b'{"inputs": "' + b"rain " * 40_000 + b'"}'
        whole = request(body, **{f"x_{number}": "y" * 200 for number in range(200)})
        for _ in range(2):
            sent = await one.ask(*(whole[start : start + 1000] for start in range(0, len(whole), 1000)))
            assert sent.startswith(b"HTTP/1.1 204") and one.long.pop() == body

    using(tiny_onnx_artifact, test)


def test_headers_after_a_body_are_dropped(tiny_onnx_artifact: Path):
    async def test(one: Fixture) -> None:
        late = b"authorization: Bearer key\r\ncontent-type: application/json\r\n"
        sent = await one.ask(HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n" + late + b"\r\n")
        assert sent.startswith(b"HTTP/1.1 204") and one.long == [b"{"]
        assert [name for name, _ in one.connection.scope["headers"]] == [b"host", b"transfer-encoding"]

    using(tiny_onnx_artifact, test)


def test_a_connection_with_a_request_is_not_idle(tiny_onnx_artifact: Path):
    async def test(one: Fixture) -> None:
        one.pool.wait = True
        assert (await one.ask(request(b"{") + request())).startswith(b"HTTP/1.1 400")
        assert one.service.generation.scheduler.jobs == 1
        assert one.connection.timeout_keep_alive_task is None

    using(tiny_onnx_artifact, test)


def test_a_client_that_never_reads_the_end_is_cut(tiny_onnx_artifact: Path):
    async def test(one: Fixture) -> None:
        await one.ask(request())
        start = time.monotonic()
        one.transport.unread = 9
        one.connection.pause_writing()
        one.transport.unread = 8  # it reads a little
        while not one.transport.closed:
            await asyncio.sleep(0.01)
        assert time.monotonic() - start >= 0.09

    using(tiny_onnx_artifact, test)


@pytest.mark.parametrize("read", [True, False])
def test_closing_waits_only_for_a_client_that_reads(tiny_onnx_artifact: Path, read: bool):
    async def test(one: Fixture) -> None:
        aborted = asyncio.Event()
        one.transport.abort = aborted.set  # type: ignore[method-assign]
        one.transport.unread = 9
        await one.ask(request(connection="close"))
        assert one.transport.closed
        if read:
            one.transport.unread = 0
            await asyncio.sleep(0.1)
            assert not aborted.is_set()
        else:
            await aborted.wait()

    using(tiny_onnx_artifact, test)
