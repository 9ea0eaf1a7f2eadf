"""Gated state spaces (Mehta et al. 2022, arXiv 2206.13947): diagonal state spaces with a gate from the layer's input.

gelu(value) drives the state spaces, and their output is multiplied with gelu(query). Other than in the paper, the state
spaces are as wide as the heads together and have their skip connection.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from leanformer.models.attention.dss import Dss, dss


def gss(value: Tensor, mask: Tensor, *, diagonal: Tensor, readout: Tensor, step: Tensor, skip: Tensor) -> Tensor:
    """`dss`, driven by gelu of the values; the gate is a matter of the layer."""
    return dss(F.gelu(value), mask, diagonal=diagonal, readout=readout, step=step, skip=skip)


class Gss(Dss):
    """Gated state spaces with the parameters of one layer; the query map makes the gate."""

    HEAD_ROWS = ("query", "value")

    def gated(self, context: Tensor, x: Tensor) -> Tensor:
        return F.gelu(self.query(x)) * context


MODULE = Gss
