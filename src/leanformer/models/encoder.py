"""One Transformer encoder composed of parts; every layer has its own number of heads and its own width.

Differences between families are options of the configuration: kinds of positions, placement of norms, gates, biases,
windows. Attention and feed-forward blocks are separate parts, in folders next to this file. Shapes: B rows, S tokens
(padded), H hidden. The post-norm arrangement follows Devlin et al. 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from leanformer.models.attention.bias import AttentionBias, Places
from leanformer.models.attention.kinds import attention
from leanformer.models.dropout import Dropout
from leanformer.models.feedforward.dense import FeedForward
from leanformer.shapes.encoder import EncoderConfig, LayerShape


@dataclass(frozen=True)
class EncoderOutput:
    """The outputs of an encoder.

    Attributes:
        hidden_states: embedding output, then each layer's output: layers + 1 tensors `[B, S, H]`. In a pre-norm
            encoder the last one has passed the final norm.
        attentions: each layer's attention probabilities `[B, heads, S, S]`; empty unless requested.
    """

    hidden_states: tuple[Tensor, ...]
    attentions: tuple[Tensor, ...] = ()

    @property
    def last(self) -> Tensor:
        return self.hidden_states[-1]


def norm(config: EncoderConfig, width: int) -> nn.LayerNorm:
    """A LayerNorm with the configuration's settings."""
    return nn.LayerNorm(width, eps=config.norm_epsilon, bias=config.norm_bias)


class Embeddings(nn.Module):
    """Sum of word, absolute position and token-type embeddings, then norm, dropout, and a projection if narrower.

    A family without one of the tables has None in its place.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        width = config.embedding_width
        self.offset = config.position_offset
        self.word = nn.Embedding(config.vocabulary, width, padding_idx=config.padding_id)
        self.position = nn.Embedding(config.positions + self.offset, width) if config.position_table else None
        self.token_type = nn.Embedding(config.token_types, width) if config.token_types else None
        self.norm = norm(config, width)
        self.dropout = Dropout(config.dropout)
        self.projection = None if config.embedding is None else nn.Linear(width, config.hidden)

    def forward(self, ids: Tensor, token_types: Tensor | None = None) -> Tensor:
        summed = self.word(ids)
        if self.position is not None:
            # Rows are padded on the right, so a real token's position is its index.
            summed = summed + self.position.weight[self.offset : self.offset + ids.shape[1]]
        if self.token_type is not None:
            one_type = token_types is None or self.token_type.num_embeddings == 1
            summed = summed + (self.token_type.weight[0] if one_type else self.token_type(token_types))
        embedded = self.dropout(self.norm(summed))
        return embedded if self.projection is None else self.projection(embedded)


class Layer(nn.Module):
    """Attention and feed-forward block with residual sums; LayerNorms after the sums (post-norm) or before blocks."""

    def __init__(self, config: EncoderConfig, shape: LayerShape) -> None:
        super().__init__()
        self.shape, self.norm_first = shape, config.norm_first
        self.attention = attention(config, shape)
        self.attention_norm = norm(config, config.hidden) if shape.attention_norm else nn.Identity()
        self.ffn = FeedForward(config, shape.ffn)
        self.ffn_norm = norm(config, config.hidden)
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor, places: Places, *, with_probabilities: bool = False) -> tuple[Tensor, Tensor | None]:
        if self.norm_first:
            normed = self.attention_norm(x)
            attended, probabilities = self.attention(normed, places, with_probabilities=with_probabilities)
            x = x + self.dropout(attended)
            return x + self.dropout(self.ffn(self.ffn_norm(x))), probabilities
        attended, probabilities = self.attention(x, places, with_probabilities=with_probabilities)
        x = self.attention_norm(x + self.dropout(attended))
        return self.ffn_norm(x + self.dropout(self.ffn(x))), probabilities

    def projections(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of all heads, `[B, S, heads * head_size]` each, for this layer's input `[B, S, H]`.

        Rotary angles are not applied.
        """
        x = self.attention_norm(x) if self.norm_first else x
        return self.attention.query(x), self.attention.key(x), self.attention.value(x)


class Encoder(nn.Module):
    """Embeddings, a stack of layers and, in a pre-norm encoder, a final norm."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        self.bias = AttentionBias(config)
        self.layers = nn.ModuleList(Layer(config, shape) for shape in config.layers)
        self.final_norm = norm(config, config.hidden) if config.norm_first else None
        self.recomputes = False  # whether activations inside layers are computed again in the backward pass

    def forward(
        self,
        ids: Tensor,
        mask: Tensor,
        token_types: Tensor | None = None,
        *,
        with_attentions: bool = False,
        depth: int | None = None,
    ) -> EncoderOutput:
        """Encode padded rows.

        Args:
            ids: token ids `[B, S]`, S at most the number of positions.
            mask: `[B, S]`, true (or 1) for real tokens; rows are padded on the right.
            token_types: `[B, S]`; None means all zero. A family with fewer than two types ignores them.
            with_attentions: also return the attention probabilities (slower).
            depth: run only this many layers, without a final norm; None runs all.
        """
        x = self.embeddings(ids, token_types)
        places = Places(self.bias, mask, x.dtype)
        hidden_states, attentions = [x], []
        for layer in self.layers[:depth]:
            assert isinstance(layer, Layer)
            if self.recomputes and torch.is_grad_enabled():
                places.bias(layer.shape)  # made once, outside of what is computed again
                x, probabilities = checkpoint(
                    layer, x, places, use_reentrant=False, with_probabilities=with_attentions
                )  # fmt: skip
            else:
                x, probabilities = layer(x, places, with_probabilities=with_attentions)
            hidden_states.append(x)
            if probabilities is not None:
                attentions.append(probabilities)
        if self.final_norm is not None and depth is None:
            hidden_states[-1] = self.final_norm(x)
        return EncoderOutput(tuple(hidden_states), tuple(attentions))
