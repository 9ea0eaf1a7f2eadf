"""Hard concrete gates beside their distribution, and units that close."""

from __future__ import annotations

import pytest
import torch

from leanformer.models.maps import maps
from leanformer.train.hooks.l0 import L0Gates, drawn, expected, probability_open
from tests.making.batches import check_other, check_same, trained


@pytest.mark.parametrize("location", [-2.0, 0.0, 1.5])
def test_the_probability_is_that_of_many_draws(location: float):
    gates = drawn(torch.tensor(location), torch.rand(200_000, generator=torch.Generator().manual_seed(0)))
    assert (gates > 0).float().mean() == pytest.approx(float(probability_open(torch.tensor(location))), abs=0.005)
    assert gates.min() == 0 and gates.max() == 1


def test_expected_gates():
    assert expected(torch.tensor([-9.0, 0, 9])).tolist() == [0, 0.5, 1]


def test_a_strong_penalty_closes_units_and_a_weak_one_does_not():
    def open_units(strength: float) -> int:
        model = trained(L0Gates(strength, start=-1.5, rate=0.2))
        return sum(int((part.weight.norm(dim=0) > 0).sum()) for name, part in maps(model).items() if "down" in name)

    assert open_units(100.0) < 48 <= open_units(0.0)
    check_other(trained(L0Gates(100.0, start=0.0)), trained())


def test_open_gates_without_a_penalty_are_training_as_usual():
    check_same(trained(L0Gates(0.0, start=50.0)), trained())
