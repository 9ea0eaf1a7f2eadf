"""LoRA, a prefix and an adapter in every layer, each behind a gate, as in UniPELT (Mao et al. 2022, 2110.07577).

A gate is a number in 0 to 1 a text: the mean over its tokens of sigmoid(v x + c) for the input x of the block. It
multiplies the low-rank updates of queries and values, the keys and values of the prefix, or the adapter's output.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from leanformer.models.attention.bias import Places
from leanformer.models.classifier import Classifier
from leanformer.models.encoder import Layer
from leanformer.models.heads import masked_mean
from leanformer.train.adapters.bottleneck import Bottleneck
from leanformer.train.adapters.lora import LoraLinear
from leanformer.train.adapters.prefix import Longer, PrefixedAttention
from leanformer.train.adapters.staying import Staying, layers_of


class Gate(nn.Module):
    """A number a text, `[B, 1, 1]`; one half at the start."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.map = nn.Linear(hidden, 1)
        nn.init.zeros_(self.map.weight)
        nn.init.zeros_(self.map.bias)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return masked_mean(self.map(x).sigmoid(), mask)[:, None]


class GatedLayer(Layer):
    """A layer with norms after its blocks, and the three techniques."""

    def __init__(self, layer: Layer, hidden: int, rank: int, length: int, reduction: int) -> None:
        nn.Module.__init__(self)
        self.shape, self.norm_first = layer.shape, layer.norm_first
        self.attention, self.attention_norm = layer.attention, layer.attention_norm
        self.ffn, self.ffn_norm, self.dropout = layer.ffn, layer.ffn_norm, layer.dropout
        self.query = LoraLinear(layer.attention.query, rank, 2.0)
        self.value = LoraLinear(layer.attention.value, rank, 2.0)
        self.prefix = PrefixedAttention(layer.attention, length)
        self.adapter = Bottleneck(hidden, max(1, hidden // reduction))
        self.gates = nn.ModuleDict({name: Gate(hidden) for name in ("lora", "prefix", "adapter")})

    @property
    def own(self) -> list[nn.Parameter]:
        """The parameters of the three and of their gates."""
        low = [part.get_parameter(name) for part in (self.query, self.value) for name in LoraLinear.OWN]
        return [*low, self.prefix.keys, self.prefix.values, *self.adapter.parameters(), *self.gates.parameters()]

    def attended(self, x: Tensor, places: Places, *, with_probabilities: bool) -> tuple[Tensor, Tensor | None]:
        """The output of attention."""
        inner, low = self.attention, self.gates["lora"](x, places.mask)
        ahead = self.gates["prefix"](x, places.mask)[..., None]  # of keys and values, [B, 1, 1, 1]
        query, key, value = (
            inner._split(plain + low * (adapted(x) - plain) if adapted is not None else plain)
            for plain, adapted in (
                (inner.query(x), self.query), (inner.key(x), None), (inner.value(x), self.value),
            )
        )  # fmt: skip
        key = torch.cat((ahead * self.prefix.keys, key), dim=2)
        value = torch.cat((ahead * self.prefix.values, value), dim=2)
        longer = Longer(places, self.prefix.length)
        context, found = inner.attend(query, key, value, longer, with_probabilities=with_probabilities)
        return inner.output(context.transpose(1, 2).flatten(2)), found if with_probabilities else None

    def forward(self, x: Tensor, places: Places, *, with_probabilities: bool = False) -> tuple[Tensor, Tensor | None]:
        attended, probabilities = self.attended(x, places, with_probabilities=with_probabilities)
        x = self.attention_norm(x + self.dropout(attended))
        fed = self.ffn(x)
        fed = fed + self.gates["adapter"](x, places.mask) * self.adapter(fed)
        return self.ffn_norm(x + self.dropout(fed)), probabilities


class Gated(Staying):
    """Low-rank updates of `rank`, times 2; a prefix of `length`; adapters of a width of hidden / `reduction`."""

    def __init__(self, rank: int = 8, length: int = 10, reduction: int = 16) -> None:
        super().__init__()
        self.rank, self.length, self.reduction = rank, length, reduction

    def put(self, model: Classifier) -> list[nn.Parameter]:
        made = [
            GatedLayer(layer, model.config.hidden, self.rank, self.length, self.reduction)
            for layer in layers_of(model, post_norm=True)
        ]
        model.encoder.layers = nn.ModuleList(made)
        return [parameter for layer in made for parameter in layer.own]
