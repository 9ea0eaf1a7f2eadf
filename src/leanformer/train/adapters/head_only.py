"""Feature extraction: the encoder is frozen, and the head alone is trained (Peters, Ruder and Smith 2019, 1903.05987).

`finetune.frozen` is the same idea with a logistic regression in place of gradient steps.
"""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from leanformer.models.classifier import Classifier
from leanformer.train.adapters.staying import Staying


class HeadOnly(Staying):
    """Adds nothing, so that there is nothing to merge."""

    merges: ClassVar[bool] = True

    def put(self, model: Classifier) -> list[nn.Parameter]:
        return []
