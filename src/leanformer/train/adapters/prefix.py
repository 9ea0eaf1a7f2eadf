"""Prefixes: learnt keys and values before those of the text, in every layer (Li and Liang 2021, arXiv 2101.00190).

They are parameters themselves, without the network that the paper makes them with in training, as in P-tuning v2.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from leanformer.errors import LeanformerError
from leanformer.models.attention.bias import Places
from leanformer.models.attention.heads import MultiHead
from leanformer.models.attention.softmax import SoftmaxAttention
from leanformer.models.classifier import Classifier
from leanformer.shapes.encoder import LayerShape
from leanformer.train.adapters.staying import Staying, layers_of, swap


class Longer(Places):
    """The biases of a forward pass with `length` more keys before those of the text, which every token sees."""

    def __init__(self, places: Places, length: int) -> None:
        self.mask, self._places, self._length = places.mask, places, length

    def bias(self, layer: LayerShape) -> Tensor | None:
        bias = self._places.bias(layer)
        return None if bias is None else F.pad(bias, (self._length, 0))


class PrefixedAttention(nn.Module):
    """Attention whose keys and values begin with learnt ones, `[heads, length, head size]` each."""

    def __init__(self, inner: MultiHead, length: int) -> None:
        super().__init__()
        self.inner, self.length = inner, length
        self.keys, self.values = (
            nn.Parameter(0.02 * torch.randn(inner.heads, length, inner.head_size)) for _ in range(2)
        )

    def forward(self, x: Tensor, places: Places, *, with_probabilities: bool = False) -> tuple[Tensor, Tensor | None]:
        """See `MultiHead.forward`; probabilities are `[B, heads, S, length + S]`."""
        inner, rows = self.inner, len(x)
        query, key, value = (inner._split(part(x)) for part in (inner.query, inner.key, inner.value))
        key = torch.cat((self.keys.expand(rows, -1, -1, -1), key), dim=2)
        value = torch.cat((self.values.expand(rows, -1, -1, -1), value), dim=2)
        context, found = inner.attend(
            query, key, value, Longer(places, self.length), with_probabilities=with_probabilities
        )
        return inner.output(context.transpose(1, 2).flatten(2)), found if with_probabilities else None


class Prefix(Staying):
    """`length` keys and values in each layer, drawn with a standard deviation of 0.02."""

    def __init__(self, length: int = 10) -> None:
        super().__init__()
        self.length = length

    def put(self, model: Classifier) -> list[nn.Parameter]:
        own: list[nn.Parameter] = []
        for layer in layers_of(model):
            if not isinstance(layer.attention, SoftmaxAttention) or layer.shape.rotary_base is not None:
                raise LeanformerError(
                    "prefixes need softmax attention without rotary positions, which they have none of\n"
                    "  remedy: another adapter, such as lora"
                )
            prefixed = PrefixedAttention(layer.attention, self.length)
            swap(layer, "attention", prefixed)
            own += [prefixed.keys, prefixed.values]
        return own
