"""Rows of a table in 4 bits."""

from __future__ import annotations

import torch

from leanformer.compress.quantise.word_table import word_table

TABLE = torch.randn(10, 64, generator=torch.Generator().manual_seed(0)) + 1


def test_groups_have_a_scale_and_a_zero_point():
    stored = word_table(TABLE)
    assert stored.bits == 640 * 4 + 20 * 20
    torch.testing.assert_close(
        torch.nn.functional.cosine_similarity(stored.weight, TABLE), torch.ones(10), rtol=0, atol=0.01
    )
    assert (stored.weight - TABLE).abs().max() > 0.01 and torch.equal(word_table(TABLE, bits=32).weight, TABLE)
