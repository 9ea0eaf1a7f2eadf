"""The texts that heads and units are scored on: a fair sample of train, in its order, with its labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from leanformer.artifact import Artifact
from leanformer.compress.prune.scoring_set import batches_of, first_tokens, mean_tokens, open_for_pruning, scoring_set
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.metrics.probabilities import softmax
from leanformer.models.predictor import TorchPredictor
from leanformer.predictor import logits
from leanformer.train.feeds.batches import TrainingSet
from tests.making.graphs import make_context
from tests.making.tiny import TASK, tiny_artifact, tiny_dataset, tiny_texts


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return tiny_artifact(tmp_path_factory.mktemp("source") / "source")


def by_class() -> Dataset:
    """The data with train sorted by class, as files often are."""
    data = tiny_dataset()
    assert data.train is not None and data.train.labels is not None
    order = sorted(range(len(data.train)), key=lambda row: data.train.labels[row])
    return replace(data, train=data.train.select(order))


def test_a_file_sorted_by_class_gives_all_classes(source: Artifact, tmp_path: Path):
    found = scoring_set(source, make_context(tmp_path, source, data=by_class()), 30)
    assert len(found) == 30 and min(np.bincount(found.labels, minlength=3)) >= 4
    assert found.labels.tolist() == sorted(found.labels.tolist()), "in the order of the file"
    other = scoring_set(source, make_context(tmp_path, source, data=by_class(), seed=14), 30)
    assert [row.tolist() for row in other.rows] != [row.tolist() for row in found.rows]


def test_labels_of_unlabelled_texts_are_drawn_not_the_surest(source: Artifact, tmp_path: Path):
    """Each as often as the teacher says: over many texts the share of the surest is its mean probability."""
    texts = tiny_texts(400, 7)[0]
    data = replace(tiny_dataset(), train=None, unlabelled=Examples(TASK, texts, None))
    found = scoring_set(source, make_context(tmp_path, source, data=data), 400)
    shares = softmax(logits(TorchPredictor(source), texts).astype(np.float64))
    surest = shares.max(axis=1).mean()
    assert 0.4 < surest < 0.97, "a teacher that is always sure could not tell"
    assert (found.labels == shares.argmax(axis=1)).mean() == pytest.approx(surest, abs=0.06)


def test_a_model_to_be_pruned_is_not_in_training_mode(source: Artifact):
    assert not open_for_pruning("compress.prune", source).training


def test_every_row_is_in_one_batch():
    rows = [np.full(length, 5, dtype=np.int32) for length in (3, 9, 4, 8, 5)]
    data = TrainingSet(rows, np.arange(5), 0)
    batches = list(batches_of(data, batch_size=2, seed=1, device=torch.device("cpu")))
    assert sorted(label for batch in batches for label in batch.labels.tolist()) == [0, 1, 2, 3, 4]
    assert max(len(batch.ids) for batch in batches) == 2
    assert mean_tokens(data) == 6
    few = first_tokens(batches, int(batches[0].mask.sum()))
    assert few == batches[:1] and first_tokens(batches, 1) == batches[:1] and first_tokens(batches, 1000) == batches
