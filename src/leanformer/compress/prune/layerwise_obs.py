"""Layer-wise optimal brain surgery: what a map gives on a few texts is kept as nearly as its zeros allow.

Paper: Dong et al. 2017 (arXiv 1705.07565). The Hessian of a map's squared error is the second moment of its inputs,
the same for all of its rows; weights are chosen by saliency, and the kept ones of each row refitted exactly.
"""

from __future__ import annotations

from torch import Tensor

from leanformer.compress.prune.surgery import damped, refitted, saliency
from leanformer.compress.stored import Stored, sparse
from leanformer.models.maps import largest


def layerwise_obs(weight: Tensor, moment: Tensor, *, density: float = 0.5, damping: float = 0.01) -> Stored:
    """A map `[out, in]` with the `density` share of its weights.

    Args:
        moment: of its inputs, `[in, in]`, see `compress.calibration.second_moments`. damping: share of the mean
            diagonal that is added.
    """
    curvature, wide = damped(moment.double(), damping), weight.double()
    mask = largest(saliency(wide, curvature), density)
    return sparse(refitted(wide, curvature, mask).to(weight.dtype), mask)
