"""A bottleneck by its formula; nought at the start."""

from __future__ import annotations

import torch
from torch import nn

from leanformer.train.adapters.bottleneck import Bottleneck, Followed
from tests.making.tiny import roughen


def test_it_is_nought_at_first_and_then_its_formula() -> None:
    x, adapter = torch.randn(4, 6), Bottleneck(6, 2)
    assert not adapter(x).any() and adapter.down.weight.any()
    roughen(adapter)
    down = (x @ adapter.down.weight.T + adapter.down.bias).clamp(min=0)
    torch.testing.assert_close(adapter(x), down @ adapter.up.weight.T + adapter.up.bias)


def test_one_that_follows_reads_the_output() -> None:
    x, inner, adapter = torch.randn(4, 3), nn.Linear(3, 6), Bottleneck(6, 2)
    roughen(adapter)
    torch.testing.assert_close(Followed(inner, adapter)(x), inner(x) + adapter(inner(x)))
