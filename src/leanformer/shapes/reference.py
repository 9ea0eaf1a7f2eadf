"""What kinds of attention of the reference tier share as plain data: they run in PyTorch only and compute all queries.

Operations are counted as they are computed, with chunks that are not full and scores that are masked. Fourier
transforms and searches for thresholds are no matrix products.
"""

from __future__ import annotations

from typing import ClassVar


class Reference:
    """What all of them share; a kind whose cost is that of scored pairs of tokens says how many pairs there are."""

    kind: ClassVar[str]
    scores: ClassVar[bool] = False
    has_graph: ClassVar[bool] = False
    maps: ClassVar[int] = 4

    def pairs(self, tokens: int) -> int:
        """Number of scores that one head computes."""
        return tokens**2

    def flops(self, tokens: int, asked: int, head_size: int) -> int:
        """Operations of one head's products, see `AttentionShape`."""
        return 4 * self.pairs(tokens) * head_size

    def elements(self, tokens: int, head_size: int) -> int:
        """Number of entries between the products, see `AttentionShape`."""
        return self.pairs(tokens)


def chunks(tokens: int, size: int) -> int:
    """Number of chunks of `size` that hold `tokens`."""
    return -(-tokens // size)
