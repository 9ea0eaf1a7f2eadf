"""LoRA and DoRA by their formulas, and the gradient of DoRA, for which the norm is a constant."""

from __future__ import annotations

import torch
from torch import nn

from leanformer.train.adapters.lora import DoraLinear, Lora, LoraLinear
from tests.making.tiny import roughen


def test_the_update_is_alpha_by_rank_times_b_a() -> None:
    linear, x = nn.Linear(6, 4), torch.randn(3, 6)
    wrapped = Lora(2, 8.0, ("query",)).wrap("query", linear)
    assert type(wrapped) is LoraLinear and wrapped.lora_a.shape == (2, 6) and not wrapped.lora_b.any()
    assert wrapped.lora_a.abs().max() <= 6**-0.5  # drawn as torch draws the weights of a map with 6 inputs
    roughen(wrapped)
    expected = x @ (linear.weight + 4.0 * wrapped.lora_b @ wrapped.lora_a).T + linear.bias
    assert torch.allclose(wrapped(x), expected, atol=1e-6)


def test_dora_gives_each_row_its_length() -> None:
    linear, x = nn.Linear(6, 4), torch.randn(3, 6)
    wrapped = Lora(2, 8.0, ("query",), directions=True).wrap("query", linear)
    assert isinstance(wrapped, DoraLinear)
    assert torch.allclose(wrapped(x), linear(x), atol=1e-6)
    roughen(wrapped)
    weight, bias = wrapped.merged()
    assert torch.allclose(weight.norm(dim=1), wrapped.magnitude.abs(), atol=1e-6) and bias is linear.bias
    turned = linear.weight + 4.0 * wrapped.lora_b @ wrapped.lora_a
    assert torch.allclose(nn.functional.cosine_similarity(weight, turned).abs(), torch.ones(4), atol=1e-6)
    assert torch.allclose(wrapped(x), x @ weight.T + bias, atol=1e-5)


def test_a_row_of_noughts_stays() -> None:
    linear = nn.Linear(3, 2, bias=False)
    nn.init.zeros_(linear.weight)
    assert not DoraLinear(linear, 1, 1.0)(torch.ones(1, 3)).any()


def test_the_norm_is_a_constant_for_the_gradient() -> None:
    linear, x = nn.Linear(5, 3), torch.randn(2, 5)
    wrapped = DoraLinear(linear, 2, 2.0)
    roughen(wrapped)
    wrapped(x).sum().backward()
    factors = wrapped.magnitude.detach() / (linear.weight + 2 * wrapped.lora_b @ wrapped.lora_a).norm(dim=1).detach()
    low = x @ wrapped.lora_a.detach().T
    assert torch.allclose(wrapped.lora_b.grad, 2.0 * factors[:, None] * low.sum(dim=0), atol=1e-5)
