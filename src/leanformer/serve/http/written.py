"""How an answer is written: as JSON or, if the header Accept asks for it first, as MessagePack or as raw numbers."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from leanformer.serve.generation import Answered
from leanformer.serve.http.inputs import Query
from leanformer.serve.http.refused import Refused

JSON, MSGPACK, RAW = "application/json", "application/msgpack", "application/octet-stream"
SHAPE_HEADER = "leanformer-shape"
# Routes whose answers have the same number of numbers for each text.
RAW_ROUTES = ("predict", "embed")
write_json = msgspec.json.Encoder().encode
_write_msgpack = msgspec.msgpack.Encoder().encode


def wanted(accept: str) -> str:
    """The media type of an answer that a request with this header gets."""
    first = accept.partition(",")[0].partition(";")[0].strip().lower()
    return first if first in (MSGPACK, RAW) else JSON


def asked(query: Query, media: str) -> Query:
    """The query whose answer can be written as `media`. Raises `Refused` (406, 422)."""
    if media != RAW:
        return query
    if query.route not in RAW_ROUTES:
        raise Refused(406, f"/{query.route} answers with no raw numbers; ask for {JSON} or {MSGPACK}")
    if query.top_k is not None:
        raise Refused(422, "top_k: raw numbers are those of all labels, in the order that /info tells; leave it out")
    return msgspec.structs.replace(query, arrays=True)


def written(answered: Answered, media: str) -> tuple[bytes, dict[str, str]]:
    """The body of an answer to a query of `asked`, and its headers.

    Raw numbers are little-endian float32 `[texts, numbers]`, row by row, and a header tells both counts.
    """
    headers = told(answered)
    if media != RAW:
        return write(answered.value, media), headers
    numbers = np.stack(answered.answers).astype("<f4", copy=False)
    return numbers.tobytes(), headers | {SHAPE_HEADER: ",".join(map(str, numbers.shape))}


def write(value: Any, media: str) -> bytes:
    """A value as JSON or as MessagePack."""
    return _write_msgpack(value) if media == MSGPACK else write_json(value)


def told(answered: Answered) -> dict[str, str]:
    """The headers of an answer: how long its stages took, and which model gave it."""
    seconds = answered.seconds
    return {
        "server-timing": f"tokenize;dur={1000 * seconds['tokenize']:.3f}, queue;dur={1000 * seconds['queue']:.3f}, "
        f"infer;dur={1000 * seconds['infer']:.3f}, total;dur={1000 * seconds['total']:.3f}",
        "leanformer-model": answered.model.name,
        "leanformer-version": answered.model.version,
    }
