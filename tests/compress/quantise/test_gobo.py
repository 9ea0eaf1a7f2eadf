"""Outliers are kept as they are; the others have few values, better ones than an even grid."""

from __future__ import annotations

import math

import torch

from leanformer.compress.quantise.gobo import gobo
from leanformer.compress.quantise.nearest import nearest

WEIGHT = torch.randn(64, 64, generator=torch.Generator().manual_seed(0)) * 0.05
WEIGHT[3, 5] = 0.9


def test_the_outlier_is_exact_and_the_rest_has_eight_values():
    stored = gobo(WEIGHT, bits=3, log_density=-4.0)
    same = stored.weight == WEIGHT
    assert same[3, 5] and len(stored.weight[~same].unique()) <= 8
    assert stored.bits == 3 * 4096 + int(same.sum()) * 64 + 8 * 32


def test_values_are_better_than_those_of_an_even_grid():
    errors = [float((each - WEIGHT).square().mean()) for each in (gobo(WEIGHT).weight, nearest(WEIGHT, bits=3).weight)]
    assert errors[0] < 0.6 * errors[1]


def test_centroids_move_to_a_smaller_error():
    start, end = (float((gobo(WEIGHT, rounds=rounds).weight - WEIGHT).abs().sum()) for rounds in (1, 50))
    assert end < start


def test_if_all_are_outliers_it_is_dense():
    assert torch.equal(gobo(WEIGHT, log_density=math.inf).weight, WEIGHT)
