"""Pfeiffer adapters read the normed sum, and the norm follows them."""

from __future__ import annotations

import torch

from leanformer.train.adapters.pfeiffer import Pfeiffer
from tests.making.adapted import attached, parameters, redrawn
from tests.making.tiny import tiny_classifier


def test_a_norm_by_its_formula() -> None:
    adapter = Pfeiffer(8)
    model = attached(adapter)
    redrawn(adapter, model)
    x, norm = torch.randn(2, 5, 32), tiny_classifier().encoder.layers[1].ffn_norm
    adapted = adapter.norms[1]
    assert model.encoder.layers[1].ffn_norm is adapted
    expected = norm(x + adapted.adapter(norm(x)))
    torch.testing.assert_close(adapted(x), expected)
    assert (adapted(x) - norm(x)).abs().max() > 1e-2
    adapted.off = True
    torch.testing.assert_close(adapted(x), norm(x))


def test_parameters_are_those_of_the_formula() -> None:
    assert parameters(Pfeiffer(8)) == 2 * (2 * 32 * 4 + 4 + 32)
