"""Small weights die, others grow where gradients are large, and their number stays."""

from __future__ import annotations

import torch

from leanformer.models.maps import maps
from leanformer.train.hooks.early_pruning import EarlyPruning
from leanformer.train.hooks.regrowth import Regrowth, moved
from tests.making.batches import check_other, check_same, trained


def test_one_move_by_hand():
    weight = torch.tensor([[5.0, 1, 0, 0], [4, 3, 0, 0]])
    gradient = torch.tensor([[0.0, 9, 1, -7], [0, 9, 2, 3]])
    mask = weight != 0
    assert moved(weight, gradient, mask, 0.25).tolist() == [[True, False, False, True], [True, True, False, False]]
    assert torch.equal(moved(weight, gradient, mask, 0.0), mask)


def test_the_number_stays_and_the_places_do_not():
    model, fixed = trained(Regrowth(0.25, every=3)), trained(EarlyPruning(0.25))
    changed = 0
    for name, part in maps(model).items():
        alive = part.weight != 0
        assert int(alive.sum()) <= alive.numel() // 4
        changed += int((alive & (maps(fixed)[name].weight == 0)).sum())
    assert changed > 100
    check_other(model, fixed)


def test_a_density_of_one_is_training_as_usual():
    check_same(trained(Regrowth(1.0, every=3)), trained())
