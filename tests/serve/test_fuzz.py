"""Whatever is sent, the server answers as it is described, never with 500, and goes on."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serve.serving import Server

pytestmark = pytest.mark.slow
FUZZ = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
TEXTS = st.text(min_size=1, max_size=80)
LIKELY = st.fixed_dictionaries(
    {"inputs": TEXTS | st.lists(TEXTS | st.lists(TEXTS, max_size=3), max_size=6) | VALUES},
    optional={
        "top_k": st.integers(-2, 5) | VALUES,
        "raw_scores": st.booleans() | VALUES,
        "truncate": st.booleans() | VALUES,
        "exact": st.booleans() | VALUES,
        "model": st.sampled_from(["tiny", "other", "none"]) | VALUES,
        "parameters": st.dictionaries(st.sampled_from(["top_k", "truncate", "inputs", "x"]), VALUES, max_size=3),
        "more": VALUES,
    },
)


def is_as_described(server: Server, status: int, body: bytes) -> None:
    documented = server.description["paths"]["/predict"]["post"]["responses"]  # type: ignore[attr-defined]
    assert str(status) in documented, (status, body)
    assert status < 500, body
    value = json.loads(body)
    if status != 200:
        assert set(value) == {"error", "error_type"}
        return
    rows = value if isinstance(value[0], list) else [value]
    for row in rows:
        assert row and all(set(one) == {"label", "score"} for one in row)


@pytest.fixture(scope="module", autouse=True)
def described(server: Server) -> None:
    server.description = server.ask("GET", "/openapi.json").json  # type: ignore[attr-defined]


@FUZZ
@given(body=LIKELY | VALUES)
def test_any_json(server: Server, body: Any):
    answer = server.ask("POST", "/predict", json.dumps(body).encode("utf-8", "surrogatepass"))
    is_as_described(server, answer.status, answer.body)


@FUZZ
@given(body=st.binary(max_size=300))
def test_any_bytes(server: Server, body: bytes):
    answer = server.ask("POST", "/predict", body)
    is_as_described(server, answer.status, answer.body)


@FUZZ
@given(
    lines=st.lists(st.binary(max_size=60) | LIKELY.map(lambda one: json.dumps(one).encode()), max_size=8),
)
def test_any_lines(server: Server, lines: list[bytes]):
    answer = server.ask("POST", "/predict/stream", b"\n".join(lines), {"content-type": "application/x-ndjson"})
    assert answer.status == 200
    given_lines = [one for one in b"\n".join(lines).split(b"\n") if one.strip()]
    answers = [json.loads(one) for one in answer.body.splitlines()]
    assert [one["index"] for one in answers] == list(range(len(given_lines)))
    assert all(("scores" in one) != ("error" in one) for one in answers)
    assert not [one for one in answers if one.get("error_type") == "internal"]


WHOLE = (
    b"POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 18\r\n\r\n"
    b'{"inputs": "rain"}'
)


@FUZZ
@given(end=st.integers(0, len(WHOLE)), noise=st.binary(max_size=40), place=st.integers(0, len(WHOLE)))
def test_broken_and_truncated_requests(server: Server, end: int, noise: bytes, place: int):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as one:
        one.sendall((WHOLE[:place] + noise + WHOLE[place:])[:end])
        one.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while part := one.recv(4096):
                answer += part
        except ConnectionResetError:
            pass
    assert b" 500 " not in answer.partition(b"\r\n")[0]


def test_after_all_that_it_is_well(server: Server):
    assert server.predict("rain").status == 200
    assert server.figure("leanformer_queue_tokens") == 0
    assert not [one for one in server.log if one["event"] in ("failure", "worker_lost", "pack_failed")]
