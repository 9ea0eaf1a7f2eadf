"""What the models see: n-grams of the rows to train on, vectors as they are; at most so many rows."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.curate import label_models
from leanformer.curate.label_models import LabelModels
from leanformer.data.examples import Examples
from tests.making.tiny import TASK, tiny_texts

TEXTS, LABELS = tiny_texts(60, 5)
TRAIN = Examples(TASK, TEXTS, LABELS)
FOLDS = np.arange(60) % 5


def test_n_grams_are_those_of_the_rows_to_train_on() -> None:
    models = LabelModels(TRAIN, FOLDS, None, 1)
    few, all_rows = (models.features(np.arange(count))(np.arange(60)) for count in (10, 60))
    assert few.shape[0] == all_rows.shape[0] == 60 and few.shape[1] < all_rows.shape[1]
    assert (few[:, 0].toarray() == 1).all()


def test_vectors_get_a_column_for_the_bias() -> None:
    vectors = np.arange(120, dtype=np.float32).reshape(60, 2)
    found = LabelModels(TRAIN, FOLDS, vectors, 1).features(np.arange(5))(np.array([3, 1]))
    assert found.tolist() == [[1, 6, 7], [1, 2, 3]]


def test_many_rows_are_all_predicted_by_models_of_some(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    plain = label_models.FITS["label"]

    def fit(matrix: np.ndarray, targets: np.ndarray, outputs: int, strength: float, seed: int) -> np.ndarray:
        sizes.append(len(targets))
        return plain(matrix, targets, outputs, strength, seed)

    monkeypatch.setitem(label_models.FITS, "label", fit)
    monkeypatch.setattr(label_models, "CHOSEN_WITH", 40)
    logits = LabelModels(TRAIN, FOLDS, None, 1).logits(TRAIN.targets, "label")
    assert logits.shape == (60, 3) and np.isfinite(logits).all()
    assert len(sizes) == 5 and sum(sizes) == 4 * 40
