"""Grids, groups and their sizes."""

from __future__ import annotations

import pytest
import torch

from leanformer.compress.quantise.nearest import nearest, rounded_inputs

WEIGHT = torch.randn(4, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("bits", "levels"), [(1, 2), (1.6, 3), (2, 3), (3, 7), (4, 15), (8, 255)])
def test_no_row_has_more_values_than_its_bits_allow(bits: float, levels: int):
    row = torch.linspace(-1, 1, 512)[None]
    assert len(nearest(row, bits=bits).weight.unique()) == levels


@pytest.mark.parametrize("symmetric", [True, False])
def test_each_value_is_the_nearest(symmetric: bool):
    found = nearest(WEIGHT, bits=4, group=8, symmetric=symmetric).weight.view(4, 2, 8)
    groups = WEIGHT.view(4, 2, 8)
    spread = (
        2 * groups.abs().amax(2) / 14 if symmetric else (groups.amax(2).clamp(0) - groups.amin(2).clamp(max=0)) / 15
    )
    assert ((found - groups).abs().amax(dim=2) <= spread * 0.52).all()


def test_asymmetric_grids_follow_the_range():
    positive = WEIGHT.abs() + 3
    errors = [float((nearest(positive, bits=4, symmetric=each).weight - positive).norm()) for each in (True, False)]
    assert errors[1] < 0.7 * errors[0]


def test_one_weight_a_group_in_8_bits_is_exact():
    torch.testing.assert_close(nearest(WEIGHT, bits=8, group=1).weight, WEIGHT, rtol=5e-4, atol=0)


def test_sizes_are_exact():
    assert nearest(WEIGHT, bits=4, group=8).bits == 64 * 4 + 8 * 16
    assert nearest(WEIGHT, bits=4, group=8, symmetric=False).bits == 64 * 4 + 8 * 20
    assert nearest(WEIGHT, bits=1.6).bits == 103 + 4 * 16
    assert torch.equal(nearest(WEIGHT, bits=32).weight, WEIGHT) and nearest(WEIGHT, bits=32).bits == 64 * 16


def test_a_group_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="no multiple of groups of 5"):
        nearest(WEIGHT, group=5)


def test_inputs_have_a_scale_for_each_token_or_one_for_all():
    x = torch.tensor([[1.0, 0.3], [100.0, -30.0]])
    own = rounded_inputs(x, bits=8)
    torch.testing.assert_close(own, x, rtol=0.02, atol=0)
    shared = rounded_inputs(x, bits=8, peak=torch.tensor(50.0))
    assert shared[1, 0] == 50 and shared[0, 1] == 50 / 127 and torch.equal(rounded_inputs(x, bits=32), x)
