"""A convolution in both directions is a sum over pairs of positions."""

from __future__ import annotations

import torch

from leanformer.models.attention.state_space import convolve, first_steps


def test_it_is_the_sum_over_positions():
    generator = torch.Generator().manual_seed(0)
    u = torch.randn(2, 3, 6, 4, dtype=torch.float64, generator=generator)
    kernels = torch.randn(2, 3, 4, 6, dtype=torch.float64, generator=generator)
    mask = torch.arange(6) < torch.tensor([6, 4])[:, None]
    found = convolve(u, mask, kernels)
    for row, length in ((0, 6), (1, 4)):
        for i in range(length):
            expected = sum(kernels[0, :, :, i - j] * u[row, :, j] for j in range(i + 1)) + sum(
                kernels[1, :, :, j - i] * u[row, :, j] for j in range(i, length)
            )
            torch.testing.assert_close(found[row, :, i], expected)


def test_first_steps_are_in_their_range():
    steps = first_steps(40, 5).exp()
    assert steps.shape == (40, 5) and 0.001 <= steps.min() < 0.004 and 0.03 < steps.max() <= 0.1
