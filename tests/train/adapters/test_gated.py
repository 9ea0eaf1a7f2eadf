"""LoRA, prefix and adapter behind gates: with open gates it is the three of them, with closed ones it is not."""

from __future__ import annotations

import torch
from torch import Tensor

from leanformer.train.adapters.bottleneck import Followed
from leanformer.train.adapters.gated import Gate, Gated, GatedLayer
from leanformer.train.adapters.lora import Lora
from leanformer.train.adapters.prefix import Prefix
from leanformer.train.adapters.staying import swap
from tests.making.adapted import IDS, MASK, attached, logits, parameters, redrawn
from tests.making.tiny import tiny_classifier


def both(gate: float) -> tuple[Tensor, Tensor]:
    """Logits with gates of this logit, and of the three techniques put in one by one."""
    ours, low, prefix = Gated(4, 3, 8), Lora(4, 8.0, ("query", "value")), Prefix(3)
    model, twin = attached(ours), tiny_classifier()
    redrawn(ours, model)
    low.attach(twin)
    prefix.attach(twin)
    for layer, other in zip(model.encoder.layers, twin.encoder.layers, strict=True):
        assert isinstance(layer, GatedLayer)
        for each in layer.gates.values():
            each.map.weight.data.zero_()
            each.map.bias.data.fill_(gate)
        attention = other.attention
        attention.keys.data, attention.values.data = layer.prefix.keys.data, layer.prefix.values.data
        for name in ("query", "value"):
            for part in ("lora_a", "lora_b"):
                getattr(getattr(attention.inner, name), part).data = getattr(getattr(layer, name), part).data
        swap(other.ffn, "down", Followed(other.ffn.down, layer.adapter))
    return logits(model), logits(twin)


def at_limit() -> tuple[Tensor, Tensor]:
    """All gates are open."""
    return both(40.0)


def usual() -> tuple[Tensor, Tensor]:
    return both(0.0)


def test_a_gate_is_the_mean_over_the_tokens_of_a_text() -> None:
    gate, x = Gate(4), torch.randn(3, 8, 4)
    assert (gate(x, MASK) == 0.5).all()
    gate.map.weight.data.normal_()
    expected = (x[1, :5] @ gate.map.weight[0] + gate.map.bias).sigmoid().mean()
    torch.testing.assert_close(gate(x, MASK)[1, 0, 0], expected)


def test_padding_does_not_matter() -> None:
    adapter = Gated(4, 3, 8)
    model = attached(adapter)
    redrawn(adapter, model)
    torch.testing.assert_close(model(IDS[1:2, :5], MASK[1:2, :5]), logits(model)[1:2], atol=1e-5, rtol=0)


def test_parameters_are_those_of_the_formula() -> None:
    one = 2 * 4 * 64 + 2 * 3 * 32 + (2 * 32 * 4 + 4 + 32) + 3 * 33
    assert parameters(Gated(4, 3, 8)) == 2 * one
