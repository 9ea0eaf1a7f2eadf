"""Weights and inputs are rounded in training, and afterwards until they are let go."""

from __future__ import annotations

import torch

from leanformer.models.maps import maps, watched
from leanformer.train.hooks.q8bert import Q8Bert, on_grid
from tests.making.batches import check_other, check_same, logits, trained


def test_the_grid():
    x = torch.tensor([-4.0, -0.4, 0.3, 2.2])
    assert on_grid(x, 3, torch.tensor(3.0)).tolist() == [-3, 0, 0, 2]
    assert torch.equal(on_grid(x, 32), x)


def test_weights_have_few_values_and_inputs_as_many():
    hook = Q8Bert(4)
    model = trained(hook)
    assert all(len(part.weight.unique()) <= 15 for part in maps(model).values())
    check_other(model, trained())
    seen: dict[str, torch.Tensor] = {}
    with watched(model, seen.__setitem__):  # after the hook, so that it sees rounded inputs
        rounded = logits(model)
    assert all(len(x.unique()) <= 15 for x in seen.values())
    hook.detach()
    assert not torch.equal(logits(model), rounded)


def test_peaks_are_a_moving_average_that_prediction_does_not_change():
    hook = Q8Bert(8, decay=0.5)
    model = trained(hook)
    before = dict(hook.peaks)
    logits(model)
    assert hook.peaks == before and len(before) == 12
    resumed = Q8Bert(8)
    state = hook.state()
    assert state is not None
    resumed.load_state(state)
    assert resumed.peaks == before


def test_many_bits_are_training_as_usual():
    check_same(trained(Q8Bert(32)), trained())


def test_the_peak_of_inputs_follows_them():
    hook, part = Q8Bert(8, decay=0.75), torch.nn.Linear(2, 1).train()
    for value in (4.0, 8.0, 8.0):
        hook._round("map", part, (torch.tensor([[value, -1.0]]),))
    assert float(hook.peaks["map"]) == 0.75 * (0.75 * 4 + 0.25 * 8) + 0.25 * 8
