"""Bulk lines over one connection."""

from __future__ import annotations

import http.client
import json
from typing import Any

import numpy as np

from leanformer.predictor import logits
from leanformer.runtime.predictor import LightPredictor
from tests.making.servers import Server
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
    assert [one["error_type"] for one in ask(server, b"\n \n")] == ["validation", "validation"]


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
    assert {one.status for one in beside} == {200}
