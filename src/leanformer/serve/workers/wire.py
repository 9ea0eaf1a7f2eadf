"""The protocol of the pipes between the server and its workers: lengths, raw numbers, and JSON once at the start.

Every frame is its length in bytes (uint32, little-endian like all numbers here) followed by the body. Received data are
only interpreted as numbers or text, so neither side can make the other run code.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

LENGTH = struct.Struct("<I")
_ASK = struct.Struct("<IHBBI")  # pack, model, exact, columns of a row (0: a plain list of ids), rows
_ANSWER = struct.Struct("<IBQII")  # pack, failed, nanoseconds, rows, columns


@dataclass(frozen=True)
class Ask:
    """Rows to score: int32 `[tokens]` each, or `[tokens, columns]` if a model reads more than ids."""

    pack: int
    model: int
    exact: bool
    rows: list[np.ndarray]


@dataclass(frozen=True)
class Answer:
    """Logits `[rows, outputs]` (by token `[all tokens, outputs]`), float32, and their time; or an error.

    Attributes:
        failure: None, or the error's type and message. A worker sees only token ids, so it contains no text.
    """

    pack: int
    seconds: float
    logits: np.ndarray | None
    failure: str | None = None


def pack_ask(pack: int, model: int, exact: bool, rows: Sequence[np.ndarray]) -> bytes:
    """The whole frame, including its length. All rows have the same number of columns."""
    columns = 0 if rows[0].ndim == 1 else rows[0].shape[1]
    lengths = np.asarray([len(row) for row in rows], dtype="<i4")
    ids = np.concatenate(rows).astype("<i4", copy=False)
    body = _ASK.pack(pack, model, exact, columns, len(rows)) + lengths.tobytes() + ids.tobytes()
    return LENGTH.pack(len(body)) + body


def unpack_ask(body: bytes) -> Ask:
    pack, model, exact, columns, rows = _ASK.unpack_from(body)
    lengths = np.frombuffer(body, "<i4", count=rows, offset=_ASK.size)
    ids = np.frombuffer(body, "<i4", offset=_ASK.size + lengths.nbytes)
    if columns:
        ids = ids.reshape(-1, columns)
    return Ask(pack, model, bool(exact), np.split(ids, np.cumsum(lengths)[:-1]))


def pack_answer(answer: Answer) -> bytes:
    """The whole frame, including its length."""
    nanoseconds = int(answer.seconds * 1e9)
    if answer.logits is None:
        body = _ANSWER.pack(answer.pack, 1, nanoseconds, 0, 0) + (answer.failure or "").encode()
    else:
        logits = np.ascontiguousarray(answer.logits, dtype="<f4")
        body = _ANSWER.pack(answer.pack, 0, nanoseconds, *logits.shape) + logits.tobytes()
    return LENGTH.pack(len(body)) + body


def unpack_answer(body: bytes) -> Answer:
    pack, failed, nanoseconds, rows, columns = _ANSWER.unpack_from(body)
    if failed:
        return Answer(pack, nanoseconds / 1e9, None, body[_ANSWER.size :].decode(errors="replace"))
    return Answer(pack, nanoseconds / 1e9, np.frombuffer(body, "<f4", offset=_ANSWER.size).reshape(rows, columns))


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next frame's body from a blocking stream; None at its end, even in the middle of a frame."""
    head = _read(stream, LENGTH.size)
    return None if head is None else _read(stream, LENGTH.unpack(head)[0])


def _read(stream: BinaryIO, count: int) -> bytes | None:
    parts: list[bytes] = []
    while count:
        part = stream.read(count)
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
