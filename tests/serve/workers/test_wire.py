"""Frames between the server and its workers: what is packed is unpacked, and a broken pipe is an end."""

from __future__ import annotations

import io

import numpy as np
import pytest

from leanformer.serve.workers.wire import (
    LENGTH,
    Answer,
    pack_answer,
    pack_ask,
    read_frame,
    unpack_answer,
    unpack_ask,
)


@pytest.mark.parametrize("columns", [(), (2,)])
@pytest.mark.parametrize("exact", [True, False])
def test_rows_arrive_as_they_were_sent(columns: tuple[int, ...], exact: bool):
    rows = [np.arange(np.prod((n, *columns)), dtype=np.int64).reshape(n, *columns) + 2**31 - 50 for n in (3, 1, 4)]
    frame = pack_ask(2**32 - 1, 65535, exact, rows)
    body = read_frame(io.BytesIO(frame))
    assert body is not None and LENGTH.unpack(frame[:4]) == (len(body),)
    ask = unpack_ask(body)
    assert (ask.pack, ask.model, ask.exact) == (2**32 - 1, 65535, exact)
    assert [row.tolist() for row in ask.rows] == [row.tolist() for row in rows]


def test_logits_and_times_arrive_as_they_were_sent():
    logits = np.array([[1.5, -2.25], [np.nan, np.inf], [0.0, 3e38]], dtype=np.float32)
    answer = unpack_answer(pack_answer(Answer(7, 0.125, logits.T.copy().T))[LENGTH.size :])
    assert (answer.pack, answer.seconds, answer.failure) == (7, 0.125, None)
    assert answer.logits is not None
    np.testing.assert_array_equal(answer.logits, logits)


@pytest.mark.parametrize("failure", ["ValueError: größer", ""])
def test_a_failure_arrives_with_its_message(failure: str):
    answer = unpack_answer(pack_answer(Answer(7, 1e-9, None, failure))[LENGTH.size :])
    assert answer.logits is None and answer.failure == failure and answer.seconds == 1e-9


class Slow(io.RawIOBase):
    """A pipe that gives a byte at a time."""

    def __init__(self, content: bytes) -> None:
        self._rest = io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        return self._rest.read(min(size, 1))


def test_frames_are_read_however_they_come_and_a_broken_one_is_the_end():
    frames = pack_answer(Answer(1, 0, None, "a")) + pack_answer(Answer(2, 0, None, "bc"))
    stream = Slow(frames)
    packs = [unpack_answer(body).pack for body in iter(lambda: read_frame(stream), None)]  # type: ignore[arg-type]
    assert packs == [1, 2]
    for cut in (0, 2, 10):
        assert read_frame(io.BytesIO(frames[:cut])) is None
