"""Magnitude pruning: the weights of smallest absolute value of each map are left out.

Paper: Han et al. 2015 (arXiv 1506.02626).
"""

from __future__ import annotations

from torch import Tensor

from leanformer.compress.stored import Stored, sparse
from leanformer.models.maps import largest


def magnitude(weight: Tensor, *, density: float = 0.5) -> Stored:
    """The `density` share of largest weights of a map `[out, in]`; 1 keeps all."""
    return sparse(weight, largest(weight.abs(), density))
