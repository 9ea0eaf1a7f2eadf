"""SmoothQuant: outliers of activations are moved into the weights, channel by channel, before both are quantised.

Paper: Xiao et al. 2023 (arXiv 2211.10438). s_j = max|X_j|^a / max|W_j|^(1 - a); inputs are divided by s, and the
columns of the weight multiplied. Behind a norm whose output also feeds the residual sum, as in BERT, s cannot be folded
into the norm: it is a product of its own.
"""

from __future__ import annotations

from torch import Tensor


def smooth_quant(peaks: Tensor, weight: Tensor, *, alpha: float = 0.5) -> Tensor:
    """The factor of each input channel, `[in]`, from the inputs' peaks `[in]` and the weight `[out, in]`."""
    columns = weight.abs().amax(dim=0).clamp_min(1e-5)
    return peaks.clamp_min(1e-5) ** alpha / columns ** (1 - alpha)
