"""Relation distillation: a student's tokens are to be related to each other as the teacher's are.

MiniLMv2 (Wang, Bao, Huang, Dong and Wei 2021, arXiv 2012.15828). Queries, keys and values are each split into the same
number of relation heads, so the student may have any width and any number of attention heads.
"""

from __future__ import annotations

from math import gcd

import torch
import torch.nn.functional as F
from torch import Tensor

from leanformer.models.classifier import Classifier
from leanformer.shapes.encoder import EncoderConfig
from leanformer.train.feeds.batches import Batch
from leanformer.train.objectives.distillation import mean_over_rows
from leanformer.train.objectives.objective import Objective
from leanformer.train.online_teacher import OnlineTeacher, projections_at

# Width of a relation head of the teacher: 48 heads for a width of 768 and 64 for 1024, as in the paper.
_HEAD = 16


def relation_distance(student: Tensor, teacher: Tensor, mask: Tensor, heads: int) -> Tensor:
    """KL(teacher || student) of the relations of one kind, a scalar: mean over heads, real tokens and rows.

    Args:
        student, teacher: queries, keys or values, `[B, S, W]`; their widths may differ, and `heads` divides both.
        mask: `[B, S]`, true (or 1) for real tokens; padding is neither related to nor related.
    """
    ours, theirs = (_log_relations(vectors, mask, heads) for vectors in (student, teacher))
    return mean_over_rows(F.kl_div(ours, theirs, reduction="none", log_target=True).sum(dim=-1).mean(dim=1), mask)


def _log_relations(vectors: Tensor, mask: Tensor, heads: int) -> Tensor:
    """Logarithms of softmax(X X' / sqrt(d)) over the real tokens, for each head X `[S, d]`: `[B, heads, S, S]`."""
    with torch.autocast(vectors.device.type, enabled=False):
        split = vectors.float().unflatten(-1, (heads, -1)).transpose(1, 2)
        scores = split @ split.transpose(-1, -2) / split.shape[-1] ** 0.5
        # A finite number, so that the difference of two is no NaN.
        return torch.log_softmax(scores.masked_fill(~mask.bool()[:, None, None], torch.finfo(scores.dtype).min), dim=-1)


class Relations(Objective):
    """The sum of the relation distances of queries, keys and values of the student's last layer and one of a teacher.

    Nothing above these maps is trained: the last layer's feed-forward block and the head stay as they are.

    Args:
        layer: of the teacher, from 0. heads: number of relation heads.
    """

    def __init__(self, teacher: OnlineTeacher, *, layer: int, heads: int) -> None:
        super().__init__()
        self._teacher, self.layer, self.heads = teacher, layer, heads

    def forward(self, model: Classifier, batch: Batch) -> Tensor:
        ours = projections_at(model, batch, len(model.config.layers) - 1)
        theirs = self._teacher.projections(batch, self.layer)
        query, key, value = (
            relation_distance(student, teacher, batch.mask, self.heads)
            for student, teacher in zip(ours, theirs, strict=True)
        )
        return query + key + value


def usual_layer(teacher: EncoderConfig) -> int:
    """The layer of the teacher (from 0) that is followed: the last, and the 21st of 24 as in the paper for BERT-large.

    Of a teacher with more than 12 layers it is the one at 7/8 of the depth.
    """
    depth = len(teacher.layers)
    return (depth if depth <= 12 else depth * 7 // 8) - 1


def usual_heads(student: int, teacher: int) -> int:
    """The number of relation heads for two widths of queries: the most that divide both and have 16 of the teacher's
    entries or more.
    """
    common, most = gcd(student, teacher), max(1, teacher // _HEAD)
    return max(heads for heads in range(1, most + 1) if common % heads == 0)
