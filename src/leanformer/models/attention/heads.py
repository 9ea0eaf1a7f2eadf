"""Parts shared by all kinds of self-attention: projections to and from heads, which need not span the hidden width.

Shapes: B rows, S tokens (padded), H hidden, D head size.
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from leanformer.models.attention.bias import Places
from leanformer.shapes.encoder import EncoderConfig, LayerShape


class MultiHead(nn.Module):
    """Query, key and value projections of all heads, and the output projection; each kind implements `attend`."""

    HEAD_ROWS: ClassVar[tuple[str, ...]] = ("query", "key", "value")
    """Maps of which each head owns rows."""
    HEAD_COLUMNS: ClassVar[tuple[str, ...]] = ("output",)
    """Maps of which each head owns columns."""

    def __init__(self, config: EncoderConfig, shape: LayerShape) -> None:
        super().__init__()
        self.shape, self.dropout = shape, config.attention_dropout
        self.heads, self.head_size = shape.heads, config.head_size
        width, biases = shape.heads * config.head_size, config.attention_bias
        self.query = nn.Linear(config.hidden, width, bias=biases)
        self.key = nn.Linear(config.hidden, width, bias=biases)
        self.value = nn.Linear(config.hidden, width, bias=biases)
        self.output = nn.Linear(width, config.hidden, bias=biases)

    def _split(self, x: Tensor) -> Tensor:
        """`[B, S, heads * D]` to `[B, heads, S, D]`."""
        return x.unflatten(-1, (self.heads, self.head_size)).transpose(1, 2)

    def forward(self, x: Tensor, places: Places, *, with_probabilities: bool = False) -> tuple[Tensor, Tensor | None]:
        """Return the output `[B, S, H]` and, on request, the probabilities before dropout `[B, heads, S, S]`.

        Args:
            x: `[B, S, H]`.
            places: which tokens are real, and the bias added to scores.
            with_probabilities: compute the probabilities explicitly, which is slower.
        """
        query, key, value = self._split(self.query(x)), self._split(self.key(x)), self._split(self.value(x))
        context, probabilities = self.attend(query, key, value, places, with_probabilities=with_probabilities)
        return self.output(context.transpose(1, 2).flatten(2)), probabilities if with_probabilities else None

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, places: Places, *, with_probabilities: bool
    ) -> tuple[Tensor, Tensor | None]:
        """The context `[B, heads, S, D]` for queries, keys and values of that shape, and the probabilities."""
        raise NotImplementedError
