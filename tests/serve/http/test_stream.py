"""Bulk lines over one connection."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.predictor import logits
from leanformer.runtime.predictor import LightPredictor
from leanformer.serve.http.refused import Refused
from leanformer.serve.http.stream import Turn, _line, answer_lines
from leanformer.serve.workers.queues import PRIORITY_HEADER
from tests.making.servers import Server
from tests.serve.http.test_direct import Fixture, using
from tests.serve.test_routes import TEXTS, as_array

LINES = {"content-type": "application/x-ndjson"}


def ask(server: Server, body: bytes, **headers: str) -> list[dict[str, Any]]:
    answer = server.ask("POST", "/predict/stream", body, LINES | headers)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.body.splitlines()]


def test_each_line_is_answered_in_order(server: Server, predictor: LightPredictor):
    texts = TEXTS * 10
    body = b"".join(json.dumps({"inputs": text, "raw_scores": True}).encode() + b"\n" for text in texts)
    answers = ask(server, body)
    assert [answer["index"] for answer in answers] == list(range(len(texts)))
    np.testing.assert_allclose(as_array([answer["scores"] for answer in answers]), logits(predictor, texts), atol=1e-5)


def test_a_bad_line_is_told_in_its_place(server: Server):
    body = b'"rain"\n\n{"inputs": ["goal", "song"]}\r\n{oops\n3\n{"inputs": ""}\n"' + b"x " * 60 + b'"\n"last"'
    answers = ask(server, body)
    kinds = [answer.get("error_type", "fine") for answer in answers]
    assert kinds == ["fine", "validation", "fine", "malformed", "validation", "validation", "validation", "fine"]
    assert [answer["index"] for answer in answers] == list(range(8)), "a blank line counts"
    assert answers[1]["error"] == "an empty line" and len(answers[2]["scores"]) == 2
    assert answers[0]["scores"] == server.predict("rain").json


def test_nothing_in_nothing_out(server: Server):
    assert ask(server, b"") == []
    assert [line["error_type"] for line in ask(server, b"\n \n")] == ["validation", "validation"]


def test_an_answer_comes_before_the_next_line_is_sent(server: Server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.putrequest("POST", "/predict/stream")
    for name, value in {**LINES, "transfer-encoding": "chunked"}.items():
        connection.putheader(name, value)
    connection.endheaders()

    def send(data: bytes) -> None:
        connection.send(b"%x\r\n%s\r\n" % (len(data), data))

    send(b'"ra')
    send(b'in"\n"wi')
    answer = connection.getresponse()
    assert json.loads(answer.readline())["index"] == 0
    send(b'nd"\n')
    assert json.loads(answer.readline())["scores"] == server.predict("wind").json
    send(b"")
    assert answer.read() == b""
    connection.close()


def test_a_line_past_the_limit_ends_the_stream(server: Server):
    answers = ask(server, b'"rain"\n"' + b"x" * (1 << 21) + b'"\n"wind"\n')
    assert [answer.get("error_type") for answer in answers] == [None, "too_large"]
    assert "body_bytes is 1048576" in answers[1]["error"]


def test_a_stream_leaves_room_for_others(server: Server):
    """Its lines are far more than the queue holds, and neither they nor a request beside them is refused."""
    body = b"".join(json.dumps({"inputs": TEXTS}).encode() + b"\n" for _ in range(60))
    connection = server.connect()
    connection.request("POST", "/predict/stream", body, LINES)
    beside = [server.predict("rain") for _ in range(5)]
    answers = [json.loads(line) for line in connection.getresponse().read().splitlines()]
    connection.close()
    assert all("scores" in answer for answer in answers)
    assert len(answers) == 60
    assert {reply.status for reply in beside} == {200}


def test_numbers_that_json_does_not_have_are_refused(server: Server):
    body = b'{"inputs": "rain", "top_k": NaN}\n{"inputs": "rain", "model": Infinity}\nNaN\n"rain"\n'
    assert [answer.get("error_type") for answer in ask(server, body)] == ["malformed"] * 3 + [None]
    assert server.ask("POST", "/predict", b'{"inputs": "rain", "top_k": -Infinity}').status == 400


def test_an_answer_that_is_no_number_leaves_the_line_json():
    assert json.loads(_line({"index": 0, "scores": [{"label": "a", "score": float("nan")}]}))
    assert b"NaN" not in _line({"score": float("nan")})


def test_a_stream_has_the_priority_of_its_header(server: Server):
    assert len(ask(server, b'"rain"\n"wind"\n', **{PRIORITY_HEADER: "low"})) == 2
    answer = server.ask("POST", "/predict/stream", b'"rain"', LINES | {PRIORITY_HEADER: "no"})
    assert answer.status == 422 and "must be high, normal or low" in answer.json["error"]


def test_a_line_for_which_others_leave_no_room_is_given_up(tiny_onnx_artifact: Path):
    async def test(one: Fixture) -> None:
        queue = one.service.generation.scheduler.queue(0)
        queue.outstanding = queue.limit // 2 + 1

        async def lines() -> AsyncIterator[bytes]:
            for text in (b'"rain"', b'"wind"'):
                yield text

        refused = [json.loads(line) async for line in answer_lines(one.service, lines(), 0.05)]
        assert [line["error_type"] for line in refused] == ["deadline"] * 2
        assert "other requests fill half" in refused[0]["error"]
        queue.outstanding = 0
        assert all(
            "scores" in json.loads(line) for line in [line async for line in answer_lines(one.service, lines(), 9)]
        )

    using(tiny_onnx_artifact, test)


def test_a_line_waits_as_long_as_others_of_its_stream_get_room():
    turn = Turn(0.1)
    since = time.monotonic()
    for _ in range(4):
        time.sleep(0.05)
        turn.check(since)
        turn.taken()
    assert time.monotonic() - since > 0.15
    time.sleep(0.12)
    with pytest.raises(Refused, match=r"no room in the queue within 0.1 s"):
        turn.check(since)
    turn.check(time.monotonic())


def test_a_stream_tells_its_turn_when_a_line_gets_room(tiny_onnx_artifact: Path, monkeypatch: pytest.MonkeyPatch):
    taken: list[int] = []
    monkeypatch.setattr(Turn, "taken", lambda turn: taken.append(1))

    async def test(one: Fixture) -> None:
        async def lines() -> AsyncIterator[bytes]:
            yield b'"rain"'

        assert [line async for line in answer_lines(one.service, lines(), 9)] and taken == [1]

    using(tiny_onnx_artifact, test)
