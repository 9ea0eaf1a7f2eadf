"""The bottleneck of adapters: a map to a few units, an activation, and a map back, which is nought at the start."""

from __future__ import annotations

from torch import Tensor, nn

from leanformer.models.feedforward.dense import activate


class Bottleneck(nn.Module):
    """U f(D x), with D `[width, hidden]`, U `[hidden, width]` and biases; D is drawn from torch's generator."""

    def __init__(self, hidden: int, width: int, activation: str = "relu") -> None:
        super().__init__()
        self.down, self.up = nn.Linear(hidden, width), nn.Linear(width, hidden)
        self.activation = activation
        nn.init.normal_(self.down.weight, std=0.02)
        for zeros in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(zeros)

    def forward(self, x: Tensor) -> Tensor:
        """`[..., hidden]` to the same shape."""
        return self.up(activate(self.down(x), self.activation))


class Followed(nn.Module):
    """A module and an adapter with a residual sum after it: y + adapter(y) for its output y."""

    def __init__(self, inner: nn.Module, adapter: nn.Module) -> None:
        super().__init__()
        self.inner, self.adapter = inner, adapter

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.inner(x)
        return y + self.adapter(y)
