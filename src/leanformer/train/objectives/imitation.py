"""A loss on a teacher's answers alone, computed in the step."""

from __future__ import annotations

from torch import Tensor

from leanformer.models.classifier import Classifier
from leanformer.train.feeds.batches import Batch
from leanformer.train.objectives.answers import soft_cross_entropy
from leanformer.train.objectives.objective import Objective
from leanformer.train.online_teacher import OnlineTeacher


class Imitation(Objective):
    """The mean soft cross-entropy to a teacher's logits `[B, labels]`; labels are not looked at."""

    def __init__(self, teacher: OnlineTeacher, temperature: float = 1.0) -> None:
        super().__init__()
        self.teacher, self.temperature = teacher, temperature

    def forward(self, model: Classifier, batch: Batch) -> Tensor:
        wanted = self.teacher.outputs(batch).logits
        return soft_cross_entropy(model(batch.ids, batch.mask, batch.types), wanted, self.temperature).mean()
