"""The mask is that of the weights before the training."""

from __future__ import annotations

from leanformer.models.maps import largest, maps
from leanformer.train.hooks.early_pruning import EarlyPruning
from tests.making.batches import check_other, check_same, trained
from tests.making.tiny import tiny_classifier


def test_the_smallest_at_the_start_stay_zero():
    model = trained(EarlyPruning(0.25))
    for name, part in maps(tiny_classifier()).items():
        mask = largest(part.weight.abs(), 0.25)
        assert (maps(model)[name].weight[~mask] == 0).all() and (maps(model)[name].weight[mask] != 0).all()
    check_other(model, trained())


def test_a_density_of_one_is_training_as_usual():
    check_same(trained(EarlyPruning(1.0)), trained())
