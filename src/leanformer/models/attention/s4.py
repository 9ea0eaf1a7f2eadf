"""S4 (Gu et al. 2022, arXiv 2111.00396): each channel is a linear state space with the HiPPO-LegS matrix.

x' = A x + B u, y = C x + D u, discretised by the bilinear rule with a learnt step, and computed as a convolution, from
left to right and back. A is the dense matrix, whose powers give the kernel; the paper's algorithm for large states is
left out, and A and B are not trained.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from leanformer.models.attention.state_space import StateSpace, convolve
from leanformer.shapes.encoder import EncoderConfig, LayerShape


def s4(value: Tensor, mask: Tensor, *, a: Tensor, b: Tensor, c: Tensor, step: Tensor, skip: Tensor) -> Tensor:
    """The outputs of state spaces driven by the values.

    Args:
        value: `[B, heads, S, D]`. mask: `[B, S]`, true for real tokens.
        a, b: `[N, N]` and `[N]`. c: `[heads, D, 2, N]`, one readout for each direction. step, skip: `[heads, D]`.

    Returns `[B, heads, S, D]`.
    """
    states = impulse_response(*discretised(a, b, step), value.shape[-2])
    return convolve(value, mask, (c @ states).permute(2, 0, 1, 3)) + skip[:, None, :] * value


def hippo(size: int) -> tuple[Tensor, Tensor]:
    """The matrix A `[N, N]` and the vector B `[N]` of HiPPO-LegS (equation 2 of the paper)."""
    row = torch.arange(size, dtype=torch.float64)
    root = (2 * row + 1).sqrt()
    below = torch.outer(root, root).tril(-1)
    return -(below + torch.diag(row + 1)), root


def discretised(a: Tensor, b: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    """The matrices `[..., N, N]` and `[..., N, 1]` of one step, for steps `[...]`, by the bilinear rule."""
    eye, half = torch.eye(len(a), dtype=a.dtype, device=a.device), step[..., None, None] / 2
    left = eye - half * a
    return torch.linalg.solve(left, eye + half * a), torch.linalg.solve(left, 2 * half * b[:, None])


def impulse_response(a: Tensor, b: Tensor, length: int) -> Tensor:
    """The states A^l B for l below `length`, `[..., N, length]`, by doubling."""
    states, power = b, a
    while states.shape[-1] < length:
        states = torch.cat((states, power @ states), dim=-1)
        power = power @ power if states.shape[-1] < length else power
    return states[..., :length]


class S4(StateSpace):
    """S4 with the parameters of one layer."""

    a: Tensor
    b: Tensor

    def __init__(self, config: EncoderConfig, shape: LayerShape, function: Callable[..., Tensor]) -> None:
        super().__init__(config, shape, function)
        a, b = hippo(self.options["state"])
        self.register_buffer("a", a.float())
        self.register_buffer("b", b.float())
        self.c = nn.Parameter(torch.randn(self.heads, self.head_size, 2, len(b)) * len(b) ** -0.5)

    def arguments(self) -> dict[str, Tensor]:
        return {"a": self.a, "b": self.b, "c": self.c, "step": self.log_step.exp(), "skip": self.skip}


MODULE = S4
