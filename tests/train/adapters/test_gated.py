"""LoRA, prefix and adapter behind gates: with open gates it is the three of them, with closed ones it is not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from leanformer.train.adapters.bottleneck import Followed
from leanformer.train.adapters.gated import Gate, Gated, GatedLayer
from leanformer.train.adapters.lora import Lora
from leanformer.train.adapters.prefix import Prefix
from leanformer.train.adapters.staying import swap
from tests.making.adapted import IDS, MASK, attached, logits, parameters, redrawn
from tests.making.tiny import tiny_classifier

GATES = ("lora", "prefix", "adapter")


def both(gates: dict[str, float]) -> tuple[Tensor, Tensor]:
    """Logits with gates of these logits, and of the three techniques put in one by one; nought behind a closed gate."""
    ours, low, prefix = Gated(4, 3, 8), Lora(4, 8.0, ("query", "value")), Prefix(3)
    model, twin = attached(ours), tiny_classifier()
    redrawn(ours, model)
    low.attach(twin)
    prefix.attach(twin)
    for layer, other in zip(model.encoder.layers, twin.encoder.layers, strict=True):
        assert isinstance(layer, GatedLayer)
        for technique, each in layer.gates.items():
            each.map.weight.data.zero_()
            each.map.bias.data.fill_(gates[technique])
        attention = other.attention
        ahead = float(gates["prefix"] > -9)
        attention.keys.data, attention.values.data = ahead * layer.prefix.keys.data, ahead * layer.prefix.values.data
        for name in ("query", "value"):
            for part in ("lora_a", "lora_b"):
                getattr(getattr(attention.inner, name), part).data = getattr(getattr(layer, name), part).data.clone()
            getattr(attention.inner, name).lora_b.data *= gates["lora"] > -9
        if gates["adapter"] > -9:
            swap(other.ffn, "down", Followed(other.ffn.down, layer.adapter))
    return logits(model), logits(twin)


def at_limit() -> tuple[Tensor, Tensor]:
    """All gates are open."""
    return both(dict.fromkeys(GATES, 40.0))


def usual() -> tuple[Tensor, Tensor]:
    return both(dict.fromkeys(GATES, 0.0))


@pytest.mark.parametrize("name", GATES)
def test_a_closed_gate_shuts_its_technique_out_and_no_other(name: str) -> None:
    ours, expected = both({each: -40.0 if each == name else 40.0 for each in GATES})
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)


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
