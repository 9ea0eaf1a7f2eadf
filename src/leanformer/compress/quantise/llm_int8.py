"""LLM.int8: input channels with outliers are multiplied in floating point, all others in int8.

Paper: Dettmers et al. 2022 (arXiv 2208.07339), threshold 6. Scales are per token and per output row. The channels are
fixed on a few texts here, so that a file can hold their weights in fp16.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from leanformer.compress.quantise.nearest import nearest, rounded_inputs
from leanformer.compress.stored import VALUE, Stored


def llm_int8(weight: Tensor, peaks: Tensor, *, threshold: float = 6.0) -> tuple[Stored, Callable[[Tensor], Tensor]]:
    """The weight `[out, in]`, and what is done to the map's inputs `[..., in]`.

    Args:
        peaks: the largest absolute input of each channel, `[in]`. threshold: from which on a channel is an outlier; 0
            takes all of them, which is the map in floating point.
    """
    apart = peaks >= threshold
    rest = nearest(weight * ~apart, bits=8)
    stored = torch.where(apart, weight, rest.weight)
    count = int(apart.sum())
    # Rows have a scale even if no channel is left, and an outlier has its index.
    bits = 8 * weight.shape[0] * (weight.shape[1] - count) + VALUE * (weight.shape[0] * (count + 1) + count)

    def inputs(x: Tensor) -> Tensor:
        return torch.where(apart, x, rounded_inputs(x * ~apart))

    return Stored(stored, bits), inputs
