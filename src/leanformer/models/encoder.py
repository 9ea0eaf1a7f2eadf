"""One Transformer encoder, composed from parts, every layer with its own number of heads and its own width.

What differs between families is an option of the configuration: kinds of positions, where the norms stand, gates,
biases, windows. Shapes in this file: B rows, S tokens (padded), H hidden, D head size. Attention after Vaswani et al.
2017, the post-norm arrangement after Devlin et al. 2019, rotary positions after Su et al. 2021.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leanformer.models.attention.bias import AttentionBias
from leanformer.models.dropout import Dropout, dropout
from leanformer.shapes.encoder import EncoderConfig, LayerShape


@dataclass(frozen=True)
class EncoderOutput:
    """What an encoder computed.

    Attributes:
        hidden_states: embedding output, then each layer's output: layers + 1 tensors `[B, S, H]`. In a pre-norm
            encoder the last one has gone through the final norm.
        attentions: each layer's attention probabilities `[B, heads, S, S]`; empty unless asked for.
    """

    hidden_states: tuple[Tensor, ...]
    attentions: tuple[Tensor, ...] = ()

    @property
    def last(self) -> Tensor:
        return self.hidden_states[-1]


def norm(config: EncoderConfig, width: int) -> nn.LayerNorm:
    """A LayerNorm as the configuration has them."""
    return nn.LayerNorm(width, eps=config.norm_epsilon, bias=config.norm_bias)


class Embeddings(nn.Module):
    """Word, absolute position and token-type tables, summed, normalised, dropped out, and projected if narrower.

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
            # Rows are padded on the right, so that a real token's position is its index.
            summed = summed + self.position.weight[self.offset : self.offset + ids.shape[1]]
        if self.token_type is not None:
            one_type = token_types is None or self.token_type.num_embeddings == 1
            summed = summed + (self.token_type.weight[0] if one_type else self.token_type(token_types))
        embedded = self.dropout(self.norm(summed))
        return embedded if self.projection is None else self.projection(embedded)


def rotary_tables(base: float, size: int, length: int, device: torch.device | None = None) -> tuple[Tensor, Tensor]:
    """Cosine and sine `[length, size / 2]` of the angles that pairs of head entries are turned by."""
    frequencies = base ** -(torch.arange(0, size, 2, dtype=torch.float32, device=device) / size)
    angles = torch.arange(length, dtype=torch.float32, device=device)[:, None] * frequencies
    return angles.cos(), angles.sin()


def rotate(x: Tensor, base: float) -> Tensor:
    """Turn entries d and d + D/2 of every head `[B, heads, S, D]` by an angle that grows with the position."""
    cos, sin = rotary_tables(base, x.shape[-1], x.shape[-2], x.device)
    left, right = x.float().chunk(2, dim=-1)
    return torch.cat((left * cos - right * sin, right * cos + left * sin), dim=-1).to(x.dtype)


