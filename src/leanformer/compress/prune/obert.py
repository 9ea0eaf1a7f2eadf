"""Optimal BERT surgeon: second-order pruning by blocks of the empirical Fisher matrix.

Paper: Kurtic et al. 2022 (arXiv 2203.07259). The Fisher matrix of a map is taken as block-diagonal, with blocks of
neighbours in a row; saliency and refit are exact within a block. One shot, where the paper prunes in steps between
training.
"""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.compress.prune.surgery import refitted, saliency
from leanformer.compress.stored import Stored, sparse
from leanformer.models.maps import largest


def obert(weight: Tensor, gradients: Tensor, *, density: float = 0.5, block: int = 32, damping: float = 0.1) -> Stored:
    """A map `[out, in]` with the `density` share of its weights, the others refitted.

    Args:
        gradients: of the loss of some batches, `[batches, out, in]`. block: of neighbours in a row; rows are a multiple
            of it. damping: share of the mean diagonal of all blocks that is added to each.
    """
    rows = weight.reshape(-1, block)
    blocks = gradients.float().reshape(len(gradients), -1, block).transpose(0, 1)
    # One damping for all blocks: where no gradient was seen, magnitude decides.
    extra = damping * float(blocks.square().mean()) * torch.eye(block)
    scores = torch.empty_like(rows)
    fisher = []
    for start in range(0, len(rows), 4096):
        part = blocks[start : start + 4096]
        fisher.append(part.mT @ part / part.shape[1] + extra)
        scores[start : start + 4096] = saliency(rows[start : start + 4096], fisher[-1])
    mask = largest(scores, density)
    found = [
        refitted(rows[start : start + 4096], part, mask[start : start + 4096])
        for start, part in zip(range(0, len(rows), 4096), fisher, strict=True)
    ]
    return sparse(torch.cat(found).view_as(weight), mask.view_as(weight))
