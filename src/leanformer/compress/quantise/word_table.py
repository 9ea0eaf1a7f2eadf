"""A word table of 4 bits: rows are looked up and never multiplied, so they bear fewer bits than maps do.

Paper: GOBO has the embeddings in 3 or 4 bits (Zadeh et al. 2020, arXiv 2005.03842); here groups of neighbours have a
scale and a zero point of their own.
"""

from __future__ import annotations

from torch import Tensor

from leanformer.compress.quantise.nearest import nearest
from leanformer.compress.stored import Stored


def word_table(table: Tensor, *, bits: int = 4, group: int = 32) -> Stored:
    """A table `[words, width]`; from 24 bits on it is unchanged."""
    return nearest(table, bits=bits, group=group, symmetric=False)