class SelfAttention(nn.Module):
    """Multi-head self-attention whose heads need not span the hidden width.

    Scores are scaled by 1 / sqrt(head size).
    """

    def __init__(self, config: EncoderConfig, shape: LayerShape) -> None:
        super().__init__()
        self.heads, self.head_size, self.dropout = shape.heads, config.head_size, config.attention_dropout
        self.rotary_base = shape.rotary_base
        width, biases = shape.heads * config.head_size, config.attention_bias
        self.query = nn.Linear(config.hidden, width, bias=biases)
        self.key = nn.Linear(config.hidden, width, bias=biases)
        self.value = nn.Linear(config.hidden, width, bias=biases)
        self.output = nn.Linear(width, config.hidden, bias=biases)

    def _split(self, x: Tensor) -> Tensor:
        """`[B, S, heads * D]` to `[B, heads, S, D]`."""
        return x.unflatten(-1, (self.heads, self.head_size)).transpose(1, 2)

    def forward(
        self, x: Tensor, bias: Tensor | None, *, with_probabilities: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Returns the output `[B, S, H]` and, if asked for, the probabilities before dropout `[B, heads, S, S]`.

        Args:
            x: `[B, S, H]`.
            bias: added to the scores, broadcast to `[B, heads, S, S]`; None to add nothing.
            with_probabilities: turns the fused kernel off, which cannot return them.
        """
        query, key, value = self._split(self.query(x)), self._split(self.key(x)), self._split(self.value(x))
        if self.rotary_base is not None:
            query, key = rotate(query, self.rotary_base), rotate(key, self.rotary_base)
        probability = self.dropout if self.training else 0.0
        if with_probabilities or probability:
            scores = query @ key.transpose(-1, -2) / self.head_size**0.5
            probabilities = torch.softmax(scores if bias is None else scores + bias, dim=-1)
            context = dropout(probabilities, probability) @ value
        else:
            probabilities = None
            context = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self.output(context.transpose(1, 2).flatten(2)), probabilities if with_probabilities else None


def activate(x: Tensor, activation: str) -> Tensor:
    """One of `ACTIVATIONS`, or tanh."""
    if activation == "relu":
        return F.relu(x)
    if activation == "tanh":
        return torch.tanh(x)
    return F.gelu(x, approximate="tanh" if activation == "gelu_tanh" else "none")


class FeedForward(nn.Module):
    """Two linear maps with an activation between them; if gated, the activation of a third one (Shazeer 2020)."""

    def __init__(self, config: EncoderConfig, width: int) -> None:
        super().__init__()
        self.up = nn.Linear(config.hidden, width, bias=config.ffn_bias)
        self.gate = nn.Linear(config.hidden, width, bias=config.ffn_bias) if config.gated_ffn else None
        self.down = nn.Linear(width, config.hidden, bias=config.ffn_bias)
        self.activation = config.activation

    def forward(self, x: Tensor) -> Tensor:
        if self.gate is None:
            return self.down(activate(self.up(x), self.activation))
        return self.down(activate(self.gate(x), self.activation) * self.up(x))


class Layer(nn.Module):
    """Attention and feed-forward with residual sums; LayerNorms after the sums (post-norm) or before the blocks."""

    def __init__(self, config: EncoderConfig, shape: LayerShape) -> None:
        super().__init__()
        self.shape, self.norm_first = shape, config.norm_first
        self.attention = SelfAttention(config, shape)
        self.attention_norm = norm(config, config.hidden) if shape.attention_norm else nn.Identity()
        self.ffn = FeedForward(config, shape.ffn)
        self.ffn_norm = norm(config, config.hidden)
        self.dropout = Dropout(config.dropout)

    def forward(
        self, x: Tensor, bias: Tensor | None, *, with_probabilities: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        if self.norm_first:
            normed = self.attention_norm(x)
            attended, probabilities = self.attention(normed, bias, with_probabilities=with_probabilities)
            x = x + self.dropout(attended)
            return x + self.dropout(self.ffn(self.ffn_norm(x))), probabilities
        attended, probabilities = self.attention(x, bias, with_probabilities=with_probabilities)
        x = self.attention_norm(x + self.dropout(attended))
        return self.ffn_norm(x + self.dropout(self.ffn(x))), probabilities


class Encoder(nn.Module):
    """Embeddings, a stack of layers and, if they norm first, a final norm."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        self.bias = AttentionBias(config)
        self.layers = nn.ModuleList(Layer(config, shape) for shape in config.layers)
        self.final_norm = norm(config, config.hidden) if config.norm_first else None

    def forward(
        self, ids: Tensor, mask: Tensor, token_types: Tensor | None = None, *, with_attentions: bool = False
    ) -> EncoderOutput:
        """Encode padded rows.

        Args:
            ids: token ids `[B, S]`, S at most the number of positions.
            mask: `[B, S]`, true (or 1) where a token is real; rows are padded on the right.
            token_types: `[B, S]`; None means all zero. A family with fewer than two types takes no notice of them.
            with_attentions: also return the attention probabilities (slower).
        """
        x = self.embeddings(ids, token_types)
        biases: dict[tuple[int | None, tuple[int, ...] | None], Tensor | None] = {}
        hidden_states, attentions = [x], []
        for layer in self.layers:
            assert isinstance(layer, Layer)
            kind = (layer.shape.window, layer.shape.bias_columns)
            if kind not in biases:
                biases[kind] = self.bias(layer.shape, mask, x.dtype)
            x, probabilities = layer(x, biases[kind], with_probabilities=with_attentions)
            hidden_states.append(x)
            if probabilities is not None:
                attentions.append(probabilities)
        if self.final_norm is not None:
            hidden_states[-1] = self.final_norm(x)
        return EncoderOutput(tuple(hidden_states), tuple(attentions))
