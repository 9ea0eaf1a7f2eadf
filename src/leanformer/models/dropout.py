"""Dropout that draws the random bits of four elements at once.

On a CPU, PyTorch's dropout draws one Mersenne Twister number per element, a noticeable part of a training step
(benchmarks/runtime/kernels.py measures it). Here one 64-bit draw decides four elements, with 16 bits each; the
probability is accurate to 1 / 65,536.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def dropout(x: Tensor, probability: float) -> Tensor:
    """Zero each element of `x` with `probability` and scale the others to preserve the mean."""
    if probability == 0.0:
        return x
    if x.device.type != "cpu":
        return F.dropout(x, probability)
    draws = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    threshold = -(2**15) + round(probability * 2**16)
    keep = draws.view(torch.int16)[: x.numel()].view(x.shape) >= threshold
    return x * keep.to(x.dtype).mul_(1 / (1 - probability))


class Dropout(nn.Module):
    """`dropout` in training, identity in evaluation."""

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.probability) if self.training else x
