"""Embedders as predictors of pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from leanformer.artifact import open_artifact
from leanformer.cosines import of_pairs
from leanformer.loading import open_pairs, open_predictor
from leanformer.measure.vectors import embed
from leanformer.predictor import logits
from tests.making.graphs import make_embedder
from tests.making.tiny import tiny_texts

TEXTS = tiny_texts(12, seed=4)[0]
PAIRS = list(zip(TEXTS[:6], TEXTS[6:], strict=True))


def test_pairs_are_scored_by_the_cosine_of_their_vectors(tmp_path: Path):
    onnx = make_embedder(tmp_path)[1]
    vectors = embed(open_predictor(onnx, threads=1), TEXTS)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    predictor = open_pairs(of_pairs(onnx), threads=1)
    found = logits(predictor, PAIRS)
    np.testing.assert_allclose(found[:, 0], (vectors[:6] * vectors[6:]).sum(axis=1), atol=1e-5)
    swapped = logits(predictor, [(second, first) for first, second in PAIRS])
    np.testing.assert_allclose(found, swapped, atol=1e-5)
    assert predictor.engine == open_predictor(onnx, threads=1).engine
    assert of_pairs(onnx).task.kind == "similarity" and open_artifact(onnx.path).task.kind == "embedding"
    assert of_pairs(onnx).content_hash == onnx.content_hash, "a certificate names the bytes of the embedder"
