"""Reference kinds of attention as plain data: the table of all, and those that are no pattern of pairs (`patterns.py`).

Each has its options, with the usual values, and its cost, and a file of its name in `models/attention/`. To add one,
add a dataclass and that file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from leanformer.shapes.patterns import (
    BigBird,
    Clustered,
    Compressive,
    Etc,
    Infinity,
    Longformer,
    Reformer,
    Routing,
    Smyrf,
    Strided,
    TransformerXL,
)
from leanformer.shapes.reference import Reference, chunks


@dataclass(frozen=True)
class Linformer(Reference):
    """Keys and values projected to `rank` places."""

    kind: ClassVar[str] = "linformer"
    rank: int = 64

    def pairs(self, tokens: int) -> int:
        return 2 * self.rank * tokens  # as many for the projections as for the scores


@dataclass(frozen=True)
class Performer(Reference):
    """Positive random features."""

    kind: ClassVar[str] = "performer"
    features: int = 64
    seed: int = 0

    def pairs(self, tokens: int) -> int:
        return 2 * self.features * tokens


@dataclass(frozen=True)
class Rfa(Reference):
    """Sine and cosine features of `features` random directions."""

    kind: ClassVar[str] = "rfa"
    features: int = 64
    seed: int = 0

    def pairs(self, tokens: int) -> int:
        return 3 * self.features * tokens


@dataclass(frozen=True)
class Nystrom(Reference):
    """The softmax matrix from `landmarks` means."""

    kind: ClassVar[str] = "nystrom"
    landmarks: int = 32
    iterations: int = 6

    def flops(self, tokens: int, asked: int, head_size: int) -> int:
        few = self.landmarks
        return 12 * tokens * few * head_size + 4 * few**2 * head_size + 8 * self.iterations * few**3

    def elements(self, tokens: int, head_size: int) -> int:
        return 2 * tokens * self.landmarks


@dataclass(frozen=True)
class FNet(Reference):
    """A Fourier transform; no maps."""

    kind: ClassVar[str] = "fnet"
    maps: ClassVar[int] = 0

    def pairs(self, tokens: int) -> int:
        return 0


@dataclass(frozen=True)
class Aft(Reference):
    """Learnt weights of positions, from tables of `rank` columns."""

    kind: ClassVar[str] = "aft"
    rank: int = 8

    def flops(self, tokens: int, asked: int, head_size: int) -> int:
        return (2 * self.rank + 4 * head_size) * tokens**2


@dataclass(frozen=True)
class Entmax(Reference):
    """entmax in place of softmax."""

    kind: ClassVar[str] = "entmax"
    alpha: float = 1.5


@dataclass(frozen=True)
class AdaptiveEntmax(Reference):
    """entmax with an alpha learnt for each head."""

    kind: ClassVar[str] = "adaptive_entmax"


@dataclass(frozen=True)
class Alibi(Reference):
    """Scores that fall with the distance."""

    kind: ClassVar[str] = "alibi"
    steepness: float = 1.0


@dataclass(frozen=True)
class Tiled(Reference):
    """Softmax attention in tiles."""

    kind: ClassVar[str] = "tiled"
    tile: int = 128

    def elements(self, tokens: int, head_size: int) -> int:
        return min(self.tile, tokens) ** 2


@dataclass(frozen=True)
class WeakValues(Reference):
    """The `kept` largest weights of each query."""

    kind: ClassVar[str] = "weak_values"
    kept: int = 16


@dataclass(frozen=True)
class Dota(Reference):
    """The `kept` keys with the largest estimated scores."""

    kind: ClassVar[str] = "dota"
    kept: int = 32
    rank: int = 8
    seed: int = 0

    def flops(self, tokens: int, asked: int, head_size: int) -> int:
        return 4 * tokens**2 * head_size + 4 * tokens * self.rank * head_size + 2 * tokens**2 * self.rank


@dataclass(frozen=True)
class S4(Reference):
    """State spaces of `state` entries with the HiPPO matrix."""

    kind: ClassVar[str] = "s4"
    maps: ClassVar[int] = 2
    state: int = 16

    def flops(self, tokens: int, asked: int, head_size: int) -> int:
        # Powers by doubling: states of 2^steps places, of which each doubling but the last squares the matrix.
        steps = (tokens - 1).bit_length()
        states: int = 2 * self.state**2 * ((1 << steps) - 1) + 2 * self.state**3 * max(0, steps - 1)
        return head_size * (states + 4 * self.state * tokens)

    def elements(self, tokens: int, head_size: int) -> int:
        return head_size * self.state * tokens


@dataclass(frozen=True)
class Dss(S4):
    """Diagonal state spaces."""

    kind: ClassVar[str] = "dss"

    def flops(self, tokens: int, asked: int, head_size: int) -> int:
        return 4 * self.state * tokens * head_size


@dataclass(frozen=True)
class Gss(Dss):
    """Diagonal state spaces with a gate."""

    kind: ClassVar[str] = "gss"
    maps: ClassVar[int] = 3


@dataclass(frozen=True)
class Mega(Reference):
    """Moving averages before gated attention in chunks; averages are counted for heads that span the hidden width."""

    kind: ClassVar[str] = "mega"
    maps: ClassVar[int] = 5
    chunk: int = 64
    averages: int = 8

    def pairs(self, tokens: int) -> int:
        return chunks(tokens, self.chunk) * self.chunk**2

    def flops(self, tokens: int, asked: int, head_size: int) -> int:
        return 4 * self.pairs(tokens) * head_size + 4 * self.averages * tokens * head_size


REFERENCE: dict[str, type[Reference]] = {
    shape.kind: shape
    for shape in (
        Longformer, BigBird, Etc, Strided, Linformer, Performer, Rfa, Nystrom, Reformer, Routing, Clustered,
        Smyrf, FNet, Aft, Entmax, AdaptiveEntmax, Alibi, Tiled, WeakValues, Dota, TransformerXL,
        Compressive, Infinity, S4, Dss, Gss, Mega,
    )
}  # fmt: skip
