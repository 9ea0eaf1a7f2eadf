"""What state space layers share: a convolution in both directions, and a layer that has values and an output alone.

Shapes: B rows, S tokens, D channels of a head, N entries of a channel's state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leanformer.models.attention.bias import Places
from leanformer.models.attention.mixer import Mixer
from leanformer.shapes.encoder import EncoderConfig, LayerShape


def convolve(u: Tensor, mask: Tensor, kernels: Tensor) -> Tensor:
    """y_i = sum over j <= i of K_0(i - j) u_j + sum over j >= i of K_1(j - i) u_j, channel by channel.

    Args:
        u: `[B, ..., S, D]`. mask: `[B, S]`, true for real tokens; others count as zero.
        kernels: `[2, ..., D, S]`, from left to right and from right to left.
    """
    length = u.shape[-2]
    signal = (u * mask.reshape(len(mask), *[1] * (u.ndim - 3), length, 1)).mT
    size = 2 * length  # room for a convolution that does not wrap around

    def one_way(x: Tensor, kernel: Tensor) -> Tensor:
        return torch.fft.irfft(torch.fft.rfft(x, n=size) * torch.fft.rfft(kernel, n=size), n=size)[..., :length]

    return (one_way(signal, kernels[0]) + one_way(signal.flip(-1), kernels[1]).flip(-1)).mT


def first_steps(*shape: int) -> Tensor:
    """Logarithms of the first step sizes, drawn evenly between those of 0.001 and 0.1 (Gu et al. 2022)."""
    low, high = torch.tensor([0.001, 0.1]).log()
    return low + (high - low) * torch.rand(shape)


class StateSpace(Mixer):
    """Values through a state space of each channel, and an output map."""

    HEAD_ROWS: ClassVar[tuple[str, ...]] = ("value",)
    HAS_WEIGHTS: ClassVar[bool] = False

    def __init__(self, config: EncoderConfig, shape: LayerShape, function: Callable[..., Tensor]) -> None:
        super().__init__(config, shape, function)
        for name in {"query", "key"} - {*self.HEAD_ROWS}:
            delattr(self, name)
        self.log_step = nn.Parameter(first_steps(self.heads, self.head_size))
        self.skip = nn.Parameter(torch.ones(self.heads, self.head_size))

    def arguments(self) -> dict[str, Tensor]:
        """The function's arguments beside values and mask."""
        raise NotImplementedError

    def forward(self, x: Tensor, places: Places, *, with_probabilities: bool = False) -> tuple[Tensor, Tensor | None]:
        if with_probabilities:
            raise ValueError(f"{self.shape.attention.kind} has no weights of pairs of tokens")
        context = self.function(self._split(self.value(x)), places.mask.bool(), **self.arguments())
        return self.output(self.gated(context.transpose(1, 2).flatten(2), x)), None

    def gated(self, context: Tensor, x: Tensor) -> Tensor:
        """What the output map reads, `[B, S, heads * D]`."""
        return F.gelu(context)
