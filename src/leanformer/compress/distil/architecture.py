"""Options for the architecture of a student cut out of a larger model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from leanformer.options import FilePath, Options
from leanformer.shapes.planned import PlannedShape


@dataclass(frozen=True)
class Architecture(Options):
    """The student's depth and widths, and what it is initialised from."""

    layers: int | tuple[int, ...] | None = 3  # number of layers, chosen by trial; or their numbers; null keeps all
    trial_texts: int = 3200  # training texts that a few candidate sets of layers are tried on; 0: evenly spread ones
    heads: int | None = None  # attention heads per layer; None keeps the teacher's
    ffn: int | None = None  # feed-forward units per layer; None keeps the teacher's
    hidden: int | None = None  # another residual width: the student then starts afresh, its word table by SVD
    shape: str | None = None  # layers and width in one, such as "4x312"; takes the place of `layers` and `hidden`
    start: FilePath | None = None  # start from this checkpoint or artifact instead of the teacher's layers
    freeze_embeddings: bool = False  # leave the student's word table as it starts, bit for bit

    group: ClassVar[str] = "architecture"

    def __post_init__(self) -> None:
        self.at_least(0, "trial_texts")
        self.at_least(1, "heads", "ffn", "hidden", *(["layers"] if isinstance(self.layers, int) else []))
        if self.shape is not None:
            self.need(self.hidden is None, "give `shape` or `hidden`, not both")
            well_formed = re.fullmatch(r"[1-9]\d*x[1-9]\d*", self.shape) is not None
            self.need(well_formed, f"shape is LAYERSxWIDTH, not {self.shape!r}")
        elif self.hidden is not None:
            starts_afresh = "a student of another width starts afresh: `layers` is a number there"
            self.need(isinstance(self.layers, int), starts_afresh)
        super().__post_init__()

    @property
    def depth_and_width(self) -> tuple[int | tuple[int, ...] | None, int | None]:
        """`layers` and `hidden`, as set or as derived from `shape`."""
        if self.shape is None:
            return self.layers, self.hidden
        depth, width = self.shape.split("x")
        return int(depth), int(width)

    def planned(self, shape: PlannedShape) -> PlannedShape | None:
        """The student's shape, derived from the source's; None if another checkpoint is the source."""
        depth, hidden = self.depth_and_width
        layers, there = shape.layers, len(shape.layers)
        if self.start is not None:
            return None
        if isinstance(depth, Sequence):
            if any(not 1 <= i <= there for i in depth):
                return None
            layers = tuple(layers[i - 1] for i in depth)
        elif depth is not None:
            if hidden is None and depth > there:
                return None
            layers = tuple(layers[min(i, there - 1)] for i in range(depth))
        if hidden is None or hidden == shape.hidden:
            return replace(shape, layers=layers).narrowed(self.heads, self.ffn)
        heads = self.heads or layers[0][0]
        layers = ((heads, self.ffn or 4 * hidden),) * len(layers)
        return replace(shape, hidden=hidden, head_size=hidden // heads, layers=layers)
