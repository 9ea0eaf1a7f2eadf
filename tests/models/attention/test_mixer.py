"""What reference kinds of attention share: chunks, rows picked, and weights from unit values."""

from __future__ import annotations

import pytest
import torch

from leanformer.models.attention.bias import AttentionBias, Places
from leanformer.models.attention.kinds import attention
from leanformer.models.attention.mixer import in_chunks, masked_softmax, over_rounds, shifted, taken
from leanformer.shapes.encoder import LayerShape
from leanformer.shapes.mixers import Mega
from leanformer.shapes.patterns import Longformer
from tests.making.tiny import tiny_config


def test_chunks_are_padded_and_shifted():
    x = torch.arange(1.0, 6).reshape(1, 5, 1)
    chunks = in_chunks(x, 2)
    assert chunks[0, :, :, 0].tolist() == [[1, 2], [3, 4], [5, 0]]
    assert shifted(chunks, -3, 1)[0, :, :, 0].tolist() == [[0, 0], [1, 2], [3, 4]]
    assert shifted(chunks, -3, -1)[0, :, :, 0].tolist() == [[3, 4], [5, 0], [0, 0]]
    assert shifted(chunks, -3, 4).eq(0).all() and shifted(chunks, -3, -3).shape == chunks.shape
    assert in_chunks(torch.ones(1, 3, dtype=torch.bool), 2, -1)[0].tolist() == [[True, True], [True, False]]


def test_a_row_without_a_key_is_zero():
    allowed = torch.tensor([[True, False], [False, False]])
    assert masked_softmax(torch.randn(2, 2), allowed).tolist() == [[1, 0], [0, 0]]


def test_rows_are_taken_and_rounds_weighted():
    x = torch.tensor([[1.0, 2], [3, 4], [5, 6]])
    assert taken(x, torch.tensor([[2, 0], [1, 1]])).tolist() == [[[5, 6], [1, 2]], [[3, 4], [3, 4]]]
    contexts, logs = torch.tensor([[[1.0]], [[5.0]]]), torch.tensor([[0.0], [3.0]]).log()
    assert over_rounds(contexts, logs.reshape(2, 1)).item() == pytest.approx(5)
    assert over_rounds(contexts, torch.zeros(2, 1)).item() == pytest.approx(3)


def test_weights_come_from_unit_values():
    layer = LayerShape(4, 48, attention=Longformer(window=2, global_tokens=0))
    config = tiny_config(layers=(layer,))
    module, x = attention(config, layer).eval(), torch.randn(1, 6, 32)
    places = Places(AttentionBias(config), torch.ones(1, 6, dtype=torch.bool), x.dtype)
    output, weights = module(x, places, with_probabilities=True)
    torch.testing.assert_close(weights.sum(dim=-1), torch.ones(1, 4, 6))
    assert weights[0, 0, 0, 3:].eq(0).all() and weights[0, 0, 3, 1:].gt(0).all()
    context = weights @ module._split(module.value(x))
    torch.testing.assert_close(module.output(context.transpose(1, 2).flatten(2)), output)


def test_a_kind_without_weights_says_so():
    layer = LayerShape(4, 48, attention=Mega())
    config = tiny_config(layers=(layer,))
    places = Places(AttentionBias(config), torch.ones(1, 6, dtype=torch.bool), torch.float32)
    with pytest.raises(ValueError, match="mega has no weights"):
        attention(config, layer)(torch.randn(1, 6, 32), places, with_probabilities=True)
