"""ETC attention (Ainslie et al. 2020, arXiv 2004.08483): a window around each token, and global tokens beside the text.

The global tokens are learnt, not words. In one layer they first read the whole text and one another, and then tokens
attend to them and to their window. In the paper they are a second stream through all layers, and see sentences apart.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from leanformer.models.attention.longformer import beside
from leanformer.models.attention.mixer import Mixer, in_chunks, masked_softmax
from leanformer.shapes.encoder import EncoderConfig, LayerShape


def etc(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, *, window: int, tokens: Tensor) -> Tensor:
    """Attention to tokens at most `window` away and to global tokens.

    Args:
        query, key, value: `[B, heads, S, D]`. mask: `[B, S]`, true for real tokens.
        tokens: queries, keys and values of G global tokens, `[3, heads, G, D]`.

    Returns the context `[B, heads, S, D]`.
    """
    length, near, scale = query.shape[-2], min(window, query.shape[-2]), query.shape[-1] ** -0.5
    global_keys = tokens[1].expand(len(query), -1, -1, -1)
    seen = torch.cat((mask.new_ones(len(mask), tokens.shape[-2]), mask), dim=-1)[:, None, None, :]
    read = masked_softmax(tokens[0] * scale @ torch.cat((global_keys, key), dim=-2).mT, seen)
    own = tokens[2] if value.shape[-1] == tokens.shape[-1] else value.new_zeros(*tokens.shape[1:3], value.shape[-1])
    global_values = read @ torch.cat((own.expand(len(value), -1, -1, -1), value), dim=-2)

    queries = in_chunks(query * scale, near)
    keys, values = (beside(in_chunks(x, near), -3, -2) for x in (key, value))
    i, j = torch.arange(near)[:, None], torch.arange(3 * near)[None, :] - near
    real = beside(in_chunks(mask, near, -1), -2, -1)[:, None, :, None, :]
    allowed = real & ((i - j).abs() <= near).to(mask.device)
    always = allowed.new_ones(*allowed.shape[:-1], tokens.shape[-2])
    scores = torch.cat((queries @ global_keys[:, :, None].mT, queries @ keys.mT), dim=-1)
    weights = masked_softmax(scores, torch.cat((always, allowed), dim=-1))
    count = tokens.shape[-2]
    context = weights[..., :count] @ global_values[:, :, None] + weights[..., count:] @ values
    return context.flatten(-3, -2)[..., :length, :]


class EtcAttention(Mixer):
    """ETC with the global tokens of one layer."""

    def __init__(self, config: EncoderConfig, shape: LayerShape, function: Callable[..., Tensor]) -> None:
        super().__init__(config, shape, function)
        self.tokens = nn.Parameter(torch.randn(3, self.heads, self.options["global_tokens"], self.head_size))

    def mix(self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
        return self.function(query, key, value, mask, window=self.options["window"], tokens=self.tokens)


MODULE = EtcAttention
