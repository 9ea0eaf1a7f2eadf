"""Gated state spaces: gelu before them, and a gate from the layer's input after them."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from leanformer.models.attention.bias import AttentionBias, Places
from leanformer.models.attention.gss import gss
from leanformer.models.attention.kinds import attention
from leanformer.shapes.encoder import LayerShape
from leanformer.shapes.mixers import Gss
from tests.making.tiny import tiny_config
from tests.models.attention.test_dss import arguments, recurrence


def test_it_is_the_recurrence_on_gelu():
    value = torch.randn(1, 2, 9, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = gss(value, torch.ones(1, 9, dtype=torch.bool), **arguments())
    torch.testing.assert_close(found[0], recurrence(F.gelu(value[0]), **arguments()))


def test_a_gate_of_zero_lets_nothing_through():
    layer = LayerShape(4, 48, attention=Gss(state=4))
    config = tiny_config(layers=(layer,))
    module, x = attention(config, layer), torch.randn(1, 5, 32)
    places = Places(AttentionBias(config), torch.ones(1, 5, dtype=torch.bool), x.dtype)
    with torch.no_grad():
        assert module(x, places)[0].sub(module.output.bias).abs().max() > 1e-3
        module.query.weight.zero_()
        module.query.bias.zero_()
        torch.testing.assert_close(module(x, places)[0], module.output.bias.expand(1, 5, -1))
