"""Fisher information of head and unit masks, and the choice of a mask by it (Kwon et al. 2022, arXiv 2204.09656).

Expanded to second order around "everything kept", the loss of a trained model rises by about 1/2 d' F d when the masks
change by d. F is the mean of g g' over texts, and g is the gradient of one text's loss. The diagonal of F first
determines how many gates to keep and which; then, within a layer, the cross terms between pruned gates are included.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from leanformer.compress.prune.allocate import allocate
from leanformer.compress.prune.costs import CostTable
from leanformer.compress.prune.importance import Scores

_MOST_PASSES = 4


def fisher_diagonal(gradients: Scores) -> Scores:
    """Mean squared gradient of each gate, float64, from gradients per text `[texts, gates]` (`gate_gradients`)."""

    def squared(gradient: Tensor) -> Tensor:
        return gradient.double().pow(2).mean(dim=0)

    return Scores(tuple(map(squared, gradients.heads)), tuple(map(squared, gradients.units)))


def search(
    gradients: Scores, costs: CostTable, budget: float, *, multiple: int = 1
) -> tuple[list[Tensor], list[Tensor]]:
    """The heads and units to keep in each layer, as ascending indices, at a cost of at most `budget`.

    Args:
        gradients: per text, `[texts, heads]` and `[texts, ffn]` of each layer (`gate_gradients`).
        budget: in the unit of `costs`; multiple: as for `allocate`.

    Raises `RecipeError` if no shape is cheap enough.
    """
    diagonal = fisher_diagonal(gradients)
    heads, units = ([squares.numpy() for squares in kind] for kind in (diagonal.heads, diagonal.units))
    shape = allocate(heads, units, costs, budget, multiple=multiple)

    def kept(scores: np.ndarray, found: Tensor, count: int) -> Tensor:
        best = np.argsort(-scores, kind="stable")[:count]
        return torch.from_numpy(rearrange(found.numpy(), best))

    return (
        [kept(s, g, widths.heads) for s, g, widths in zip(heads, gradients.heads, shape, strict=True)],
        [kept(s, g, widths.ffn) for s, g, widths in zip(units, gradients.units, shape, strict=True)],
    )


def rearrange(gradients: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Swap pruned and kept gates of one layer while this lowers the sum over texts of (sum of pruned g)^2.

    Args:
        gradients: `[texts, gates]`.
        kept: indices of the gates that are kept.

    Returns the same number of kept indices, ascending. Each pruned gate in turn, starting with the largest diagonal,
    is swapped with the kept gate that gives the largest improvement, if there is one. Passes repeat until nothing
    changes (at most 4). The objective is that of the layer's block of F, including cross terms.
    """
    information = gradients.astype(np.float64).T @ gradients.astype(np.float64)
    diagonal = information.diagonal()
    pruned = np.ones(len(diagonal), dtype=bool)
    pruned[kept] = False
    if pruned.all() or not pruned.any():
        return np.sort(kept)
    joint = information[:, pruned].sum(axis=1)  # F p, where p indicates the pruned gates
    tolerance = 1e-12 * float(diagonal.sum())
    for _ in range(_MOST_PASSES):
        swaps = 0
        for i in sorted(np.flatnonzero(pruned), key=lambda gate: -diagonal[gate]):
            others = np.flatnonzero(~pruned)
            # The change of p' F p if i is kept and j is pruned.
            change = diagonal[i] - 2 * joint[i] + diagonal[others] + 2 * joint[others] - 2 * information[i, others]
            best = int(np.argmin(change))
            if change[best] < -tolerance:
                j = others[best]
                pruned[i], pruned[j] = False, True
                joint += information[:, j] - information[:, i]
                swaps += 1
        if not swaps:
            break
    return np.flatnonzero(~pruned)
