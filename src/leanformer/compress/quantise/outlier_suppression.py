"""Outlier suppression: the weight of a norm, which makes outliers, moves into the maps behind it; ranges are clipped.

Paper: Wei et al. 2022 (arXiv 2209.13325). With gamma migrated, the norm gives x / gamma, which is what is quantised;
the maps have the columns of their weights multiplied by gamma, and so has the residual branch. The clipping range is
searched among quantiles of the tokens' largest values, coarse alone.
"""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.compress.quantise.nearest import rounded_inputs


def migrated(gamma: Tensor) -> Tensor:
    """The factor of each input channel behind a norm with this weight `[in]`; one that is almost zero stays."""
    return torch.where(gamma.abs() > 1e-3, gamma, torch.ones_like(gamma))


def outlier_suppression(x: Tensor, weight: Tensor, *, bits: int = 6, candidates: int = 20) -> Tensor:
    """Where to clip the inputs `[tokens, in]` of a map `[out, in]`: a scalar, with the least error of its outputs.

    Candidates are quantiles of the tokens' largest absolute values, from half of them to all.
    """
    peaks = x.abs().amax(dim=1)
    exact = x @ weight.T
    best = (float("inf"), peaks.max())
    for quantile in torch.linspace(1.0, 0.5, candidates):
        peak = torch.quantile(peaks, float(quantile))
        error = float((rounded_inputs(x, bits=bits, peak=peak) @ weight.T - exact).square().mean())
        if error < best[0]:
            best = (error, peak)
    return best[1]
