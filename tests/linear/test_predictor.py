"""Running a linear model: sparse vectors times one matrix."""

from __future__ import annotations

import numpy as np

from leanformer.linear.features import learn_features
from leanformer.linear.predictor import LinearPredictor
from leanformer.predictor import Predictor, answers, logits
from tests.making.tiny import LABELS, TASK, tiny_texts


def test_logits_are_a_product():
    texts = tiny_texts(20, seed=1)[0]
    features = learn_features(texts, pairs=False, least=1)
    weights = np.random.default_rng(0).standard_normal((features.width, 3)).astype(np.float32)
    predictor = LinearPredictor(TASK, features, weights)
    assert isinstance(predictor, Predictor)
    found = logits(predictor, texts)
    assert found.dtype == np.float32 and found.shape == (20, 3)
    for row, vector in zip(found, predictor.tokenize(texts), strict=True):
        expected = sum(value * weights[int(column)].astype(np.float64) for column, value in vector)
        assert np.allclose(row, expected, atol=1e-5)
    assert answers(predictor, texts)[0].label == LABELS[int(found[0].argmax())]


def test_a_text_without_known_n_grams_gets_the_bias():
    features = learn_features(["a b", "c d"], pairs=False, least=1)
    weights = np.arange(features.width * 3, dtype=np.float32).reshape(-1, 3)
    assert logits(LinearPredictor(TASK, features, weights), ["zzz", "9"]).tolist() == [[0, 1, 2]] * 2
