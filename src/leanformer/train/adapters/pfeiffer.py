"""Pfeiffer adapters: one bottleneck a layer, after the feed-forward block (Pfeiffer et al. 2021, arXiv 2005.00247).

With the residual sum s of the block, the layer's output is norm(s + U f(D norm(s))): the adapter reads the normed sum,
and the same norm follows it. Norms are frozen.
"""

from __future__ import annotations

from torch import Tensor, nn

from leanformer.models.classifier import Classifier
from leanformer.train.adapters.bottleneck import Bottleneck
from leanformer.train.adapters.staying import Staying, layers_of, swap


class AdaptedNorm(nn.Module):
    """A layer's last norm with an adapter before it; without, where it is `off`."""

    def __init__(self, norm: nn.Module, adapter: nn.Module) -> None:
        super().__init__()
        self.norm, self.adapter, self.off = norm, adapter, False

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.norm(x)
        return normed if self.off else self.norm(x + self.adapter(normed))


class Pfeiffer(Staying):
    """Bottlenecks of a width of hidden / `reduction`, one in each layer of an encoder with norms after its blocks."""

    def __init__(self, reduction: int = 16) -> None:
        super().__init__()
        self.reduction = reduction
        self.norms: list[AdaptedNorm] = []

    def bottleneck(self, hidden: int) -> nn.Module:
        """A new adapter."""
        return Bottleneck(hidden, max(1, hidden // self.reduction))

    def put(self, model: Classifier) -> list[nn.Parameter]:
        own: list[nn.Parameter] = []
        for layer in layers_of(model, post_norm=True):
            adapted = AdaptedNorm(layer.ffn_norm, self.bottleneck(model.config.hidden))
            swap(layer, "ffn_norm", adapted)
            self.norms.append(adapted)
            own += adapted.adapter.parameters()
        return own
