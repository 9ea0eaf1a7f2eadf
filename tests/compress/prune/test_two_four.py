"""The pattern holds in every group, and the largest of each stay."""

from __future__ import annotations

import pytest
import torch

from leanformer.compress.prune.two_four import two_four

WEIGHT = torch.randn(6, 16, generator=torch.Generator().manual_seed(0))


def test_every_group_has_its_two_largest():
    stored = two_four(WEIGHT)
    groups, kept = WEIGHT.abs().view(6, 4, 4), (stored.weight != 0).view(6, 4, 4)
    assert (kept.sum(dim=2) == 2).all()
    assert (groups.masked_fill(~kept, 9).amin(dim=2) >= groups.masked_fill(kept, 0).amax(dim=2)).all()
    assert stored.bits == 48 * (16 + 2)


def test_four_of_four_is_dense():
    stored = two_four(WEIGHT, keep=4)
    assert torch.equal(stored.weight, WEIGHT) and stored.bits == 96 * 16


def test_rows_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="a row of 6 weights is no multiple of 4"):
        two_four(torch.ones(2, 6))
