"""Projected attention layers by their formula; maps to and from the narrow width are shared."""

from __future__ import annotations

import torch

from leanformer.models.attention.bias import AttentionBias, Places
from leanformer.train.adapters.projected_attention import ProjectedAttention, ProjectedLayer
from tests.making.adapted import attached, parameters, redrawn
from tests.making.tiny import tiny_classifier, tiny_config


def test_a_layer_by_its_formula() -> None:
    adapter = ProjectedAttention(8, heads=2)
    model = attached(adapter)
    redrawn(adapter, model)
    layer, plain = model.encoder.layers[1], tiny_classifier().encoder.layers[1]
    assert isinstance(layer, ProjectedLayer) and layer.into is model.encoder.layers[0].into
    x, mask = torch.randn(2, 5, 32), torch.arange(5) < torch.tensor([[5], [3]])
    places = Places(AttentionBias(tiny_config()), mask, x.dtype)
    narrow = x @ layer.into.weight.T
    query, key, value = (
        (narrow @ each.weight.T + each.bias).unflatten(-1, (2, 4)).transpose(1, 2)
        for each in (layer.narrow.query, layer.narrow.key, layer.narrow.value)
    )
    scores = (query @ key.mT / 2).masked_fill(~mask[:, None, None, :], -torch.inf)
    beside = (scores.softmax(dim=-1) @ value).transpose(1, 2).flatten(2) @ layer.out.weight.T
    middle = plain.attention_norm(x + plain.attention(x, places)[0])
    expected = plain.ffn_norm(middle + plain.ffn(middle) + beside)
    torch.testing.assert_close(layer(x, places)[0], expected)
    assert beside.abs().max() > 1e-3


def test_parameters_are_those_of_the_formula() -> None:
    assert parameters(ProjectedAttention(8, heads=2)) == 2 * 8 * 32 + 2 * 3 * (8 * 8 + 8)
