"""GOBO: weights that are outliers of a normal distribution are kept, the others share a few values.

Paper: Zadeh et al. 2020 (arXiv 2005.03842): outliers have a log-density below -4; the shared values begin as means of
equally many weights, and are moved until the sum of absolute errors stops falling.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from leanformer.compress.stored import Stored

_FP32, _PLACE = 32, 32


def gobo(weight: Tensor, *, bits: int = 3, log_density: float = -4.0, rounds: int = 50) -> Stored:
    """A weight `[out, in]` whose values are one of 2^bits, but for outliers.

    A file has the shared values and outliers in fp32, and the place of each outlier in 32 bits. With a `log_density` of
    infinity all weights are outliers.
    """
    mean, deviation = weight.mean(), weight.std()
    density = -0.5 * ((weight - mean) / deviation).square() - torch.log(deviation * math.sqrt(2 * math.pi))
    apart = density < log_density
    rest = weight[~apart].sort().values
    centroids = torch.stack([part.mean() for part in rest.chunk(2**bits)]) if len(rest) else weight.new_zeros(1)
    best = (float("inf"), centroids)
    for _ in range(rounds):
        index = _closest(rest, centroids)
        error = float((rest - centroids[index]).abs().sum())
        if error >= best[0]:
            break
        best = (error, centroids)
        total = torch.zeros_like(centroids).index_add(0, index, rest)
        count = torch.bincount(index, minlength=len(centroids))
        centroids = torch.where(count > 0, total / count.clamp_min(1), centroids)
    centroids = best[1]
    found = torch.where(apart, weight, centroids[_closest(weight, centroids)])
    outliers = int(apart.sum())
    return Stored(found, bits * weight.numel() + outliers * (_FP32 + _PLACE) + _FP32 * len(centroids))


def _closest(weight: Tensor, centroids: Tensor) -> Tensor:
    """The index of the nearest of some rising values."""
    return torch.bucketize(weight, (centroids[1:] + centroids[:-1]) / 2)
