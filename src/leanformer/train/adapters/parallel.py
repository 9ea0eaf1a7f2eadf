"""Parallel adapters: a bottleneck beside the feed-forward block, with a factor (He et al. 2022, arXiv 2110.04366).

The block gives FFN(x) + s U f(D x) for its input x; s = 4 is the paper's. With the block's own activation it would be
some more units of the block.
"""

from __future__ import annotations

from torch import Tensor, nn

from leanformer.models.classifier import Classifier
from leanformer.train.adapters.bottleneck import Bottleneck
from leanformer.train.adapters.staying import Staying, layers_of, swap


class Beside(nn.Module):
    """The sum of a module and of an adapter times `scale`, both of the same input."""

    def __init__(self, inner: nn.Module, adapter: nn.Module, scale: float) -> None:
        super().__init__()
        self.inner, self.adapter, self.scale = inner, adapter, scale

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) + self.scale * self.adapter(x)


class Parallel(Staying):
    """Bottlenecks of a width of hidden / `reduction` beside each feed-forward block."""

    def __init__(self, reduction: int = 16, scale: float = 4.0) -> None:
        super().__init__()
        self.reduction, self.scale = reduction, scale

    def put(self, model: Classifier) -> list[nn.Parameter]:
        own: list[nn.Parameter] = []
        for layer in layers_of(model):
            adapter = Bottleneck(model.config.hidden, max(1, model.config.hidden // self.reduction))
            swap(layer, "ffn", Beside(layer.ffn, adapter, self.scale))
            own += adapter.parameters()
        return own
