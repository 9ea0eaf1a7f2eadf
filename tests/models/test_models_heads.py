"""Heads: what of the tokens they read."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from leanformer.models.heads import make_head, masked_mean, token_head, vector_head
from leanformer.shapes.head import HeadShape
from tests.making.tiny import roughen, tiny_config

HIDDEN = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(3))
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]])


def test_the_mean_is_of_real_tokens():
    found = masked_mean(HIDDEN, MASK)
    torch.testing.assert_close(found, torch.stack([HIDDEN[0].mean(dim=0), HIDDEN[1, :2].mean(dim=0)]))


@pytest.mark.parametrize("pooling", ["first", "mean", "max"])
def test_padding_changes_no_answer_of_a_text(pooling: str):
    config = tiny_config()
    for shaped in (replace(config, head=HeadShape(pooling=pooling)), vector_head(config, pooling)):
        head = make_head(shaped).eval()
        roughen(head)
        whole, alone = head(HIDDEN, MASK), head(HIDDEN[1:, :2], MASK[1:, :2])
        torch.testing.assert_close(whole[1:], alone)
        first = HIDDEN.clone()
        first[:, 0] += 1
        assert not torch.allclose(head(first, MASK), whole), "the first token is read"
        others = HIDDEN.clone()
        others[:, 1] += 1
        assert torch.equal(head(others, MASK), whole) == (pooling == "first")


def test_every_token_has_its_own_answer():
    head = make_head(token_head(tiny_config())).eval()
    roughen(head)
    found = head(HIDDEN, MASK)
    assert found.shape == (2, 5, 3)
    torch.testing.assert_close(found[1, 1], head(HIDDEN[1:, 1:2], MASK[1:, 1:2])[0, 0])
