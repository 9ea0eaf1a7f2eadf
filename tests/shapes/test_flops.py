"""FLOPs counted from the shape are those that PyTorch counts when the model runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from leanformer.export.onnx import Onnx
from leanformer.ladder.operations import shape_of_artifact, work_of
from leanformer.loading import open_predictor
from leanformer.measure.flops import shape_of
from leanformer.models.classifier import Classifier
from leanformer.models.flops import encoder_flops, head_flops, shape_of_config, unit_flops
from leanformer.models.store import read_model
from leanformer.models.surgery import narrow
from leanformer.shapes import flops
from leanformer.shapes.encoder import LayerShape
from tests.compress.family_models import CASES, family_artifact, family_classifier
from tests.export.making import make_context
from tests.tagged import tagger_artifact, tiny_tagger
from tests.tiny import tiny_config

UNEVEN = tiny_config(layers=(LayerShape(4, 48), LayerShape(1, 7), LayerShape(3, 20)), head_size=5)


def counted(model: Classifier, tokens: int, rows: int) -> int:
    ids = torch.ones(rows, tokens, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.outputs(ids, ids, with_attentions=True)  # step by step: the fused kernel may hide its products
    return counter.get_total_flops()


@pytest.mark.parametrize("config", [tiny_config(), UNEVEN, replace(UNEVEN, labels=7, hidden=24)])
@pytest.mark.parametrize("tokens", [1, 9, 32])
def test_flops_are_those_that_run(config, tokens: int):
    assert counted(Classifier(config).eval(), tokens, rows=2) == 2 * encoder_flops(config, tokens)


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_flops_of_every_family_are_those_that_run(case: tuple[str, str]):
    """Gates, narrow embeddings, rotary angles and windows, of a model and of what is cut out of it."""
    model = family_classifier(*case)
    depth = len(model.config.layers)
    for one in (model, narrow(model, [torch.tensor([1])] * depth, [torch.arange(5)] * depth)):
        assert counted(one, 17, rows=2) == 2 * encoder_flops(one.config, 17)
        least = encoder_flops(one.config, 17, first_token_only=True)
        assert (least == encoder_flops(one.config, 17)) is (one.config.head.pooling == "mean")


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_what_is_measured_of_an_artifact_is_the_same_count(case: tuple[str, str], tmp_path: Path):
    """Through files: the encoder's own, and what the graph of each family, packed or padded, tells."""
    artifact = family_artifact(tmp_path / "encoder", *case)
    model = read_model(artifact)
    shape = shape_of_artifact(artifact)
    assert shape is not None
    assert counted(model, 17, rows=3) == flops.encoder_flops(shape, 3, 17)
    graph = Onnx(max_flips=1.0)(artifact, make_context(tmp_path, artifact), tmp_path / "graph")
    assert shape_of_artifact(graph) == shape_of_config(model.config, first_token_only=True)
    found = work_of(graph, open_predictor(graph, threads=1), [5, 9, 24])
    padded = graph.properties["layout"] == "padded"
    assert (found["padding_waste"] is not None) is padded
    alone = [encoder_flops(model.config, length, first_token_only=True) for length in (5, 9, 24)]
    assert found["flops_per_text"] >= sum(alone) / 3
    if not padded:
        assert found["flops_per_text"] == pytest.approx(sum(alone) / 3)
    else:
        old = {name: value for name, value in graph.properties.items() if name != "gated_ffn"}
        assert shape_of(old, 3, first_only=True) is None, "a graph from before does not tell"


def test_a_tagger_has_logits_at_every_token(tmp_path: Path):
    model = tiny_tagger(layers=(LayerShape(4, 48), LayerShape(1, 7)))
    assert counted(model, 17, rows=3) == 3 * encoder_flops(model.config, 17)
    assert encoder_flops(model.config, 17) == encoder_flops(model.config, 17, first_token_only=True)
    artifact = tagger_artifact(tmp_path / "tagger", model=model)
    shape = shape_of_config(model.config)
    assert shape_of_artifact(artifact) == shape and shape.every_token and not shape.pooler
    properties = {"hidden": 32, "head_size": shape.head_size, "layers": [[4, 48], [1, 7]], "pooling": "none"}
    assert shape_of(properties | {"hidden": shape.hidden}, shape.labels, first_only=True) == shape


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
    assert counter.get_total_flops() == encoder_flops(config, n, first_token_only=True)


def test_earlier_layers_are_computed_in_full():
    one_less = encoder_flops(UNEVEN, 9) - encoder_flops(UNEVEN, 9, first_token_only=True)
    last = UNEVEN.layers[-1]
    saved = last.ffn * (unit_flops(UNEVEN, 9) - unit_flops(UNEVEN, 1))
    saved += last.heads * (head_flops(UNEVEN, 9) - head_flops(UNEVEN, 9, 1))
    assert one_less == saved > 0
