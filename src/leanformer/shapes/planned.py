"""The shape that a model will have, as far as it affects speed; predicted by each step before anything is trained."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class PlannedShape:
    """The planned shape of a model.

    Attributes:
        hidden, head_size: widths. layers: heads and feed-forward units of each layer.
        precision: "PyTorch" before export, then "fp32", or "int8" and its method. engine: the engine that runs it.
        exact: False if pruning distributes a budget over layers depending on the data: all layers are then assumed to
            be narrowed equally.
    """

    hidden: int
    head_size: int
    layers: tuple[tuple[int, int], ...]
    precision: str = "PyTorch"
    engine: str = "default"
    exact: bool = True

    @property
    def cell(self) -> str:
        """The group of shapes with which this one is comparable."""
        return f"{self.precision}, {self.engine}"

    def narrowed(self, heads: int | None, ffn: int | None) -> PlannedShape:
        """The shape with `heads` heads and `ffn` units in every layer; None leaves them unchanged."""
        return replace(self, layers=tuple((heads or theirs, ffn or units) for theirs, units in self.layers))

    def scaled(self, keep: float) -> PlannedShape:
        """The shape with about the share `keep` of heads and units in every layer."""
        layers = tuple((max(1, round(keep * heads)), max(1, round(keep * ffn))) for heads, ffn in self.layers)
        return replace(self, layers=layers, exact=keep == 1)
