"""Reference kinds of attention that score some pairs of tokens: near ones, some blocks, clusters, segments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from leanformer.shapes.reference import Reference, chunks


@dataclass(frozen=True)
class Longformer(Reference):
    """A window of `window` tokens to either side, and `global_tokens` first tokens that see and are seen by all."""

    kind: ClassVar[str] = "longformer"
    window: int = 64
    global_tokens: int = 1

    def pairs(self, tokens: int) -> int:
        near, first = min(self.window, tokens), min(self.global_tokens, tokens)
        return chunks(tokens, near) * near * (3 * near + first) + first * tokens


@dataclass(frozen=True)
class BigBird(Reference):
    """Blocks that see their neighbours, the first block and random ones."""

    kind: ClassVar[str] = "bigbird"
    block: int = 32
    random_blocks: int = 2
    seed: int = 0

    def pairs(self, tokens: int) -> int:
        count = chunks(tokens, self.block)
        seen = (4 + min(self.random_blocks, count)) * self.block
        return count * self.block * seen + min(self.block, tokens) * tokens


@dataclass(frozen=True)
class Etc(Reference):
    """A window of `window` tokens to either side, and learnt global tokens beside the text."""

    kind: ClassVar[str] = "etc"
    window: int = 64
    global_tokens: int = 16

    def pairs(self, tokens: int) -> int:
        near, count = min(self.window, tokens), self.global_tokens
        return chunks(tokens, near) * near * (3 * near + count) + count * (count + tokens)


@dataclass(frozen=True)
class Strided(Reference):
    """Rows and columns of the text written in rows of `stride` tokens."""

    kind: ClassVar[str] = "strided"
    stride: int = 32

    def pairs(self, tokens: int) -> int:
        width = min(self.stride, tokens)
        rows = chunks(tokens, width)
        return rows * width * (width + rows)


@dataclass(frozen=True)
class Reformer(Reference):
    """Buckets of a hash, in sorted chunks of `chunk`."""

    kind: ClassVar[str] = "reformer"
    maps: ClassVar[int] = 3
    chunk: int = 32
    buckets: int = 16
    rounds: int = 2
    seed: int = 0

    def pairs(self, tokens: int) -> int:
        return self.rounds * chunks(tokens, self.chunk) * 2 * self.chunk**2

    def flops(self, tokens: int, asked: int, head_size: int) -> int:
        hashed = self.buckets // 2 if self.buckets > 1 else 0
        return 4 * self.pairs(tokens) * head_size + 2 * self.rounds * hashed * tokens * head_size


@dataclass(frozen=True)
class Routing(Reference):
    """Clusters around learnt centroids, each with an equal share of queries and keys."""

    kind: ClassVar[str] = "routing"
    clusters: int = 8

    def pairs(self, tokens: int) -> int:
        return self.clusters * (chunks(tokens, self.clusters) ** 2 + tokens)


@dataclass(frozen=True)
class Clustered(Reference):
    """Mean queries of clusters, corrected on the `top` keys of each."""

    kind: ClassVar[str] = "clustered"
    clusters: int = 32
    iterations: int = 3
    top: int = 16

    def flops(self, tokens: int, asked: int, head_size: int) -> int:
        found = 4 * (self.iterations + 1) * tokens * self.clusters
        return (found + 4 * tokens * (self.clusters + min(self.top, tokens))) * head_size

    def elements(self, tokens: int, head_size: int) -> int:
        return tokens * (self.clusters + self.top * (1 + head_size))


@dataclass(frozen=True)
class Smyrf(Reference):
    """Balanced clusters of `chunk` queries and keys by an asymmetric hash."""

    kind: ClassVar[str] = "smyrf"
    chunk: int = 32
    rounds: int = 2
    seed: int = 0

    def pairs(self, tokens: int) -> int:
        return self.rounds * chunks(tokens, self.chunk) * self.chunk**2

    def flops(self, tokens: int, asked: int, head_size: int) -> int:
        return 4 * self.pairs(tokens) * head_size + 4 * self.rounds * (head_size + 2) * tokens


@dataclass(frozen=True)
class TransformerXL(Reference):
    """The own segment and `memory` segments before it."""

    kind: ClassVar[str] = "transformer_xl"
    segment: int = 64
    memory: int = 1

    def pairs(self, tokens: int) -> int:
        return chunks(tokens, self.segment) * (1 + self.memory) * self.segment**2


@dataclass(frozen=True)
class Compressive(Reference):
    """The own segment, the one before, and means of `older` segments before that."""

    kind: ClassVar[str] = "compressive"
    segment: int = 64
    older: int = 2
    rate: int = 4

    def pairs(self, tokens: int) -> int:
        seen = 2 * self.segment + self.older * self.segment // self.rate
        return chunks(tokens, self.segment) * self.segment * seen


@dataclass(frozen=True)
class Infinity(Reference):
    """The own segment, and a continuous memory of `basis` bumps."""

    kind: ClassVar[str] = "infinity"
    segment: int = 64
    basis: int = 32

    def flops(self, tokens: int, asked: int, head_size: int) -> int:
        count, segment = chunks(tokens, self.segment), self.segment
        later = count - 1
        # Each segment alone; the memory read by later ones; made of the first, sampled and made again of the others.
        read = count * segment**2 + later * segment * self.basis
        made = segment * self.basis + later * (segment + 2 * segment) * self.basis
        return 4 * (read + made) * head_size

    def elements(self, tokens: int, head_size: int) -> int:
        return chunks(tokens, self.segment) * self.segment * (self.segment + self.basis)
