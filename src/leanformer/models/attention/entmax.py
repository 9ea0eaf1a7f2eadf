"""Entmax attention (Peters et al. 2019, arXiv 1905.05702): weights that can be exactly zero.

entmax is softmax for alpha = 1 and sparsemax for alpha = 2. The threshold is found by bisection, and the gradients,
also with respect to alpha, are those of Correia et al. 2019 (arXiv 1909.00015).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_HALVINGS = {torch.float32: 25}  # as many as its digits; others get 40


def entmax(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, *, alpha: float | Tensor) -> Tensor:
    """Attention with entmax in place of softmax; quadratic in S.

    Args:
        query, key, value: `[B, heads, S, D]`. mask: `[B, S]`, true for real tokens.
        alpha: above 1; a number, or `[heads, 1, 1]`.

    Returns the context `[B, heads, S, D]`.
    """
    scores = query @ key.mT * query.shape[-1] ** -0.5
    return entmax_weights(scores.masked_fill(~mask[:, None, None, :], -torch.inf), alpha) @ value


def entmax_weights(scores: Tensor, alpha: float | Tensor) -> Tensor:
    """alpha-entmax over the last axis; each row has a finite score. `alpha` is above 1 and broadcast to the rows."""
    power = torch.as_tensor(alpha, dtype=scores.dtype, device=scores.device)
    return _Entmax.apply(scores, power)  # type: ignore[no-untyped-call]


class _Entmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, scores: Tensor, alpha: Tensor) -> Tensor:
        # A power that is one number is much faster, and the square of alpha = 1.5 most of all.
        power: Tensor | float = alpha.item() - 1 if alpha.numel() == 1 else alpha - 1
        z = power * scores
        largest = z.amax(dim=-1, keepdim=True)
        # The sum of weights is at least 1 at the lower end, and at most 1 at the upper one.
        low, step = largest - 1, 1 - float(scores.shape[-1]) ** -power
        for _ in range(_HALVINGS.get(scores.dtype, 40)):
            step = step / 2
            middle = low + step
            total = (z - middle).clamp_min(0).pow(1 / power).sum(dim=-1, keepdim=True)
            low = torch.where(total >= 1, middle, low)
        weights = (z - low).clamp_min(0).pow(1 / power)
        weights = weights / weights.sum(dim=-1, keepdim=True)
        ctx.save_for_backward(weights, alpha)
        return weights

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None]:
        weights, alpha = ctx.saved_tensors
        slope = torch.where(weights > 0, weights.pow(2 - alpha), 0.0)
        share = slope / slope.sum(dim=-1, keepdim=True)
        of_scores = grad * slope - (grad * slope).sum(dim=-1, keepdim=True) * share
        if not ctx.needs_input_grad[1]:
            return of_scores, None
        entropy = torch.where(weights > 0, weights * weights.clamp_min(1e-30).log(), 0.0)
        power = alpha - 1
        of_alpha = (weights - share) / power**2 - (entropy - share * entropy.sum(dim=-1, keepdim=True)) / power
        return of_scores, (grad * of_alpha).sum_to_size(alpha.shape)
