"""Diagonal state spaces (Gupta et al. 2022, arXiv 2203.14343): S4 with a diagonal matrix, in the form DSS-exp.

The diagonal is shared by all channels and learnt. It begins at -1/2 + i pi n, as in Gu et al. 2022 (arXiv 2206.11893),
instead of the eigenvalues of a HiPPO matrix.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from leanformer.models.attention.state_space import StateSpace, convolve
from leanformer.shapes.encoder import EncoderConfig, LayerShape


def dss(value: Tensor, mask: Tensor, *, diagonal: Tensor, readout: Tensor, step: Tensor, skip: Tensor) -> Tensor:
    """The outputs of diagonal state spaces driven by the values.

    Args:
        value: `[B, heads, S, D]`. mask: `[B, S]`, true for real tokens.
        diagonal: complex `[N]`. readout: complex `[heads, D, 2, N]`, for each direction. step, skip: `[heads, D]`.

    Returns `[B, heads, S, D]`.
    """
    kernels = response(diagonal, readout, step, value.shape[-2])
    return convolve(value, mask, kernels.permute(2, 0, 1, 3)) + skip[:, None, :] * value


def response(diagonal: Tensor, readout: Tensor, step: Tensor, length: int) -> Tensor:
    """Re sum over n of w_n (e^(d_n t) - 1) / d_n e^(d_n t l) for l below `length`, `[heads, D, 2, length]`."""
    exponent = diagonal * step[..., None]
    place = torch.arange(length, dtype=step.dtype, device=step.device)
    weights = readout * ((exponent.exp() - 1) / diagonal)[..., None, :]
    return (weights @ (exponent[..., None] * place).exp()).real


class Dss(StateSpace):
    """Diagonal state spaces with the parameters of one layer."""

    def __init__(self, config: EncoderConfig, shape: LayerShape, function: Callable[..., Tensor]) -> None:
        super().__init__(config, shape, function)
        size = self.options["state"]
        self.log_decay = nn.Parameter(torch.full((size,), math.log(0.5)))
        self.frequency = nn.Parameter(math.pi * torch.arange(size, dtype=torch.float32))
        self.readout = nn.Parameter(torch.randn(self.heads, self.head_size, 2, size, 2) * size**-0.5)

    def arguments(self) -> dict[str, Tensor]:
        diagonal = torch.complex(-self.log_decay.exp(), self.frequency)
        readout = torch.view_as_complex(self.readout)
        return {"diagonal": diagonal, "readout": readout, "step": self.log_step.exp(), "skip": self.skip}


MODULE = Dss
