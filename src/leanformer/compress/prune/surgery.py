"""Optimal brain surgery: the cost of leaving weights out, and what the others become (Hassibi and Stork 1993).

Both follow from a quadratic model of the damage, (x - w)^T H (x - w) for weights w and their successors x.
"""

from __future__ import annotations

import torch
from torch import Tensor


def saliency(weight: Tensor, curvature: Tensor) -> Tensor:
    """w_i^2 / (2 [H^-1]_ii) for weights `[rows, n]` and H `[n, n]` or, one for each row, `[rows, n, n]`."""
    return weight.square() / (2 * torch.linalg.inv(curvature).diagonal(dim1=-2, dim2=-1))


def refitted(weight: Tensor, curvature: Tensor, mask: Tensor) -> Tensor:
    """The weights that do the least damage with zeros where `mask` is false, all `[rows, n]`.

    The kept ones of a row change by what solves H_kk d_k = H_kg w_g, for those that are gone; arguments as in
    `saliency`.
    """
    gone = weight * ~mask
    if curvature.ndim == 2:
        found, targets = weight * mask, gone @ curvature
        for row, (target, kept) in enumerate(zip(targets, mask, strict=True)):
            factor = torch.linalg.cholesky(curvature[kept][:, kept])
            found[row, kept] += torch.cholesky_solve(target[kept, None], factor)[:, 0]
        return found
    target = (curvature @ gone[..., None])[..., 0] * mask
    # Small matrices of one shape are solved at once, with a one on the diagonal where nothing is kept.
    both = mask[:, :, None] & mask[:, None, :]
    return weight * mask + torch.linalg.solve(curvature * both + torch.diag_embed((~mask).to(weight.dtype)), target)


def damped(curvature: Tensor, share: float) -> Tensor:
    """The matrix plus `share` of its mean diagonal on the diagonal, so that it has an inverse."""
    diagonal = curvature.diagonal(dim1=-2, dim2=-1)
    extra = (share * diagonal.mean(dim=-1)).clamp_min(1e-12)
    eye = torch.eye(curvature.shape[-1], dtype=curvature.dtype)
    return curvature + extra[..., None, None] * eye
