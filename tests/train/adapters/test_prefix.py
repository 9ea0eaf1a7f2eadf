"""Prefixes are keys and values that every token sees."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from leanformer.errors import LeanformerError
from leanformer.models.attention.bias import AttentionBias, Places
from leanformer.shapes.encoder import LayerShape
from leanformer.train.adapters.prefix import Prefix
from tests.making.adapted import attached, base, logits, parameters, redrawn
from tests.making.tiny import tiny_classifier, tiny_config


def at_limit() -> tuple[Tensor, Tensor]:
    """A prefix of length 0 is none."""
    return logits(attached(Prefix(0))), base()


def test_attention_by_its_formula() -> None:
    adapter = Prefix(3)
    model = attached(adapter)
    redrawn(adapter, model)
    attention, inner = model.encoder.layers[0].attention, tiny_classifier().encoder.layers[0].attention
    x, mask = torch.randn(2, 5, 32), torch.arange(5) < torch.tensor([[5], [3]])
    ours, shown = attention(x, Places(AttentionBias(tiny_config()), mask, x.dtype), with_probabilities=True)
    keys = torch.cat((attention.keys.expand(2, -1, -1, -1), inner._split(inner.key(x))), dim=2)
    values = torch.cat((attention.values.expand(2, -1, -1, -1), inner._split(inner.value(x))), dim=2)
    scores = inner._split(inner.query(x)) @ keys.mT / 8**0.5
    scores[:, :, :, 3:] = scores[:, :, :, 3:].masked_fill(~mask[:, None, None, :], -torch.inf)
    probabilities = scores.softmax(dim=-1)
    torch.testing.assert_close(shown, probabilities)
    torch.testing.assert_close(ours, inner.output((probabilities @ values).transpose(1, 2).flatten(2)))


def test_parameters_are_those_of_the_formula() -> None:
    assert parameters(Prefix(5)) == 2 * 2 * 5 * 32


def test_rotary_positions_are_refused() -> None:
    shape = replace(LayerShape(4, 48), rotary_base=10_000.0)
    with pytest.raises(LeanformerError, match="without rotary positions"):
        Prefix().attach(tiny_classifier(tiny_config(layers=(shape,), position_table=False)))
