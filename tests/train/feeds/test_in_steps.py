"""A number of steps over several passes: all of them, in order, whatever the parts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from leanformer.train.feeds.batches import TrainingSet
from leanformer.train.feeds.by_length import ByLength
from leanformer.train.feeds.in_steps import InSteps

ROWS = [np.full(3 + i % 5, i, dtype=np.int32) for i in range(23)]
WHOLE = ByLength(TrainingSet(ROWS, np.zeros(23), 0), batch_size=4)  # 6 steps a pass


@pytest.mark.parametrize("parts", [1, 2, 3, 5])
@pytest.mark.parametrize("steps", [5, 6, 17, 26])
def test_the_parts_are_the_passes_one_after_another(steps: int, parts: int) -> None:
    feed = InSteps(WHOLE, steps, parts)
    found = [rows.tolist() for part in range(parts) for rows in feed.steps(part)]
    assert found == [rows.tolist() for lap in range(5) for rows in WHOLE.steps(lap)][:steps]
    assert max(len(feed.steps(part)) for part in range(parts)) == feed.steps_per_epoch
    assert min(len(feed.steps(part)) for part in range(parts)) >= feed.steps_per_epoch - 1


def test_blocks_and_rows_are_those_of_the_feed() -> None:
    feed = InSteps(WHOLE, 3, 1)
    assert feed.data is WHOLE.data
    rows = feed.steps(0)[0]
    [block] = feed.blocks(rows, torch.device("cpu"))
    assert sorted(block.rows) == sorted(rows)
