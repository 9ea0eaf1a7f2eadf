"""Compacter by Kronecker products; with one part of full rank it is Houlsby's adapter."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from leanformer.errors import LeanformerError
from leanformer.train.adapters.compacter import Compacter, KroneckerBottleneck, kronecker_sum
from leanformer.train.adapters.houlsby import Houlsby
from tests.making.adapted import attached, logits, parameters, redrawn


def twins(n: int) -> tuple[Tensor, Tensor]:
    """Logits with Kronecker adapters, and with Houlsby's of matrices S T of their first part."""
    ours, theirs = Compacter(8, n=n, rank=4), Houlsby(8)
    model, other = attached(ours), attached(theirs)
    redrawn(ours, model)
    if n == 1:
        ours.shared.data.fill_(1.0)  # type: ignore[union-attr]
    for layer, twin in zip(model.encoder.layers, other.encoder.layers, strict=True):
        for name in ("attention_norm", "ffn_norm"):
            getattr(twin, name).load_state_dict(getattr(layer, name).state_dict())
        pairs = ((layer.attention.output, twin.attention.output), (layer.ffn.down, twin.ffn.down))
        for linear, dense_linear in pairs:
            for name in ("down", "up"):
                made, dense = getattr(linear.adapter, name), getattr(dense_linear.adapter, name)
                dense.bias.data = made.bias.data
                product = made.s[0] @ made.t[0]
                dense.weight.data[: product.shape[1], : product.shape[0]] = product.T.detach()
    return logits(model), logits(other)


def at_limit() -> tuple[Tensor, Tensor]:
    """One part, with a factor of 1 and of full rank."""
    return twins(1)


def usual() -> tuple[Tensor, Tensor]:
    return twins(4)


def test_the_matrix_is_a_sum_of_kronecker_products() -> None:
    a, s, t = torch.randn(2, 2, 2), torch.randn(2, 3, 1), torch.randn(2, 1, 5)
    expected = sum(torch.kron(a[i], s[i] @ t[i]) for i in range(2))
    torch.testing.assert_close(kronecker_sum(a, s, t), expected)


def test_parameters_are_those_of_the_formula() -> None:
    n, width = 4, 4
    assert parameters(Compacter(8, n=n)) == n**3 + 2 * (2 * (2 * (32 + width) + width + 32) + 2 * 2 * 32)
    assert parameters(Compacter(8, n=n)) < parameters(Houlsby(8))


def test_maps_that_cannot_be_divided_are_refused() -> None:
    with pytest.raises(LeanformerError, match="a map of 32 to 5 has no 5 parts"):
        KroneckerBottleneck(torch.nn.Parameter(torch.ones(5, 5, 5)), 32, 5, 1)
