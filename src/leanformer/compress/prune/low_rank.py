"""Low-rank pruning: a map as a product of two thin ones, with the rank of each map chosen over the whole model.

Paper: FLOP, Wang et al. 2020 (arXiv 1910.04732), which learns gates on the components of a factorised map. Here
components are those of the singular value decomposition, and the most valuable for their size are kept.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from leanformer.compress.stored import VALUE, Stored, dense


def low_rank(weight: Tensor, rank: int) -> Stored:
    """The best approximation of a map `[out, in]` of this rank (Eckart and Young 1936), stored as two factors.

    A rank whose factors would be larger than the map leaves it whole.
    """
    if rank * sum(weight.shape) >= weight.numel():
        return dense(weight)
    left, values, right = torch.linalg.svd(weight, full_matrices=False)
    return factorised(left[:, :rank] * values[:rank], right[:rank])


def factorised(left: Tensor, right: Tensor) -> Stored:
    """The product of factors `[out, rank]` and `[rank, in]` that are stored in fp16."""
    found = left.half().to(left.dtype) @ right.half().to(right.dtype)
    return Stored(found, VALUE * (left.numel() + right.numel()))


def ranks(weights: Mapping[str, Tensor], density: float) -> dict[str, int]:
    """The rank of each map, so that all factors together have the `density` share of the maps' parameters, at most.

    A component is worth its squared singular value, as a share of its map's, per parameter; the best go first. With a
    density of 1 every rank is full. Each map keeps at least one component.
    """
    if density >= 1:
        return {name: min(weight.shape) for name, weight in weights.items()}
    room = density * sum(weight.numel() for weight in weights.values())
    order = []
    for name, weight in weights.items():
        energy = torch.linalg.svdvals(weight).square()
        cost, total = sum(weight.shape), float(energy.sum())
        order += [(float(part) / total / cost, index, name) for index, part in enumerate(energy)]
    found = dict.fromkeys(weights, 1)
    room -= sum(sum(weight.shape) for weight in weights.values())
    for _, index, name in sorted(order, key=lambda entry: (-entry[0], entry[1], entry[2])):
        cost = sum(weights[name].shape)
        if index and cost <= room:
            found[name], room = found[name] + 1, room - cost
    return found
