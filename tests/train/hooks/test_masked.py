"""Masked weights stay zero, and the others are trained."""

from __future__ import annotations

import torch

from leanformer.models.maps import maps
from leanformer.train.hooks.hook import HookState
from leanformer.train.hooks.masked import Masked
from tests.making.batches import check_other, check_same, trained
from tests.making.tiny import tiny_classifier

START = tiny_classifier()
MASKS = {
    name: torch.rand(part.weight.shape, generator=torch.Generator().manual_seed(1)) < 0.5
    for name, part in maps(START).items()
}


def test_zeros_stay_and_others_move():
    model = trained(Masked(MASKS))
    for name, part in maps(model).items():
        assert (part.weight[~MASKS[name]] == 0).all()
        assert (part.weight != maps(START)[name].weight)[MASKS[name]].float().mean() > 0.9
    check_other(model, trained())


def test_masks_of_ones_are_training_as_usual():
    check_same(trained(Masked({name: torch.ones_like(mask) for name, mask in MASKS.items()})), trained())


def test_a_resumed_run_has_its_masks():
    hook = Masked()
    hook.load_state(HookState(Masked(MASKS).state().tensors, {}))  # type: ignore[union-attr]
    assert all(torch.equal(hook.masks[name], MASKS[name]) for name in MASKS)
