"""The density follows the penalty, and differs between maps."""

from __future__ import annotations

import torch

from leanformer.models.classifier import Classifier
from leanformer.models.maps import maps
from leanformer.train.hooks.soft_movement import AboveThreshold, SoftMovement
from tests.making.batches import check_other, check_same, trained


def densities(model: Classifier) -> list[float]:
    return [float((part.weight != 0).float().mean()) for part in maps(model).values()]


def test_the_gradient_has_the_penaltys_added():
    scores = torch.tensor([-3.0, 0.0, 2.0], requires_grad=True)
    kept = AboveThreshold.apply(scores, 0.1, 0.5)  # type: ignore[no-untyped-call]
    assert kept.tolist() == [0, 1, 1]
    (kept * torch.tensor([1.0, 2, 3])).sum().backward()
    share = torch.sigmoid(scores.detach())
    torch.testing.assert_close(scores.grad, torch.tensor([1.0, 2, 3]) + 0.5 * share * (1 - share))


def test_a_stronger_penalty_leaves_less():
    weak, strong = (trained(SoftMovement(strength, threshold=0.49)) for strength in (0.1, 1e5))
    assert sum(densities(strong)) < 0.8 * sum(densities(weak)) and len(set(densities(weak))) > 3
    check_other(strong, trained())


def test_a_threshold_below_0_is_training_as_usual():
    check_same(trained(SoftMovement(threshold=-1.0)), trained())
