"""BigBird is dense attention with its pattern of blocks; which blocks are random does not depend on padding."""

from __future__ import annotations

import pytest
import torch

from leanformer.models.attention.bigbird import bigbird, seen_blocks
from tests.models.attention.mixing import dense, heads, same


@pytest.mark.parametrize("random_blocks", [0, 1, 2])
def test_it_is_a_pattern_of_blocks(random_blocks: int):
    q, k, v, mask = heads(length=17)
    block, count = 3, 6
    real = torch.nn.functional.pad(mask, (0, 1)).unflatten(1, (count, block)).any(dim=2)
    table, used = seen_blocks(real, random_blocks, 0)
    blocks = torch.zeros(2, count, count, dtype=torch.int64).scatter_add_(2, table, used.long())
    assert blocks.max() == 1, "a block is counted once"
    near = (torch.arange(count)[:, None] - torch.arange(count)).abs() <= 1
    assert (blocks[:, near] == 1).all() and (blocks[:, :, 0] == 1).all()
    assert (blocks[0].sum(dim=1) - (near.sum(dim=1) + (torch.arange(count) > 1))).tolist()[2] == random_blocks
    allowed = blocks.bool().repeat_interleave(block, 1).repeat_interleave(block, 2)[:, :17, :17]
    allowed[:, :block] = True
    same(bigbird(q, k, v, mask, block=block, random_blocks=random_blocks, seed=0),
         dense(q, k, v, mask, allowed[:, None]), mask)  # fmt: skip


def test_the_random_blocks_are_other_ones_with_another_seed():
    real = torch.ones(1, 12, dtype=torch.bool)
    tables = [seen_blocks(real, 2, seed)[0] for seed in (0, 0, 1)]
    assert torch.equal(tables[0], tables[1]) and not torch.equal(tables[0], tables[2])
