"""Second moments, ranges and gradients, beside their definitions."""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.compress.calibration import gradients, largest_inputs, second_moments
from leanformer.models.classifier import Classifier
from leanformer.models.maps import maps
from leanformer.train.feeds.batches import Batch
from tests.making.batches import batch_of, first_inputs
from tests.making.tiny import tiny_classifier

MODEL = tiny_classifier()
BATCHES = [batch_of([[2, 8, 9, 3], [2, 7, 3]]), batch_of([[2, 5, 3]])]


def test_padding_is_left_out():
    real = torch.cat([first_inputs(MODEL, batch)[batch.mask.bool()] for batch in BATCHES])
    assert len(real) == 10
    torch.testing.assert_close(
        second_moments(MODEL, BATCHES)["0.attention.query"].float(), real.T @ real / 10, rtol=1e-4, atol=1e-5
    )
    torch.testing.assert_close(largest_inputs(MODEL, BATCHES)["0.attention.key"], real.abs().amax(dim=0))


def test_gradients_are_those_of_each_batch():
    def loss(model: Classifier, batch: Batch) -> Tensor:
        return model(batch.ids, batch.mask).square().sum()

    found = gradients(MODEL, BATCHES, loss)
    weight = maps(MODEL)["1.ffn.up"].weight
    (second,) = torch.autograd.grad(loss(MODEL, BATCHES[1]), [weight])
    assert found["1.ffn.up"].shape == (2, *weight.shape)
    torch.testing.assert_close(found["1.ffn.up"][1].float() / 1024, second, rtol=1e-2, atol=1e-4)
