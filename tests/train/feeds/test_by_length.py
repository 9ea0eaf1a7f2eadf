"""Steps of rows of similar length: every row once, another order in every epoch, the same for the same seed."""

from __future__ import annotations

import numpy as np
import torch

from leanformer.train.feeds.batches import TrainingSet
from leanformer.train.feeds.by_length import ByLength

LENGTHS = np.random.default_rng(0).integers(1, 60, 1000)
DATA = TrainingSet(
    [np.ones(length, dtype=np.int64) for length in LENGTHS], np.zeros(len(LENGTHS), dtype=np.int64), padding_id=0
)


def feed(seed: int = 13) -> ByLength:
    return ByLength(DATA, batch_size=16, token_budget=256, seed=seed)


def test_every_row_is_read_once_in_steps_of_the_batch_size():
    steps = feed().steps(2)
    assert sorted(np.concatenate(steps)) == list(range(1000))
    assert len(steps) == feed().steps_per_epoch == 63
    assert sorted(map(len, steps)) == [8] + [16] * 62


def test_rows_of_a_step_are_of_similar_length():
    spread = np.mean([np.ptp(LENGTHS[rows]) for rows in feed().steps(0)])
    assert spread < 0.1 * np.ptp(LENGTHS), "with 50 steps to a pool a step spans about a fiftieth of all lengths"


def test_steps_depend_on_seed_and_epoch_alone():
    def order(seed: int, epoch: int) -> list[int]:
        return list(np.concatenate(feed(seed).steps(epoch)))

    assert order(13, 0) == order(13, 0)
    assert order(13, 0) != order(13, 1) and order(13, 0) != order(14, 0)
    firsts = [LENGTHS[rows].mean() for rows in feed().steps(0)[:50]]
    assert firsts != sorted(firsts), "steps are shuffled, so that short texts do not come first"


def test_a_step_is_divided_into_blocks_within_the_budget_of_tokens():
    rows = feed().steps(0)[0]
    blocks = list(feed().blocks(rows, torch.device("cpu")))
    assert sum(len(block.ids) for block in blocks) == len(rows)
    assert all(block.ids.numel() <= 256 for block in blocks)
