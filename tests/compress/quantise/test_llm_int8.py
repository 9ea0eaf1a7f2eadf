"""Outliers are apart, and everything is where the threshold is 0."""

from __future__ import annotations

import torch

from leanformer.compress.quantise.llm_int8 import llm_int8
from leanformer.compress.quantise.nearest import nearest, rounded_inputs

GENERATOR = torch.Generator().manual_seed(0)
WEIGHT = torch.randn(5, 8, generator=GENERATOR)
X = torch.randn(20, 8, generator=GENERATOR)
X[:, 3] *= 60
PEAKS = X.abs().amax(dim=0)


def test_the_outlying_channel_is_exact_and_no_longer_harms_the_others():
    stored, change = llm_int8(WEIGHT, PEAKS, threshold=6.0)
    assert torch.equal(stored.weight[:, 3], WEIGHT[:, 3]) and torch.equal(change(X)[:, 3], X[:, 3])
    plain = rounded_inputs(X) @ nearest(WEIGHT, bits=8).weight.T
    errors = [(each - X @ WEIGHT.T).norm() for each in (change(X) @ stored.weight.T, plain)]
    assert errors[0] < 0.1 * errors[1]
    assert stored.bits == 8 * 35 + 16 * 5 + 16 * 5 + 16


def test_a_threshold_of_0_is_floating_point():
    stored, change = llm_int8(WEIGHT, PEAKS, threshold=0.0)
    assert torch.equal(stored.weight, WEIGHT) and torch.equal(change(X), X)


def test_without_outliers_it_is_int8():
    stored, change = llm_int8(WEIGHT, PEAKS, threshold=1e9)
    assert torch.equal(stored.weight, nearest(WEIGHT, bits=8).weight) and torch.equal(change(X), rounded_inputs(X))
