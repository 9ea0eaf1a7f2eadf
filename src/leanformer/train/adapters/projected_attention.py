"""Projected attention layers: a narrow attention of a task beside each layer (Stickland and Murray 2019, 1902.02671).

The layer gives norm(m + FFN(m) + D g(E x)) for its input x and the output m of its own attention: E `[width, hidden]`
and D `[hidden, width]` are shared by all layers, and g is attention of that width without an output map. D is nought at
the start.
"""

from __future__ import annotations

from torch import Tensor, nn

from leanformer.models.attention.bias import Places
from leanformer.models.classifier import Classifier
from leanformer.models.encoder import Layer
from leanformer.train.adapters.staying import Staying, layers_of


class NarrowAttention(nn.Module):
    """Multi-head softmax attention `[B, S, width]` to the same shape, with three maps."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        query, key, value = (
            part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        context = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask.bool()[:, None, None])
        return context.transpose(1, 2).flatten(2)


class ProjectedLayer(Layer):
    """A layer with norms after its blocks, and a narrow attention beside it."""

    def __init__(self, layer: Layer, into: nn.Linear, out: nn.Linear, heads: int) -> None:
        nn.Module.__init__(self)
        self.shape, self.norm_first = layer.shape, layer.norm_first
        self.attention, self.attention_norm = layer.attention, layer.attention_norm
        self.ffn, self.ffn_norm, self.dropout = layer.ffn, layer.ffn_norm, layer.dropout
        self.into, self.out = into, out
        self.narrow = NarrowAttention(into.out_features, heads)

    def forward(self, x: Tensor, places: Places, *, with_probabilities: bool = False) -> tuple[Tensor, Tensor | None]:
        attended, probabilities = self.attention(x, places, with_probabilities=with_probabilities)
        middle = self.attention_norm(x + self.dropout(attended))
        beside = self.out(self.narrow(self.into(x), places.mask))
        return self.ffn_norm(middle + self.dropout(self.ffn(middle)) + beside), probabilities


class ProjectedAttention(Staying):
    """Narrow attention of `width`, a multiple of `heads`, beside each layer."""

    def __init__(self, width: int = 48, heads: int = 12) -> None:
        super().__init__()
        self.width, self.heads = width, heads

    def put(self, model: Classifier) -> list[nn.Parameter]:
        layers, hidden = layers_of(model, post_norm=True), model.config.hidden
        into, out = nn.Linear(hidden, self.width, bias=False), nn.Linear(self.width, hidden, bias=False)
        nn.init.zeros_(out.weight)
        made = [ProjectedLayer(layer, into, out, self.heads) for layer in layers]
        model.encoder.layers = nn.ModuleList(made)
        return [*into.parameters(), *out.parameters(), *(p for layer in made for p in layer.narrow.parameters())]
