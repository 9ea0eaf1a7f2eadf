"""The dev figure of a model: its own thresholds, in eval mode; and the nearness to a teacher."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from leanformer.data.examples import Examples
from leanformer.task import Task
from leanformer.tokenizer import Tokenizer
from leanformer.train.feeds.batches import Batch, TrainingSet
from leanformer.train.judging import Judge, nearness
from leanformer.train.objectives.objective import Objective
from tests.making.tiny import tiny_classifier, tiny_config, tiny_tokenizer

CPU = torch.device("cpu")
MUSIC, OTHER = "song band guitar", "goal match team"


class Unsure(nn.Module):
    """Says 0.3 where a text has a word of music, and 0.1 elsewhere; refuses to be asked in training mode."""

    def __init__(self, music: set[int]) -> None:
        super().__init__()
        self.config, self.music = tiny_config(), music

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        assert not self.training
        has = torch.tensor([[bool(self.music & set(row.tolist()))] for row in ids])
        return torch.logit(torch.where(has, 0.3, 0.1))


def test_thresholds_are_those_of_the_model_as_it_stands(tmp_path: Path) -> None:
    task = Task("multilabel", ("music",))
    dev = Examples(task, tuple([MUSIC, OTHER] * 6), tuple([(0,), ()] * 6))
    tokenizer = Tokenizer(tiny_tokenizer(tmp_path), 32)
    music = set(tokenizer.encode([MUSIC])[0].tolist()) - set(tokenizer.encode([OTHER])[0].tolist())
    model = Unsure(music).train()
    judge = Judge(model, dev, tokenizer, CPU)  # type: ignore[arg-type]
    assert judge.figure() == 1.0, "at 0.5 it would be nought"
    assert judge.task().thresholds == pytest.approx((0.2,))


class FirstToken(Objective):
    """The mean of the rows' second tokens, as a loss."""

    def forward(self, model: nn.Module, batch: Batch) -> Tensor:
        return batch.ids[:, 1].float().mean()


def test_nearness_is_minus_the_mean_loss_over_rows_however_they_are_batched() -> None:
    rows = [np.array([2, value, *[3] * extra], dtype=np.int32) for extra, value in enumerate((10, 20, 60))]
    data = TrainingSet(rows, np.zeros(3, dtype=np.int64), 0)
    for budget in (1, 8, 1000):
        assert nearness(tiny_classifier(), FirstToken(), data, token_budget=budget, device=CPU) == pytest.approx(-30)
