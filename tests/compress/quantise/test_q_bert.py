"""Traces of a known Hessian, and more bits where it is large."""

from __future__ import annotations

import torch

from leanformer.compress.quantise.nearest import nearest
from leanformer.compress.quantise.q_bert import hessian_traces, q_bert

GENERATOR = torch.Generator().manual_seed(0)


def test_the_trace_of_a_quadratic_is_exact_where_its_matrix_is_diagonal():
    one, two = (torch.randn(3, 4, generator=GENERATOR).requires_grad_() for _ in range(2))
    loss = (torch.arange(12.0).view(3, 4) * one.square()).sum() / 2 + 5 * two.square().sum()
    first, second = hessian_traces(loss, [one, two], draws=2)
    assert abs(first - 66) < 1e-3 and abs(second - 120) < 1e-3


def test_off_the_diagonal_it_is_right_in_the_mean():
    matrix = torch.randn(6, 6, generator=GENERATOR)
    x = torch.randn(6, generator=GENERATOR).requires_grad_()
    (found,) = hessian_traces(x @ matrix @ x, [x], draws=2000)
    assert abs(found - 2 * float(matrix.trace())) < 1


def test_the_sensitive_have_more_bits():
    weights = {name: torch.randn(4, 8, generator=GENERATOR) for name in "abcd"}
    stored = q_bert(weights, {"a": 1.0, "b": 100.0, "c": 0.1, "d": 50.0}, low=2, high=4, group=8)
    for name, bits in (("a", 2), ("b", 4), ("c", 2), ("d", 4)):
        assert torch.equal(stored[name].weight, nearest(weights[name], bits=bits, group=8).weight)
    exact = q_bert(weights, dict.fromkeys("abcd", 1.0), low=32, high=32)
    assert all(torch.equal(exact[name].weight, weights[name]) for name in weights)
