"""Vectors over HTTP, in the shape of text-embeddings-inference."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from leanformer.metrics.probabilities import unit_vectors
from leanformer.predictor import logits
from leanformer.runtime.predictor import LightPredictor
from tests.making.servers import Server
from tests.serve.test_routes import TEXTS


def test_vectors_are_those_of_predict(all_server: Server, embedder: LightPredictor):
    answer = all_server.embed(TEXTS)
    assert answer.status == 200
    assert answer.headers["leanformer-model"] == "vectors"
    vectors = np.array(answer.json)
    np.testing.assert_allclose(vectors, unit_vectors(logits(embedder, TEXTS)), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(all_server.embed(TEXTS[0]).json, vectors[:1], atol=1e-5)
    np.testing.assert_allclose(all_server.embed(TEXTS[:2], normalize=None).json, vectors[:2], atol=1e-5)


def test_they_may_be_had_as_they_are_to_the_last_bit(all_server: Server, embedder: LightPredictor):
    alone = np.concatenate([embedder.infer(embedder.tokenize([text])) for text in TEXTS])
    with ThreadPoolExecutor(8) as threads:
        together = threads.submit(all_server.embed, TEXTS, exact=True, normalize=False)
        noise = [threads.submit(all_server.embed, TEXTS[i:]) for i in range(0, 100, 10)]
        assert np.array(together.result().json, np.float32).tobytes() == alone.tobytes()
        assert {future.result().status for future in noise} == {200}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"inputs": [["a", "b"]]}, "inputs[0]: a pair, but the model reads single texts"),
        ({"inputs": "a", "normalize": 1}, "normalize: must be true or false"),
        ({"inputs": "a", "raw_scores": True}, "unknown field 'raw_scores'"),
        ({"inputs": "rain " * 50}, "inputs[0]: more tokens than the model's max_tokens, 32"),
        ({"inputs": "a", "model": "tags"}, "tags does not answer /embed; ask /tag"),
    ],
)
def test_what_is_wrong_is_named(all_server: Server, body: dict[str, Any], field: str):
    answer = all_server.ask("POST", "/embed", body)
    assert answer.status == 422
    assert field in answer.json["error"]


def test_long_texts_may_be_cut(all_server: Server, embedder: LightPredictor):
    found = all_server.embed("rain " * 50, truncate=True, normalize=False).json
    np.testing.assert_allclose(found, logits(embedder, ["rain " * 50]), atol=1e-5)


def test_lines(all_server: Server):
    body = "\n".join(json.dumps(text) for text in [*TEXTS[:9], {"inputs": TEXTS[:3]}]).encode()
    answer = all_server.ask("POST", "/embed/stream", body, {"content-type": "application/x-ndjson"})
    found = [json.loads(line)["embeddings"] for line in answer.body.splitlines()]
    np.testing.assert_allclose(np.concatenate(found), all_server.embed([*TEXTS[:9], *TEXTS[:3]]).json, atol=1e-5)
    assert [len(line) for line in found] == [1] * 9 + [3]
