"""Elastic grids and binary weights."""

from __future__ import annotations

import pytest
import torch

from leanformer.compress.quantise.bit import BiT, Elastic
from leanformer.models.maps import maps
from tests.making.batches import check_other, logits, trained

X = torch.linspace(-2, 3, 101)


@pytest.mark.parametrize(("bits", "count"), [(1, 2), (2, 3), (4, 15)])
def test_a_grid_has_as_many_values_as_its_bits_allow(bits: int, count: int):
    values = Elastic(bits)(torch.cat([X, -X])).unique()
    gaps = values.diff()
    assert len(values) == count and (gaps - gaps.mean()).abs().max() < 1e-5


def test_scale_and_shift_learn():
    elastic = Elastic(4)
    elastic(X)
    elastic.scale.data /= 2  # so that some are clipped; the shift matters for those alone
    elastic(X).square().sum().backward()
    assert elastic.scale.grad is not None and elastic.scale.grad.abs() > 0.1
    assert elastic.shift.grad is not None and elastic.shift.grad.abs() > 0.1


def test_a_trained_model_has_binary_weights_and_rounded_inputs():
    hook = BiT(inputs=4)
    model = trained(hook)
    assert all(len(row.unique()) == 2 for part in maps(model).values() for row in part.weight)
    check_other(model, trained())
    rounded = logits(model)
    scales = [float(part.elastic.scale.detach()) for part in maps(model).values()]  # type: ignore[arg-type]
    assert len(set(scales)) == 12, "each map has its own"
    hook.detach()
    assert not torch.equal(rounded, logits(model))
