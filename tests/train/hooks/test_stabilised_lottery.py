"""Signs times a constant, from an early step."""

from __future__ import annotations

import torch

from leanformer.models.maps import maps
from leanformer.train.hooks.stabilised_lottery import StabilisedTicket, constants
from tests.making.batches import check_other, check_same, trained
from tests.train.hooks.test_lottery import DENSE, TRAINED, Start

EARLY = {name: weight * 0.5 for name, weight in TRAINED.items()}


def test_constants_have_the_signs_and_the_mean_of_what_is_kept():
    weight, mask = torch.tensor([[1.0, -3, 9]]), torch.tensor([[True, True, False]])
    assert constants(weight, mask).tolist() == [[2, -2, 0]]
    # The values no longer matter, and rewinding to constants is the same from them.
    torch.testing.assert_close(constants(constants(weight, mask), mask), constants(weight, mask))


def test_values_are_the_early_ones():
    start = Start()
    trained(StabilisedTicket(TRAINED, EARLY, 0.25, signs=False), start)
    name = "1.ffn.up"
    kept = start.weights[name] != 0
    assert int(kept.sum()) == kept.numel() // 4
    assert torch.equal(start.weights[name][kept], EARLY[name][kept])


def test_signs_are_two_values_at_the_start():
    start = Start()
    model = trained(StabilisedTicket(TRAINED, EARLY, 0.25), start)
    assert len(start.weights["0.ffn.down"].abs().unique()) == 2
    check_other(model, DENSE)
    assert all((part.weight == 0).float().mean() == 0.75 for part in maps(model).values())


def test_all_weights_with_their_values_are_training_as_usual():
    check_same(trained(StabilisedTicket(TRAINED, None, 1.0, signs=False)), DENSE)
