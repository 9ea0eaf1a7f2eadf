"""The predictor of a model on n-grams: the protocol, its answers, and rows that it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import leanformer
from leanformer.errors import DataError
from leanformer.predictor import Predictor, logits
from leanformer.tiny.predictor import NgramPredictor
from tests.making.ngrams import linear_artifact, tiny_fitted
from tests.making.tiny import tiny_dataset, tiny_texts


@pytest.fixture
def predictor(tmp_path: Path) -> NgramPredictor:
    return NgramPredictor(linear_artifact(tmp_path / "model"), threads=1)


def test_it_answers_as_the_model_that_it_was_made_of(predictor: NgramPredictor):
    texts, labels = tiny_texts(90, seed=20)
    assert isinstance(predictor, Predictor) and predictor.task == tiny_dataset().task
    fitted = tiny_fitted().predictor
    values = logits(predictor, texts)
    assert values.dtype == np.float32
    assert (values.argmax(axis=1) == logits(fitted, texts).argmax(axis=1)).mean() > 0.98
    assert (values.argmax(axis=1) == labels).mean() > 0.9
    first = leanformer.load(predictor.artifact.path).predict(["rain and snow and storm"])[0]
    assert first.label == "weather" and sum(first.probabilities.values()) == pytest.approx(1)


def test_a_row_does_not_depend_on_the_others(predictor: NgramPredictor):
    rows = predictor.tokenize(tiny_texts(40, seed=21)[0])
    together = predictor.infer(rows)
    assert np.array_equal(together[::-1], predictor.infer(rows[::-1]))
    assert all(np.array_equal(together[i : i + 1], predictor.infer([row])) for i, row in enumerate(rows))
    assert predictor.infer([]).shape == (0, 3)


@pytest.mark.parametrize("row", [[], [-1], [0x110000]])
def test_a_row_that_is_no_text_is_refused(predictor: NgramPredictor, row: list[int]):
    with pytest.raises(DataError, match="remedy: "):
        predictor.infer([np.array(row, np.int32)])


def test_whole_texts_are_read(predictor: NgramPredictor):
    """However few tokens the Transformer reads that it was distilled from."""
    assert predictor.artifact.max_tokens == 32
    assert predictor.predict(["the " * 500 + "rain snow storm cloud"])[0].label == "weather"
