"""Dropout by shared random bits keeps what dropout promises."""

from __future__ import annotations

import math

import pytest
import torch

from leanformer.models.dropout import Dropout, dropout

COUNT = 400_000


@pytest.mark.parametrize("probability", [0.02, 0.1, 0.5, 0.9])
def test_the_rate_and_the_mean(probability: float) -> None:
    torch.manual_seed(11)
    dropped = dropout(torch.ones(COUNT), probability)
    zeros = int((dropped == 0).sum())
    error = 5 * math.sqrt(COUNT * probability * (1 - probability))
    assert abs(zeros - COUNT * probability) < error
    assert torch.equal(dropped[dropped != 0], torch.full((COUNT - zeros,), 1 / (1 - probability)))
    assert abs(float(dropped.mean()) - 1) < error / COUNT / (1 - probability)


@pytest.mark.parametrize("lag", [1, 2, 3, 4])
def test_elements_that_share_a_draw_are_independent(lag: int) -> None:
    torch.manual_seed(11)
    kept = (dropout(torch.ones(COUNT), 0.5) != 0).float()
    both = float((kept[:-lag] * kept[lag:]).mean())
    assert abs(both - 0.25) < 5 * math.sqrt(0.25 * 0.75 / COUNT)


@pytest.mark.parametrize("shape", [(1,), (3,), (5, 7), (2, 3, 5), (4, 1, 3, 3), (0, 4)])
def test_any_shape(shape: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    x = torch.full(shape, 3.0)
    y = dropout(x, 0.25)
    assert y.shape == x.shape
    assert set(y.unique().tolist()) <= {0.0, 4.0}


def test_every_call_draws_anew_and_a_seed_repeats() -> None:
    x = torch.ones(1000)
    torch.manual_seed(2)
    one, other = dropout(x, 0.5), dropout(x, 0.5)
    torch.manual_seed(2)
    assert not torch.equal(one, other)
    assert torch.equal(dropout(x, 0.5), one)


def test_the_gradient_flows_through_what_is_kept() -> None:
    torch.manual_seed(3)
    x = torch.randn(50, 20, requires_grad=True)
    y = dropout(x, 0.4)
    y.sum().backward()
    kept = y != 0
    assert 0 < int(kept.sum()) < x.numel()
    assert torch.equal(x.grad[~kept], torch.zeros(int((~kept).sum())))
    assert torch.allclose(x.grad[kept], torch.tensor(1 / 0.6))


def test_nothing_in_evaluation_and_at_zero() -> None:
    x = torch.randn(100)
    module = Dropout(0.5)
    assert not torch.equal(module.train()(x), x)
    assert torch.equal(module.eval()(x), x)
    assert torch.equal(Dropout(0.0).train()(x), x)


def test_bf16_stays_bf16() -> None:
    y = dropout(torch.ones(64, dtype=torch.bfloat16), 0.5)
    assert y.dtype == torch.bfloat16
    assert set(y.float().unique().tolist()) == {0.0, 2.0}
