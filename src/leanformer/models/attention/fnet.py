"""FNet (Lee-Thorp et al. 2022, arXiv 2105.03824): tokens mixed by a Fourier transform, without parameters.

Each text is transformed over its own tokens, so padding has no effect.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from leanformer.models.attention.bias import Places
from leanformer.models.attention.mixer import Mixer
from leanformer.shapes.encoder import EncoderConfig, LayerShape


def fnet(x: Tensor, mask: Tensor) -> Tensor:
    """The real part of the Fourier transform over tokens and width, `[B, S, H]`; zero for padding.

    Args:
        x: `[B, S, H]`. mask: `[B, S]`, true for real tokens, which come first.
    """
    lengths, mixed = mask.sum(dim=1), torch.zeros_like(x)
    for length in lengths.unique().tolist():
        rows = (lengths == length).nonzero()[:, 0]
        mixed[rows, :length] = torch.fft.fft2(x[rows, :length]).real
    return mixed


class FNetMixing(Mixer):
    """A Fourier transform in place of attention; it has no maps."""

    HEAD_ROWS, HEAD_COLUMNS, HAS_WEIGHTS = (), (), False

    def __init__(self, config: EncoderConfig, shape: LayerShape, function: Callable[..., Tensor]) -> None:
        nn.Module.__init__(self)
        self.shape, self.function = shape, function

    def forward(self, x: Tensor, places: Places, *, with_probabilities: bool = False) -> tuple[Tensor, Tensor | None]:
        if with_probabilities:
            raise ValueError("fnet has no weights of pairs of tokens")
        return self.function(x, places.mask.bool()), None


MODULE = FNetMixing
