"""The ticket has the trained model's mask and the start's values."""

from __future__ import annotations

import torch

from leanformer.models.maps import largest, maps
from leanformer.train.hooks.hook import Hook, Run
from leanformer.train.hooks.lottery import LotteryTicket
from tests.making.batches import check_other, check_same, trained
from tests.making.tiny import tiny_classifier

DENSE = trained()
TRAINED = {name: part.weight.detach().clone() for name, part in maps(DENSE).items()}


class Start(Hook):
    name = "start"

    def begin(self, run: Run) -> None:
        self.weights = {name: part.weight.detach().clone() for name, part in maps(run.model).items()}  # type: ignore[arg-type]


def test_the_mask_is_the_trained_models_and_values_are_the_starts():
    start = Start()
    model = trained(LotteryTicket(TRAINED, 0.25), start)
    for name, part in maps(tiny_classifier()).items():
        mask = largest(TRAINED[name].abs(), 0.25)
        assert torch.equal(start.weights[name], part.weight * mask)
        assert (maps(model)[name].weight[~mask] == 0).all()
    check_other(model, DENSE)


def test_a_density_of_one_is_the_same_training_again():
    check_same(trained(LotteryTicket(TRAINED, 1.0)), DENSE)
