"""Optimal brain surgery beside the textbook formula and least squares."""

from __future__ import annotations

import torch

from leanformer.compress.prune.surgery import damped, refitted, saliency

GENERATOR = torch.Generator().manual_seed(0)
INPUTS = torch.randn(50, 6, generator=GENERATOR, dtype=torch.float64)
H = INPUTS.T @ INPUTS / 50
WEIGHT = torch.randn(3, 6, generator=GENERATOR, dtype=torch.float64)


def test_one_weight_left_out_costs_its_saliency():
    mask = torch.ones(3, 6, dtype=torch.bool)
    mask[:, 2] = False
    change = refitted(WEIGHT, H, mask) - WEIGHT
    cost = 0.5 * (change @ H * change).sum(dim=1)
    torch.testing.assert_close(cost, saliency(WEIGHT, H)[:, 2])
    # The others change by -w / [H^-1]_qq times the column of the inverse (Hassibi and Stork 1993).
    inverse = torch.linalg.inv(H)
    torch.testing.assert_close(change, -(WEIGHT[:, 2] / inverse[2, 2])[:, None] * inverse[2])


def test_several_weights_are_the_least_squares_fit():
    mask = torch.rand(3, 6, generator=GENERATOR) < 0.5
    found = refitted(WEIGHT, H, mask)
    assert (found[~mask] == 0).all()
    for row in range(3):
        fit = torch.linalg.lstsq(INPUTS[:, mask[row]], INPUTS @ WEIGHT[row]).solution
        torch.testing.assert_close(found[row, mask[row]], fit)


def test_one_matrix_for_each_row_is_the_same():
    mask = torch.rand(3, 6, generator=GENERATOR) < 0.5
    torch.testing.assert_close(refitted(WEIGHT, H.expand(3, 6, 6), mask), refitted(WEIGHT, H, mask))
    torch.testing.assert_close(saliency(WEIGHT, H.expand(3, 6, 6)), saliency(WEIGHT, H))


def test_damping_is_a_share_of_the_mean_diagonal():
    torch.testing.assert_close(damped(H, 0.5) - H, 0.5 * H.diagonal().mean() * torch.eye(6, dtype=torch.float64))
