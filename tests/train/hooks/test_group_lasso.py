"""Norms shrink by as much as the operator says, and small units vanish."""

from __future__ import annotations

import torch

from leanformer.models.maps import maps
from leanformer.train.hooks.group_lasso import GroupLasso, shrunk
from tests.making.batches import check_other, check_same, trained
from tests.making.tiny import tiny_classifier


def test_the_proximal_operator():
    torch.testing.assert_close(shrunk(torch.tensor([0.0, 1, 2, 4]), 1.0), torch.tensor([0, 0, 0.5, 0.75]))


def test_small_units_vanish_whole_and_large_ones_stay():
    start = tiny_classifier()
    part = maps(start)["0.ffn.up"], maps(start)["0.ffn.down"]
    part[0].weight.data[:5] *= 1e-3
    part[1].weight.data[:, :5] *= 1e-3
    model = trained(GroupLasso(20.0), model=start)
    up, down = maps(model)["0.ffn.up"].weight, maps(model)["0.ffn.down"].weight
    assert (up[:5] == 0).all() and (down[:, :5] == 0).all()
    assert (up[5:].norm(dim=1) > 0).all()
    check_other(model, trained())


def test_without_a_penalty_it_is_training_as_usual():
    check_same(trained(GroupLasso(0.0)), trained())
