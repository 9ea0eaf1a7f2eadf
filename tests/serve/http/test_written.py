"""Answers as JSON, as MessagePack and as raw numbers."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from leanformer.predictor import logits
from leanformer.runtime.predictor import LightPredictor
from leanformer.serve.http.body import TIMEOUT_HEADER
from leanformer.serve.http.written import JSON, MSGPACK, RAW, SHAPE_HEADER, wanted
from tests.making.servers import Reply, Server

TEXTS = ["rain in town", "a game"]


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", JSON), ("*/*", JSON), ("text/html, application/msgpack", JSON), ("application/octet-stream-x", JSON),
        ("Application/MsgPack; q=0.9, */*", MSGPACK), (RAW, RAW), (f" {RAW} ,{JSON};q=0.5", RAW),
    ],
)  # fmt: skip
def test_the_first_type_of_accept_is_given_if_it_can_be(accept: str, media: str):
    assert wanted(accept) == media


def numbers(reply: Reply) -> np.ndarray:
    assert reply.status == 200 and reply.headers["content-type"] == RAW
    return np.frombuffer(reply.body, "<f4").reshape([int(count) for count in reply.headers[SHAPE_HEADER].split(",")])


@pytest.mark.parametrize("further", [{}, {TIMEOUT_HEADER: "9000"}], ids=["short", "long"])
def test_raw_numbers_are_those_of_the_model(
    all_server: Server, predictor: LightPredictor, embedder: LightPredictor, further: dict[str, str]
):
    headers = {"accept": RAW} | further
    expected = logits(predictor, TEXTS)
    found = numbers(all_server.predict(TEXTS, headers, raw_scores=True))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    shares = numbers(all_server.predict(TEXTS, headers))
    written = all_server.predict(TEXTS).json
    for row, scores in zip(shares, written, strict=True):
        told = {score["label"]: score["score"] for score in scores}
        np.testing.assert_allclose(row, [told[label] for label in predictor.task.labels], rtol=1e-6)
    vectors = numbers(all_server.embed(TEXTS[0], headers, normalize=False))
    np.testing.assert_allclose(vectors, logits(embedder, TEXTS[:1]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("further", [{}, {TIMEOUT_HEADER: "9000"}], ids=["short", "long"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/predict", {"inputs": TEXTS}), ("/tag", {"inputs": TEXTS[0]}), ("/embed", {"inputs": TEXTS}),
        ("/", {"inputs": TEXTS[0]}), ("/tokenize", {"inputs": TEXTS}), ("/v1/embeddings", {"input": TEXTS}),
    ],
)  # fmt: skip
def test_messagepack_says_what_json_says(all_server: Server, path: str, body: object, further: dict[str, str]):
    packed = all_server.ask("POST", path, body, {"accept": MSGPACK} | further)
    assert packed.status == 200 and packed.headers["content-type"] == MSGPACK
    assert msgspec.msgpack.decode(packed.body) == all_server.ask("POST", path, body, further).json


@pytest.mark.parametrize("further", [{}, {TIMEOUT_HEADER: "9000"}], ids=["short", "long"])
@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("/tag", {"inputs": "rain"}, 406, "/tag answers with no raw numbers"),
        ("/similarity", {"inputs": {"source_sentence": "a", "sentences": ["b"]}}, 406, "/similarity answers with no"),
        ("/predict", {"inputs": "rain", "top_k": 1}, 422, "top_k: raw numbers are those of all labels"),
    ],
)
def test_what_has_no_raw_numbers_is_refused_in_json(
    all_server: Server, path: str, body: object, status: int, told: str, further: dict[str, str]
):
    refused = all_server.ask("POST", path, body, {"accept": RAW} | further)
    assert refused.status == status and refused.json["error"].startswith(told)
