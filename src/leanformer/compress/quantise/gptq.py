"""GPTQ: columns are quantised one after another, and those to come make up for the error of each.

Paper: Frantar et al. 2023 (arXiv 2210.17323). The grid is that of `nearest`, so what is gained is gained by the order.
"""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.compress.prune.surgery import damped
from leanformer.compress.quantise.nearest import Grid, grid_of, grouped, levels_of, size
from leanformer.compress.stored import Stored


def gptq(
    weight: Tensor, moment: Tensor, *, bits: int = 4, group: int = 32, symmetric: bool = False, damping: float = 0.01
) -> Stored:
    """A weight `[out, in]` whose map keeps its outputs on inputs with this second moment `[in, in]`.

    The other arguments are those of `nearest`; `damping` is the share of the mean diagonal that is added.
    """
    left, found = weight.double().clone(), torch.empty_like(weight, dtype=torch.float64)
    width = group or weight.shape[1]
    inverse = torch.linalg.inv(damped(moment.double(), damping))
    factor = torch.linalg.cholesky(inverse, upper=True)
    for column in range(weight.shape[1]):
        if column % width == 0:  # the grid of the group, as its weights have become
            grid = grid_of(grouped(left[:, column : column + width], 0), levels_of(bits), symmetric=symmetric)
            grid = Grid(grid.scale[:, 0], grid.zero[:, 0], grid.low, grid.high)
        found[:, column] = grid.back(left[:, column : column + 1])[:, 0]
        error = (left[:, column] - found[:, column]) / factor[column, column]
        left[:, column:] -= error[:, None] * factor[column, column:]
    return Stored(found.to(weight.dtype), size(weight, bits, group, symmetric=symmetric))
