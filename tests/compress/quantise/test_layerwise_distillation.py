"""A tuned layer is nearer to what it was than a rounded one."""

from __future__ import annotations

from copy import deepcopy
from functools import partial

import torch

from leanformer.compress.quantise.layerwise_distillation import layerwise_distillation
from leanformer.compress.quantise.nearest import nearest
from leanformer.models.classifier import Classifier
from leanformer.models.maps import maps
from tests.making.batches import batch_of
from tests.making.tiny import tiny_classifier

MODEL = tiny_classifier()
BATCHES = [batch_of([[2, *range(start, start + 8), 3], [2, start + 9, 3]]) for start in range(5, 60, 5)]
THREE = partial(nearest, bits=3, group=16)


def error(model: Classifier) -> float:
    with torch.no_grad():
        pairs = [(each(b.ids, b.mask) for each in (model, MODEL)) for b in BATCHES]
        return sum(float((quantised - exact).square().sum()) for quantised, exact in pairs)


def tuned(steps: int, quantise: object = THREE) -> tuple[Classifier, dict[str, int]]:
    model = deepcopy(MODEL)
    return model, layerwise_distillation(model, BATCHES, quantise, steps=steps, rate=3e-3)  # type: ignore[arg-type]


def test_tuning_lowers_the_error_and_leaves_weights_on_their_grid():
    plain, bits = tuned(0)
    ours, _ = tuned(150)
    assert error(ours) < 0.7 * error(plain)
    part = maps(ours)["1.ffn.down"].weight.detach()
    torch.testing.assert_close(THREE(part).weight, part)
    assert len(bits) == 12 and bits["0.attention.key"] == 1024 * 3 + 64 * 16


def test_without_steps_and_rounding_nothing_changes():
    assert error(tuned(0, partial(nearest, bits=32))[0]) == 0
