"""Bodies within their limits, and deadlines, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from starlette.requests import Request
from starlette.types import Message

from leanformer.serve.http.body import TIMEOUT_HEADER, read_body, read_lines, timeout_of
from leanformer.serve.http.refused import Refused
from leanformer.serve.settings import RequestLimits

LIMITS = RequestLimits(body_bytes=10, timeout_seconds=2.0, receive_seconds=0.01)


def request(parts: Sequence[bytes], *, ends: bool = True, **headers: str) -> Request:
    """A request whose body comes in these parts, and then goes on for ever where it does not end."""
    left = list(parts)

    async def receive() -> Message:
        if not left and not ends:
            await asyncio.Event().wait()
        part = left.pop(0) if left else b""
        return {"type": "http.request", "body": part, "more_body": bool(left) or not ends}

    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": named}, receive)


def body(parts: Sequence[bytes], *, ends: bool = True, **headers: str) -> bytes:
    # The outer limit is for a server that waits for ever.
    return asyncio.run(asyncio.wait_for(read_body(request(parts, ends=ends, **headers), LIMITS), 20))


def lines(parts: Sequence[bytes], *, ends: bool = True) -> list[bytes]:
    async def read() -> list[bytes]:
        return [line async for line in read_lines(request(parts, ends=ends), LIMITS)]

    return asyncio.run(asyncio.wait_for(read(), 20))


def test_a_body_may_be_as_long_as_the_limit_whatever_its_parts() -> None:
    assert body([b"12345", b"67890"]) == b"1234567890"
    for parts in ([b"12345678901"], [b"12345", b"67890", b"1"], [b"1"] * 11):
        with pytest.raises(Refused) as refused:
            body(parts)
        assert refused.value.status == 413


def test_a_body_that_is_said_to_be_too_long_is_not_read() -> None:
    with pytest.raises(Refused) as refused:
        body([], ends=False, content_length="11")
    assert refused.value.status == 413


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    with pytest.raises(Refused) as refused:
        body([b"123"], ends=False)
    assert refused.value.status == 408


def test_lines_are_bounded_each_and_not_together() -> None:
    assert lines([b"1234", b"567\n\n12345", b"67890\n", b"123"]) == [b"1234567", b"", b"1234567890", b"123"]
    for parts in ([b"12345", b"67890", b"1"], [b"12345678901\n"], [b"1\n12345678901"]):
        with pytest.raises(Refused) as refused:
            lines(parts)
        assert refused.value.status == 413
    with pytest.raises(Refused) as refused:
        lines([b"1\n"], ends=False)
    assert refused.value.status == 408


@pytest.mark.parametrize(
    ("given", "seconds"), [(None, 2.0), ("1", 0.001), ("1500", 1.5), ("2000", 2.0), ("999999", 2.0), ("9" * 40, 2.0)]
)
def test_a_client_may_ask_for_less_time_and_not_for_more(given: str | None, seconds: float) -> None:
    headers = {} if given is None else {TIMEOUT_HEADER: given}
    assert timeout_of(request([], **headers), LIMITS) == pytest.approx(seconds)
