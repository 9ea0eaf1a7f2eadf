"""Small weights die, others grow where gradients are large, and their number stays."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from leanformer.models.maps import maps
from leanformer.train.hooks.early_pruning import EarlyPruning
from leanformer.train.hooks.hook import Hook, Run
from leanformer.train.hooks.regrowth import Regrowth, moved
from tests.making.batches import check_other, check_same, trained


def test_one_move_by_hand():
    weight = torch.tensor([[5.0, 1, 0, 0], [4, 3, 0, 0]])
    gradient = torch.tensor([[0.0, 6, 1, -7], [0, 9, 2, 3]])
    mask = weight != 0
    assert moved(weight, gradient, mask, 0.25).tolist() == [[True, False, False, True], [True, True, False, False]]
    # The one that dies has the largest gradient, and grows again.
    again = torch.where(torch.tensor([[False, True, False, False]] * 2), 99.0, gradient)
    assert torch.equal(moved(weight, again, mask, 0.25), mask)
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


def test_what_grows_begins_at_zero():
    hook, grown = Regrowth(0.25, every=3), 0

    class Seen(Hook):
        name = "seen"
        before: ClassVar[dict[str, Tensor]] = {}

        def after_step(self, run: Run) -> None:
            nonlocal grown
            for name, part in maps(run.model).items():  # type: ignore[arg-type]
                new = hook.masks[name] & ~self.before.get(name, hook.masks[name])
                grown += int(new.sum())
                assert not part.weight[new].any()
                self.before[name] = hook.masks[name].clone()

    trained(hook, Seen())
    assert grown > 100


def test_a_density_of_one_is_training_as_usual():
    check_same(trained(Regrowth(1.0, every=3)), trained())
