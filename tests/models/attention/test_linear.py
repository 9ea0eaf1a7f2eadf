"""Linear attention is the explicit quadratic formula, whatever the padding, and costs O(n d^2)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from leanformer.errors import CheckpointError
from leanformer.models.attention.bias import Places
from leanformer.models.attention.kinds import MODULES, attention
from leanformer.models.attention.linear import LinearAttention
from leanformer.models.attention.mixer import Mixer
from leanformer.models.classifier import Classifier
from leanformer.shapes.attention import KINDS, MAIN, Linear
from leanformer.shapes.encoder import EncoderConfig, LayerShape, RelativeBias
from leanformer.shapes.mixers import REFERENCE
from tests.making.tiny import tiny_classifier, tiny_config

LINEAR = LayerShape(4, 48, attention=Linear())
CONFIG = tiny_config(layers=(LINEAR, LINEAR))
IDS = torch.tensor([[2, 70, 71, 72, 3], [2, 75, 3, 0, 0]])
MASK = (IDS > 0).long()


def explicit(module: LinearAttention, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Output and weights, pair by pair as the paper's equation 2 has them."""
    heads, size = module.heads, module.head_size
    outputs, weights = torch.zeros_like(x), torch.zeros(len(x), heads, x.shape[1], x.shape[1], dtype=x.dtype)
    for row in range(len(x)):
        contexts = torch.zeros(x.shape[1], heads * size, dtype=x.dtype)
        for head in range(heads):
            part = slice(head * size, (head + 1) * size)
            q, k, v = (each(x[row])[:, part] for each in (module.query, module.key, module.value))
            for i in range(x.shape[1]):
                similar = torch.stack([((F.elu(q[i]) + 1) * (F.elu(k[j]) + 1)).sum() for j in range(x.shape[1])])
                similar = similar * mask[row]
                weights[row, head, i] = similar / similar.sum()
                contexts[i, part] = weights[row, head, i] @ v
        outputs[row] = module.output(contexts)
    return outputs, weights


def test_it_is_the_explicit_formula() -> None:
    encoder = tiny_classifier(CONFIG).double().encoder
    module = encoder.layers[0].attention
    assert isinstance(module, LinearAttention)
    x = torch.randn(2, 5, 32, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    places = Places(encoder.bias, MASK, torch.float64)
    with torch.no_grad():
        output, weights = explicit(module, x, MASK)
        torch.testing.assert_close(module(x, places)[0], output)
        again, probabilities = module(x, places, with_probabilities=True)
    torch.testing.assert_close(again, output)
    torch.testing.assert_close(probabilities, weights)
    assert bool((probabilities[1, :, :, 3:] == 0).all())


def test_padding_does_not_matter() -> None:
    model = tiny_classifier(CONFIG)
    with torch.no_grad():
        short, padded = model.outputs(IDS[1:, :3], MASK[1:, :3]), model.outputs(IDS[1:], MASK[1:])
        junk = model.outputs(torch.where(MASK[1:] == 0, 90, IDS[1:]), MASK[1:])
    torch.testing.assert_close(short.logits, padded.logits)
    torch.testing.assert_close(short.encoded.last, padded.encoded.last[:, :3])
    torch.testing.assert_close(junk.logits, padded.logits)


def test_it_trains() -> None:
    model = tiny_classifier(replace(CONFIG, attention_dropout=0.1)).train()
    model(IDS, MASK).sum().backward()
    assert all(parameter.grad is not None for parameter in model.encoder.layers.parameters())


@pytest.mark.parametrize("tokens", [3, 40])
def test_the_count_is_pytorchs(tokens: int) -> None:
    config = replace(CONFIG, layers=(LINEAR, LayerShape(3, 20)), head_size=5)
    ids = torch.ones(2, tokens, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        # Step by step: the fused kernel of softmax attention may hide its products.
        Classifier(config).eval().outputs(ids, ids, with_attentions=True)
    weights = 2 * 4 * 2 * tokens**2 * 5  # of the linear layer, computed for those who ask alone
    assert counter.get_total_flops() - weights == config.shape().flops(2, tokens)


def test_cost_grows_with_the_length_and_the_square_of_the_head_size() -> None:
    shape = CONFIG.shape()
    assert shape.flops(1, 200) - shape.flops(1, 100) == shape.flops(1, 300) - shape.flops(1, 200)
    assert Linear().flops(100, 100, 16) == 4 * Linear().flops(100, 100, 8)
    softmax = replace(CONFIG, layers=(LayerShape(4, 48),) * 2).shape()
    assert shape.flops(1, 8) == softmax.flops(1, 8), "as many tokens as a head is wide"
    assert shape.elements(100) < softmax.elements(100)


def test_the_kind_is_written_and_softmax_is_left_out() -> None:
    config = replace(CONFIG, layers=(LINEAR, LayerShape(4, 48)))
    value = config.to_json()
    assert value["layers"] == [{"heads": 4, "ffn": 48, "attention": {"kind": "linear"}}, {"heads": 4, "ffn": 48}]
    assert EncoderConfig.from_json(value) == config


@pytest.mark.parametrize(
    ("attention", "problem"),
    [
        ({"kind": "quadratic"}, "'quadratic'; one of softmax, linear"),
        ({"kind": "linear", "rank": 3}, "options of linear"),
    ],
)
def test_an_unknown_kind_is_refused(attention: dict[str, object], problem: str) -> None:
    value = CONFIG.to_json() | {"layers": [{"heads": 4, "ffn": 48, "attention": attention}]}
    with pytest.raises(CheckpointError, match=problem):
        EncoderConfig.from_json(value)


@pytest.mark.parametrize("placed", ["window", "angles", "biases"])
def test_what_changes_scores_is_refused(placed: str) -> None:
    layer = {"window": replace(LINEAR, window=4), "angles": replace(LINEAR, rotary_base=1e4), "biases": LINEAR}[placed]
    with pytest.raises(CheckpointError, match="linear attention has no scores"):
        replace(CONFIG, layers=(layer,), relative_bias=RelativeBias(8, 16, 4) if placed == "biases" else None)


def test_every_kind_has_a_module() -> None:
    assert set(MODULES) == set(MAIN.values())
    assert all(name == shape.kind for name, shape in KINDS.items())
    layers = {name: LayerShape(4, 48, attention=kind()) for name, kind in KINDS.items()}
    made = {name: attention(replace(CONFIG, layers=(layer,)), layer) for name, layer in layers.items()}
    assert all(isinstance(made[name], Mixer) == (name in REFERENCE) for name in KINDS)
