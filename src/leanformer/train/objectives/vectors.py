"""Distillation of an embedder: the student's vectors are to be the teacher's, and as near to each other.

The vector of a text is followed by itself, so that student queries find documents of the teacher's index (LEAF, Vujanic
and Rueckstiess 2025, arXiv 2509.12539), and by its cosines with the other texts of a block (similarity-preserving
distillation, Tung and Mori 2019, arXiv 1907.09682).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from leanformer.models.classifier import Classifier
from leanformer.train.feeds.batches import Batch
from leanformer.train.objectives.objective import Objective
from leanformer.train.online_teacher import OnlineTeacher


def vector_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """1 minus the cosine of each row of `[B, W]` with the teacher's, mean over rows: half the squared distance of
    vectors of length 1."""
    return (1 - F.cosine_similarity(student, teacher, dim=-1)).mean()


def relation_distance(student: Tensor, teacher: Tensor) -> Tensor:
    """The mean squared difference of the cosines of all pairs of different rows; widths may differ; 0 for one row."""
    ours, theirs = (F.normalize(vectors, dim=-1) for vectors in (student, teacher))
    rows = len(ours)
    squared = (ours @ ours.T - theirs @ theirs.T).square()
    return (squared.sum() - squared.diagonal().sum()) / max(1, rows * (rows - 1))


class Vectors(Objective):
    """The distance to the teacher's vectors, and `in_batch` times that of the relations within a block."""

    def __init__(self, teacher: OnlineTeacher, in_batch: float) -> None:
        super().__init__()
        self._teacher, self.in_batch = teacher, in_batch

    def forward(self, model: Classifier, batch: Batch) -> Tensor:
        ours = model(batch.ids, batch.mask, batch.types)
        theirs = self._teacher.outputs(batch).logits
        with torch.autocast(ours.device.type, enabled=False):
            ours, theirs = ours.float(), theirs.float()
            return vector_distance(ours, theirs) + self.in_batch * relation_distance(ours, theirs)
