"""The same steps in smaller blocks."""

from __future__ import annotations

import numpy as np
import torch

from leanformer.train.feeds.batches import TrainingSet
from leanformer.train.feeds.budgeted import Budgeted
from leanformer.train.feeds.by_length import ByLength


def test_the_steps_are_the_same_and_their_blocks_smaller() -> None:
    data = TrainingSet([np.full(2 + number, 7, np.int32) for number in range(20)], np.arange(20), 0)
    whole = ByLength(data, batch_size=8, token_budget=1000)
    feed = Budgeted(whole, 40)
    assert feed.data is data and feed.steps_per_epoch == whole.steps_per_epoch == 3
    rows = feed.steps(1)[0]
    assert all(np.array_equal(step, own) for step, own in zip(feed.steps(1), whole.steps(1), strict=True))
    cpu = torch.device("cpu")
    blocks = list(feed.blocks(rows, cpu))
    assert len(blocks) > 1 == len(list(whole.blocks(rows, cpu)))
    assert all(block.ids.numel() <= 40 for block in blocks)
    assert sorted(np.concatenate([block.rows for block in blocks])) == sorted(rows)
    assert sum(block.share for block in blocks) == 1
    feed.token_budget = 1000
    assert len(list(feed.blocks(rows, cpu))) == 1
