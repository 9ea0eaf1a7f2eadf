"""One Transformer encoder, composed from parts, every layer with its own number of heads and its own width.

Shapes in this file: B rows, S tokens (padded), H hidden, D head size. Attention after Vaswani et al. 2017,
the post-norm arrangement after Devlin et al. 2019.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leanformer.models.config import EncoderConfig, LayerShape
from leanformer.models.dropout import Dropout, dropout


@dataclass(frozen=True)
class EncoderOutput:
    """What an encoder computed.

    Attributes:
        hidden_states: embedding output, then each layer's output: layers + 1 tensors `[B, S, H]`.
        attentions: each layer's attention probabilities `[B, heads, S, S]`; empty unless asked for.
    """

    hidden_states: tuple[Tensor, ...]
    attentions: tuple[Tensor, ...] = ()

    @property
    def last(self) -> Tensor:
        return self.hidden_states[-1]


class Embeddings(nn.Module):
    """Word, absolute position and token-type tables, summed, normalised, dropped out."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.word = nn.Embedding(config.vocabulary, config.hidden, padding_idx=config.padding_id)
        self.position = nn.Embedding(config.positions, config.hidden)
        self.token_type = nn.Embedding(config.token_types, config.hidden)
        self.norm = nn.LayerNorm(config.hidden, eps=config.norm_epsilon)
        self.dropout = Dropout(config.dropout)

    def forward(self, ids: Tensor, token_types: Tensor | None = None) -> Tensor:
        types = self.token_type.weight[0] if token_types is None else self.token_type(token_types)
        summed = self.word(ids) + self.position.weight[: ids.shape[1]] + types
        return self.dropout(self.norm(summed))


class SelfAttention(nn.Module):
    """Multi-head self-attention whose heads need not span the hidden width.

    Scores are scaled by 1 / sqrt(head size).
    """

    def __init__(self, hidden: int, heads: int, head_size: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.head_size, self.dropout = heads, head_size, dropout
        width = heads * head_size
        self.query = nn.Linear(hidden, width)
        self.key = nn.Linear(hidden, width)
        self.value = nn.Linear(hidden, width)
        self.output = nn.Linear(width, hidden)

    def _split(self, x: Tensor) -> Tensor:
        """`[B, S, heads * D]` to `[B, heads, S, D]`."""
        return x.unflatten(-1, (self.heads, self.head_size)).transpose(1, 2)

    def forward(
        self, x: Tensor, bias: Tensor | None, *, with_probabilities: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """Returns the output `[B, S, H]` and, if asked for, the probabilities before dropout `[B, heads, S, S]`.

        Args:
            x: `[B, S, H]`.
            bias: added to the scores, `[B, 1, 1, S]`, very negative at padded keys; None if nothing is padded.
            with_probabilities: turns the fused kernel off, which cannot return them.
        """
        query, key, value = self._split(self.query(x)), self._split(self.key(x)), self._split(self.value(x))
        probability = self.dropout if self.training else 0.0
        if with_probabilities or probability:
            scores = query @ key.transpose(-1, -2) / self.head_size**0.5
            probabilities = torch.softmax(scores if bias is None else scores + bias, dim=-1)
            context = dropout(probabilities, probability) @ value
        else:
            probabilities = None
            context = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self.output(context.transpose(1, 2).flatten(2)), probabilities if with_probabilities else None


class FeedForward(nn.Module):
    """Two linear maps with an activation between them."""

    def __init__(self, hidden: int, width: int, activation: str) -> None:
        super().__init__()
        self.up = nn.Linear(hidden, width)
        self.down = nn.Linear(width, hidden)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        x = self.up(x)
        if self.activation == "relu":
            return self.down(F.relu(x))
        return self.down(F.gelu(x, approximate="tanh" if self.activation == "gelu_tanh" else "none"))


class Layer(nn.Module):
    """Attention and feed-forward, each followed by dropout, the residual sum and a LayerNorm (post-norm)."""

    def __init__(self, config: EncoderConfig, shape: LayerShape) -> None:
        super().__init__()
        self.attention = SelfAttention(config.hidden, shape.heads, config.head_size, config.attention_dropout)
        self.attention_norm = nn.LayerNorm(config.hidden, eps=config.norm_epsilon)
        self.ffn = FeedForward(config.hidden, shape.ffn, config.activation)
        self.ffn_norm = nn.LayerNorm(config.hidden, eps=config.norm_epsilon)
        self.dropout = Dropout(config.dropout)

    def forward(
        self, x: Tensor, bias: Tensor | None, *, with_probabilities: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        attended, probabilities = self.attention(x, bias, with_probabilities=with_probabilities)
        x = self.attention_norm(x + self.dropout(attended))
        return self.ffn_norm(x + self.dropout(self.ffn(x))), probabilities


class Encoder(nn.Module):
    """Embeddings and a stack of layers."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        self.layers = nn.ModuleList(Layer(config, shape) for shape in config.layers)

    def forward(
        self, ids: Tensor, mask: Tensor, token_types: Tensor | None = None, *, with_attentions: bool = False
    ) -> EncoderOutput:
        """Encode padded rows.

        Args:
            ids: token ids `[B, S]`, S at most the number of positions.
            mask: `[B, S]`, true (or 1) where a token is real.
            token_types: `[B, S]`; None means all zero.
            with_attentions: also return the attention probabilities (slower).
        """
        x = self.embeddings(ids, token_types)
        bias = None
        if not bool(mask.all()):
            # A finite number, because a row of -inf alone would turn into not-a-number.
            bias = torch.zeros(mask.shape, dtype=x.dtype, device=x.device)
            bias = bias.masked_fill(~mask.bool(), torch.finfo(x.dtype).min)[:, None, None, :]
        hidden_states, attentions = [x], []
        for layer in self.layers:
            x, probabilities = layer(x, bias, with_probabilities=with_attentions)
            hidden_states.append(x)
            if probabilities is not None:
                attentions.append(probabilities)
        return EncoderOutput(tuple(hidden_states), tuple(attentions))
