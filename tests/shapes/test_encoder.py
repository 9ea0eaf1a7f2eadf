"""FLOPs counted from the shape are those that PyTorch counts when the model runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from leanformer.models.classifier import Classifier
from leanformer.models.heads import vector_head
from leanformer.models.surgery import narrow
from leanformer.shapes.encoder import LayerShape
from tests.making.family_models import CASES, family_classifier
from tests.making.tiny import tiny_config

UNEVEN = tiny_config(layers=(LayerShape(4, 48), LayerShape(1, 7), LayerShape(3, 20)), head_size=5)


def counted(model: Classifier, tokens: int, rows: int) -> int:
    ids = torch.ones(rows, tokens, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.outputs(ids, ids, with_attentions=True)  # step by step: the fused kernel may hide its products
    return counter.get_total_flops()


@pytest.mark.parametrize("config", [tiny_config(), UNEVEN, replace(UNEVEN, labels=7, hidden=24)])
@pytest.mark.parametrize("tokens", [1, 9, 32])
def test_flops_are_those_that_run(config, tokens: int):
    assert counted(Classifier(config).eval(), tokens, rows=2) == 2 * config.shape().flops(1, tokens)


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_flops_of_every_family_are_those_that_run(case: tuple[str, str]):
    """Gates, narrow embeddings, rotary angles and windows, of a model and of what is cut out of it."""
    model = family_classifier(*case)
    depth = len(model.config.layers)
    for classifier in (model, narrow(model, [torch.tensor([1])] * depth, [torch.arange(5)] * depth)):
        assert counted(classifier, 17, rows=2) == 2 * classifier.config.shape().flops(1, 17)
        least = classifier.config.shape(first_token_only=True).flops(1, 17)
        assert (least == classifier.config.shape().flops(1, 17)) is (classifier.config.head.pooling == "mean")


@pytest.mark.parametrize("pooling", ["first", "mean"])
def test_a_head_that_gives_vectors_costs_nothing(pooling: str):
    config = vector_head(tiny_config(), pooling)
    assert counted(Classifier(config).eval(), 9, rows=2) == config.shape().flops(2, 9)


def test_one_layer_for_the_first_token_alone():
    """What the last layer computes when only its first token is asked for, counted as it would run."""
    config = replace(UNEVEN, layers=UNEVEN.layers[:1])
    model, n, width = Classifier(config).eval(), 9, 4 * 5
    layer, x = model.encoder.layers[0], torch.ones(1, 9, 32)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        query = layer.attention.query(x[:, :1]).view(4, 1, 5)
        key, value = layer.attention.key(x).view(4, n, 5), layer.attention.value(x).view(4, n, 5)
        context = torch.bmm(torch.bmm(query, key.transpose(1, 2)), value)
        layer.ffn(layer.attention.output(context.reshape(1, 1, width)))
        model.head(x, torch.ones(1, n))
    assert counter.get_total_flops() == config.shape(first_token_only=True).flops(1, n)


def test_earlier_layers_are_computed_in_full():
    full, lean = UNEVEN.shape(), UNEVEN.shape(first_token_only=True)
    index, last = len(UNEVEN.layers) - 1, UNEVEN.layers[-1]
    saved = last.ffn * (full.unit_flops(index, 9) - lean.unit_flops(index, 9))
    saved += last.heads * (full.head_flops(index, 9) - lean.head_flops(index, 9))
    assert full.flops(1, 9) - lean.flops(1, 9) == saved > 0
    assert full.head_flops(0, 9) == lean.head_flops(0, 9) and full.unit_flops(0, 9) == lean.unit_flops(0, 9)
