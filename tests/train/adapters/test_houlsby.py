"""Houlsby adapters stand after both blocks, before the residual sums, and train the norms."""

from __future__ import annotations

import torch

from leanformer.train.adapters.houlsby import Houlsby
from tests.making.adapted import attached, parameters, redrawn
from tests.making.tiny import tiny_classifier


def test_a_layer_by_its_formula() -> None:
    adapter = Houlsby(8)
    model = attached(adapter)
    redrawn(adapter, model)
    layer, plain = model.encoder.layers[0], tiny_classifier().encoder.layers[0]
    plain.attention_norm.load_state_dict(layer.attention_norm.state_dict())
    plain.ffn_norm.load_state_dict(layer.ffn_norm.state_dict())
    x = torch.randn(2, 5, 32)

    class NoPlaces:
        def bias(self, shape: object) -> None:
            return None

    attended = plain.attention(x, NoPlaces())[0]
    middle = plain.attention_norm(x + attended + layer.attention.output.adapter(attended))
    fed = plain.ffn(middle)
    expected = plain.ffn_norm(middle + fed + layer.ffn.down.adapter(fed))
    torch.testing.assert_close(layer(x, NoPlaces())[0], expected)


def test_parameters_are_those_of_the_formula() -> None:
    width = 32 // 8
    assert parameters(Houlsby(8)) == 2 * (2 * (2 * 32 * width + width + 32) + 2 * 2 * 32)
