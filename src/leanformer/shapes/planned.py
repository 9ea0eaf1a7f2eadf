"""The shape that a model will have, as far as its speed goes; told by each step before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class PlannedShape:
    """What a model will be.

    Attributes:
        hidden, head_size: widths. layers: heads and feed-forward units of each layer.
        precision: "PyTorch" before export, then "fp32", or "int8" and its method. engine: what runs it.
        exact: False where pruning shares a budget out among layers by what it finds: the layers are then taken to be
            narrowed all alike.
    """

    hidden: int
    head_size: int
    layers: tuple[tuple[int, int], ...]
    precision: str = "PyTorch"
    engine: str = "default"
    exact: bool = True

    @property
    def cell(self) -> str:
        """What a shape is comparable within."""
        return f"{self.precision}, {self.engine}"

    def narrowed(self, heads: int | None, ffn: int | None) -> PlannedShape:
        """The shape with so many heads and units in every layer; None leaves them."""
        return replace(self, layers=tuple((heads or theirs, ffn or units) for theirs, units in self.layers))

    def scaled(self, keep: float) -> PlannedShape:
        """The shape with about this share of heads and units in every layer."""
        layers = tuple((max(1, round(keep * heads)), max(1, round(keep * ffn))) for heads, ffn in self.layers)
        return replace(self, layers=layers, exact=keep == 1)
