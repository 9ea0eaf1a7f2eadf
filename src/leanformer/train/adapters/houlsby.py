"""Houlsby adapters: a bottleneck after attention, one after the feed-forward block (Houlsby et al. 2019, 1902.00751).

h + U f(D h) for the output h of either block, before the residual sum. Norms are trained as well. The paper starts near
zero; here the start is zero, as for all our adapters.
"""

from __future__ import annotations

from torch import nn

from leanformer.models.classifier import Classifier
from leanformer.train.adapters.bottleneck import Bottleneck, Followed
from leanformer.train.adapters.staying import Staying, layers_of, swap


class Houlsby(Staying):
    """Bottlenecks of a width of hidden / `reduction`, two in each layer."""

    def __init__(self, reduction: int = 16) -> None:
        super().__init__()
        self.reduction = reduction

    def bottleneck(self, hidden: int) -> nn.Module:
        """A new adapter."""
        return Bottleneck(hidden, max(1, hidden // self.reduction))

    def put(self, model: Classifier) -> list[nn.Parameter]:
        own: list[nn.Parameter] = []
        for layer in layers_of(model):
            after = [self.bottleneck(model.config.hidden) for _ in range(2)]
            swap(layer.attention, "output", Followed(layer.attention.output, after[0]))
            swap(layer.ffn, "down", Followed(layer.ffn.down, after[1]))
            for part in (*after, layer.attention_norm, layer.ffn_norm):
                own += part.parameters()
        return own
