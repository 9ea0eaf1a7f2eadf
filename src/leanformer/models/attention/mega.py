"""Mega (Ma et al. 2023, arXiv 2209.10655): a damped moving average before gated attention within chunks.

Each channel of the input passes several moving averages, in both directions; queries and keys are made of the result,
values of the input, and a gate of the result multiplies the context. The paper's update gate is left out.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leanformer.models.attention.bias import Places
from leanformer.models.attention.mixer import Mixer
from leanformer.models.attention.state_space import convolve
from leanformer.models.attention.transformer_xl import transformer_xl
from leanformer.shapes.encoder import EncoderConfig, LayerShape


def mega(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, *, chunk: int) -> Tensor:
    """Softmax attention within chunks of `chunk` tokens; linear in S.

    Args:
        query, key, value: `[B, heads, S, D]`. mask: `[B, S]`, true for real tokens.

    Returns the context `[B, heads, S, D]`.
    """
    return transformer_xl(query, key, value, mask, segment=chunk, memory=0)


def moving_average(x: Tensor, mask: Tensor, share: Tensor, damping: Tensor, into: Tensor, out: Tensor) -> Tensor:
    """The sum of N damped moving averages of each channel, from both sides (equation 4 of the paper).

    h_i = share * into * x_i + (1 - share * damping) * h_(i-1), y_i = sum over N of out * h_i.

    Args:
        x: `[B, S, H]`. mask: `[B, S]`, true for real tokens. share, damping, into, out: `[2, H, N]`, the first two in 0
            to 1.
    """
    place = torch.arange(x.shape[-2], dtype=x.dtype, device=x.device)
    decay = torch.log1p(-share * damping)[..., None] * place
    return convolve(x, mask, ((out * into * share)[..., None, :] @ decay.exp())[..., 0, :])


class Mega(Mixer):
    """Moving averages, gate and attention of one layer."""

    HEAD_ROWS = ("query", "key", "value", "gate")
    HAS_WEIGHTS = False

    def __init__(self, config: EncoderConfig, shape: LayerShape, function: Callable[..., Tensor]) -> None:
        super().__init__(config, shape, function)
        self.gate = nn.Linear(config.hidden, self.heads * self.head_size, bias=config.attention_bias)
        size = (2, config.hidden, self.options["averages"])
        self.share, self.damping, self.into, self.out = (nn.Parameter(torch.randn(size) * 0.2) for _ in range(4))

    def forward(self, x: Tensor, places: Places, *, with_probabilities: bool = False) -> tuple[Tensor, Tensor | None]:
        if with_probabilities:
            raise ValueError("mega has no weights of pairs of tokens of the whole text")
        mask = places.mask.bool()
        mean = moving_average(x, mask, self.share.sigmoid(), self.damping.sigmoid(), self.into, self.out)
        mean = F.silu(mean + x)
        query, key, value = self._split(self.query(mean)), self._split(self.key(mean)), self._split(self.value(x))
        context = self.function(query, key, value, mask, chunk=self.options["chunk"])
        return self.output(context.transpose(1, 2).flatten(2) * F.silu(self.gate(mean))), None


MODULE = Mega
