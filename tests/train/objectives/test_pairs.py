"""Pairs of texts for contrastive tuning, and their objective."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from leanformer.train.feeds.batches import to_batches
from leanformer.train.objectives.pairs import CosinePairs, draw_pairs, pair_set

LABELS = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2])


def test_pairs_are_of_different_texts_none_twice_and_have_their_target():
    pairs, targets = draw_pairs(LABELS, 1000, seed=1)
    assert (pairs[:, 0] < pairs[:, 1]).all() and len({tuple(pair) for pair in pairs.tolist()}) == len(pairs)
    assert (targets == (LABELS[pairs[:, 0]] == LABELS[pairs[:, 1]])).all() and targets.dtype == np.float32
    assert len(pairs) == 36, "few texts: every pair that there is"
    assert targets[:9].std() > 0, "in random order"


def test_every_text_draws_as_many_partners_as_asked():
    labels = np.arange(40) % 2
    pairs, targets = draw_pairs(labels, 1000, seed=1, per_text=4)
    partners = np.bincount(pairs[targets == 1].ravel(), minlength=40)
    assert (partners >= 2).all() and 40 <= (targets == 1).sum() <= 80
    again, other = draw_pairs(labels, 1000, 1, 4)[0], draw_pairs(labels, 1000, 2, 4)[0]
    assert (again == pairs).all() and (len(other) != len(pairs) or (other != pairs).any())


@pytest.mark.parametrize(("most", "ones"), [(10, 5), (30, 10)])
def test_a_bound_on_pairs_keeps_both_kinds(most: int, ones: int):
    """There are 10 pairs of one class and 26 others."""
    pairs, targets = draw_pairs(LABELS, most, seed=1)
    assert len(pairs) == most and targets.sum() == ones


class Vectors(nn.Module):
    """The vector of a row is its first two ids."""

    def forward(self, ids, mask, types):
        return ids[:, :2].float()


def test_the_loss_is_the_squared_distance_of_the_cosine_from_the_target():
    rows = [np.array(row, dtype=np.int32) for row in ([3, 4], [4, 3], [1, 0], [0, 9])]
    data = pair_set(rows, np.array([[0, 1], [2, 3]]), np.array([1, 1], dtype=np.float32), padding_id=0)
    assert len(data) == 2
    (batch,) = to_batches(data, np.arange(2), token_budget=100, device=torch.device("cpu"))
    assert float(CosinePairs()(Vectors(), batch)) == pytest.approx(((24 / 25 - 1) ** 2 + 1) / 2)
    parts = list(to_batches(data, np.arange(2), token_budget=4, device=torch.device("cpu")))
    assert len(parts) == 2
    whole = sum(float(CosinePairs()(Vectors(), part)) * part.share for part in parts)
    assert whole == pytest.approx(float(CosinePairs()(Vectors(), batch)))
