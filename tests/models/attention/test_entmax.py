"""entmax: sparsemax for alpha = 2, exact zeros, and gradients of scores and alpha."""

from __future__ import annotations

import torch

from leanformer.models.attention.entmax import entmax, entmax_weights
from tests.models.attention.mixing import heads, weights_of


def sparsemax(z: torch.Tensor) -> torch.Tensor:
    """Martins and Astudillo 2016, algorithm 1, for one row."""
    ordered = z.sort(descending=True).values
    count = torch.arange(1, len(z) + 1)
    support = int((1 + count * ordered > ordered.cumsum(0)).sum())
    return (z - (ordered[:support].sum() - 1) / support).clamp_min(0)


def test_with_alpha_two_it_is_sparsemax():
    z = torch.randn(5, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(entmax_weights(z, 2.0), torch.stack([sparsemax(row) for row in z]), atol=1e-9, rtol=0)


def test_weights_can_be_zero_and_sum_to_one():
    q, k, _, mask = heads()
    weights = weights_of(entmax, 4 * q, k, mask, alpha=1.5)
    assert (weights[0] == 0).any() and (weights[1, :, :, 7:] == 0).all()
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(2, 2, 11, dtype=torch.float64))


def test_gradients_are_those_of_differences():
    z = torch.randn(3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    alpha = torch.tensor([[1.3], [1.5], [1.8]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(entmax_weights, (z, alpha), eps=1e-6, atol=1e-4)
