"""What the encoder promises beside parity: configuration, dropout in training only, padding without effect."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from leanformer.errors import CheckpointError
from leanformer.models.attention.bias import Places
from leanformer.models.classifier import Classifier, parameter_counts
from leanformer.shapes.encoder import EncoderConfig, LayerShape
from tests.making.tiny import VOCABULARY, tiny_classifier, tiny_config

IDS = torch.tensor([[2, 70, 71, 72, 3], [2, 75, 3, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
MIXED = tiny_config(layers=(LayerShape(4, 48), LayerShape(2, 16), LayerShape(5, 7)))


def test_the_configuration_survives_json() -> None:
    assert EncoderConfig.from_json(json.loads(json.dumps(MIXED.to_json()))) == MIXED


@pytest.mark.parametrize("change", [{"layer": 1}, {"layers": [{"heads": 2}]}, {"layers": 3}, {"activation": "silu"}])
def test_a_broken_configuration(change: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError):
        EncoderConfig.from_json(MIXED.to_json() | change)
    with pytest.raises(CheckpointError, match="vocabulary"):
        EncoderConfig.from_json({key: value for key, value in MIXED.to_json().items() if key != "vocabulary"})


@pytest.mark.parametrize("layers", [(), (LayerShape(0, 4),), (LayerShape(2, 0),)])
def test_an_empty_shape(layers: tuple[LayerShape, ...]) -> None:
    with pytest.raises(CheckpointError, match="at least one"):
        tiny_config(layers=layers)


@pytest.mark.parametrize(
    ("layers", "uniform"),
    [
        ((LayerShape(4, 48),) * 3, True),
        ((LayerShape(4, 48), LayerShape(4, 47)), False),
        ((LayerShape(3, 48),), False),
    ],
)
def test_which_shapes_are_uniform(layers: tuple[LayerShape, ...], uniform: bool) -> None:
    assert tiny_config(layers=layers).is_uniform is uniform


def test_padding_does_not_reach_real_tokens() -> None:
    model = tiny_classifier(MIXED)
    with torch.no_grad():
        short = model.outputs(IDS[1:, :3], MASK[1:, :3])
        padded = model.outputs(IDS[1:], MASK[1:])
        junk = model.outputs(torch.where(MASK[1:] == 0, 90, IDS[1:]), MASK[1:])
    assert torch.allclose(short.logits, padded.logits, atol=1e-5)
    assert torch.allclose(short.encoded.last, padded.encoded.last[:, :3], atol=1e-5)
    assert torch.allclose(junk.logits, padded.logits, atol=1e-5)
    assert not torch.allclose(junk.encoded.last[:, 3:], padded.encoded.last[:, 3:], atol=1e-2)


def test_both_ways_of_attention_agree_and_probabilities_sum_to_one() -> None:
    model = tiny_classifier(MIXED)
    with torch.no_grad():
        fused, explicit = model.outputs(IDS, MASK), model.outputs(IDS, MASK, with_attentions=True)
    assert fused.encoded.attentions == ()
    assert [tuple(attention.shape) for attention in explicit.encoded.attentions] == [
        (2, 4, 5, 5),
        (2, 2, 5, 5),
        (2, 5, 5, 5),
    ]
    assert torch.allclose(fused.logits, explicit.logits, atol=1e-5)
    for attention in explicit.encoded.attentions:
        assert torch.allclose(attention.sum(dim=-1), torch.ones(attention.shape[:-1]))
        assert torch.equal(attention[1, :, :, 3:], torch.zeros_like(attention[1, :, :, 3:]))


@pytest.mark.parametrize("kind", ["dropout", "attention_dropout"])
def test_dropout_acts_in_training_only(kind: str) -> None:
    model = tiny_classifier(tiny_config(**{kind: 0.3}))
    with torch.no_grad():
        assert torch.equal(model(IDS, MASK), model(IDS, MASK))
        torch.manual_seed(1)
        model.train()
        assert not torch.allclose(model(IDS, MASK), model(IDS, MASK), atol=1e-3)


def test_attention_dropout_keeps_the_mean() -> None:
    """Averaged over many draws, one layer's attention in training gives its evaluation output."""
    encoder = tiny_classifier(tiny_config(attention_dropout=0.3)).encoder
    attention, places = encoder.layers[0].attention, Places(encoder.bias, torch.ones(1, 5), torch.float32)
    x = torch.randn(1, 5, 32, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(1)
    with torch.no_grad():
        expected, _ = attention.eval()(x, places)
        drawn = attention.train()(x.expand(20_000, -1, -1), places)[0]
    error = drawn.std(dim=0) / 20_000**0.5
    assert bool(((drawn.mean(dim=0) - expected[0]).abs() < 6 * error).all())


def test_a_fresh_classifier_is_drawn_as_bert_draws_it() -> None:
    torch.manual_seed(1)
    model = Classifier(tiny_config(padding_id=3))
    assert torch.equal(model.encoder.embeddings.word.weight[3], torch.zeros(32))
    assert float(model.encoder.layers[0].ffn.up.weight.detach().std()) == pytest.approx(0.02, rel=0.1)
    assert float(model.encoder.embeddings.position.weight.detach().std()) == pytest.approx(0.02, rel=0.1)
    assert torch.equal(model.head.classifier.bias, torch.zeros(3))
    assert torch.equal(model.encoder.layers[1].ffn_norm.weight, torch.ones(32))


def test_parameters_are_counted() -> None:
    model = Classifier(tiny_config())
    tables = (len(VOCABULARY) + 64 + 2) * 32
    layer = 4 * (32 * 32 + 32) + (32 * 48 + 48) + (48 * 32 + 32) + 4 * 32
    rest = 2 * 32 + 2 * layer + (32 * 32 + 32) + (32 * 3 + 3)
    assert parameter_counts(model) == {"parameters": tables + rest, "parameters_without_embeddings": rest}
