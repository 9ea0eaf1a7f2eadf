"""The density falls as a cubic, and ends where it should."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from leanformer.errors import LeanformerError
from leanformer.models.maps import maps
from leanformer.train.hooks.gradual import GradualPruning, cubic
from leanformer.train.hooks.hook import Hook, Run
from tests.making.batches import check_other, check_same, trained


class Seen(Hook):
    name = "seen"

    def __init__(self) -> None:
        self.densities: list[float] = []

    def after_step(self, run: Run) -> None:
        part = maps(run.model)["0.ffn.up"].weight  # type: ignore[arg-type]
        self.densities.append(float((part != 0).float().mean()))


def test_the_formula():
    assert [cubic(time, 0.25) for time in (0, 1, 2, -1)] == [1, 0.25, 0.25, 1]
    assert cubic(0.5, 0.2) == pytest.approx(1 - 0.8 * (1 - 0.125))


def test_it_falls_and_ends_exactly():
    seen = Seen()
    model = trained(GradualPruning(0.25, start=0.1, end=0.7), seen)
    assert seen.densities == sorted(seen.densities, reverse=True) and seen.densities[0] == 1
    assert seen.densities[7] == pytest.approx(cubic((8 / 20 - 0.1) / 0.6, 0.25), abs=1e-3)
    assert all(int((part.weight != 0).sum()) == part.weight.numel() // 4 for part in maps(model).values())
    check_other(model, trained())


def test_what_is_pruned_stays_pruned():
    hook, gone = GradualPruning(0.5, start=0.0, end=0.5), dict[str, Tensor]()

    class Dead(Hook):
        name = "dead"

        def after_step(self, run: Run) -> None:
            for name, part in maps(run.model).items():  # type: ignore[arg-type]
                zero = part.weight == 0
                assert name not in gone or bool((zero | ~gone[name]).all())
                gone[name] = zero.clone()

    class Small(Hook):
        """Makes the living weights smaller than a step of the optimiser."""

        name = "small"

        @torch.no_grad()
        def begin(self, run: Run) -> None:
            for part in maps(run.model).values():  # type: ignore[arg-type]
                part.weight.mul_(0.01)

    trained(Small(), hook, Dead())


def test_a_density_of_one_is_training_as_usual():
    check_same(trained(GradualPruning(1.0)), trained())


@pytest.mark.parametrize("wrong", [{"density": 0.0}, {"density": 1.5}, {"start": 0.8}])
def test_wrong_settings_are_refused(wrong: dict[str, float]):
    with pytest.raises(LeanformerError, match="gradual: a density above 0"):
        GradualPruning(**wrong)
