"""What is cut out of a model of any family computes what the cut says, in PyTorch, ONNX and stock transformers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification

from leanformer.errors import CheckpointError
from leanformer.export.graphs.encoder_graph import encoder_graph, expected_operators
from leanformer.export.graphs.graph import operator_counts
from leanformer.models.classifier import Classifier
from leanformer.models.hf.checkpoint import read_classifier, write_checkpoint
from leanformer.models.surgery import (
    fresh_with_reduced_embeddings,
    keep_layers,
    largest_heads,
    largest_units,
    narrow,
    resized,
)
from leanformer.task import Task
from tests.making.tiny import roughen
from tests.parity.comparing import assert_parity, saved
from tests.parity.families import FAMILIES, inputs_for

NAMES = ("roberta", "distilbert", "electra", "mpnet", "modernbert")
TASK = Task("classification", ("a", "b", "c"))
# Different heads and units in every layer, and out of order; ModernBERT has five layers here, the others three.
HEADS = [torch.tensor(kept) for kept in ([0, 3], [1], [3, 0, 2], [2], [1, 2])]
UNITS = [torch.arange(0, 40, 2), torch.arange(7), torch.arange(5, 40), torch.tensor([35]), torch.arange(40).flip(0)]


@pytest.fixture(params=NAMES)
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Classifier:
    variant = "biases" if request.param == "modernbert" else "plain"
    return read_classifier(saved(FAMILIES[request.param].model(variant), tmp_path / "stock"), 3)[0].eval()


def logits(model: Classifier) -> Tensor:
    inputs = inputs_for(model.config)
    with torch.no_grad():
        return model(inputs.ids, inputs.mask)


def assert_exported(model: Classifier) -> None:
    """The graph of the model gives its logits."""
    graph, inputs = encoder_graph(model), inputs_for(model.config)
    assert operator_counts(graph) == expected_operators(model.config)
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    ours = session.run(["logits"], {"input_ids": inputs.ids.numpy(), "attention_mask": inputs.mask.numpy()})[0]
    np.testing.assert_allclose(ours, logits(model).numpy(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("layers", [(0, 2), (1, 2), (2,), (0, 1, 2)])
def test_keeping_layers_is_skipping_the_others(layers: tuple[int, ...], model: Classifier) -> None:
    smaller = keep_layers(model, layers)
    assert smaller.config.layers == tuple(model.config.layers[i] for i in layers)
    assert_exported(smaller)
    got = logits(smaller)
    model.encoder.layers = torch.nn.ModuleList(model.encoder.layers[i] for i in layers)
    assert torch.equal(got, logits(model))


def test_narrowing_is_silencing_what_is_left_out(model: Classifier) -> None:
    heads, units = HEADS[: len(model.config.layers)], UNITS[: len(model.config.layers)]
    smaller = narrow(model, heads, units)
    assert [(layer.heads, layer.ffn) for layer in smaller.config.layers] == [
        (len(h), len(u)) for h, u in zip(heads, units, strict=True)
    ]
    assert_exported(smaller)
    full = logits(model)
    silence(model, heads, units)
    assert torch.allclose(logits(smaller), logits(model), atol=1e-4)
    assert not torch.allclose(logits(smaller), full, atol=1e-2)


def silence(model: Classifier, heads: list[Tensor], units: list[Tensor]) -> None:
    """Zero the outgoing weights of the other heads and units."""
    with torch.no_grad():
        for layer, kept_heads, kept_units in zip(model.encoder.layers, heads, units, strict=True):
            for head in set(range(layer.attention.heads)) - set(kept_heads.tolist()):
                layer.attention.output.weight[:, head * 8 : (head + 1) * 8] = 0
            silent = torch.ones(layer.ffn.up.out_features, dtype=torch.bool)
            silent[kept_units] = False
            layer.ffn.down.weight[:, silent] = 0


def test_narrowing_twice_is_narrowing_once(model: Classifier) -> None:
    """The second cut numbers the heads that the first one left."""
    depth = len(model.config.layers)
    first = narrow(model, [torch.tensor([3, 0, 2])] * depth, [torch.arange(0, 40, 2)] * depth)
    twice = narrow(first, [torch.tensor([2, 1])] * depth, [torch.arange(5, 15)] * depth)
    once = narrow(model, [torch.tensor([2, 0])] * depth, [torch.arange(10, 30, 2)] * depth)
    assert twice.config == once.config
    assert torch.equal(logits(twice), logits(once))


def test_narrowing_to_everything_changes_nothing(model: Classifier) -> None:
    depth = len(model.config.layers)
    same = narrow(model, [torch.arange(4)] * depth, [torch.arange(40)] * depth)
    assert same.config == model.config
    assert torch.equal(logits(same), logits(model))


def test_another_order_of_heads_is_not_another_model(model: Classifier) -> None:
    depth = len(model.config.layers)
    mixed = narrow(model, [torch.tensor([2, 0, 3, 1])] * depth, [torch.arange(40).flip(0)] * depth)
    assert torch.allclose(logits(mixed), logits(model), atol=1e-4)


def test_the_gate_counts_for_the_size_of_a_unit(tmp_path: Path) -> None:
    model = read_classifier(saved(FAMILIES["modernbert"].model(), tmp_path), 3)[0]
    with torch.no_grad():
        ffn = model.encoder.layers[1].ffn
        assert ffn.gate is not None
        ffn.up.weight[:], ffn.gate.weight[:], ffn.down.weight[:] = 1, 1, 1
        ffn.gate.weight[7] *= 3
        ffn.up.weight[21] *= 2
        ffn.up.weight[30] *= 100
        ffn.gate.weight[30] = 0
    assert largest_units(model, 1, 2).tolist() == [7, 21]
    assert len(largest_heads(model, 1, 2)) == 2


def test_a_resized_model_is_of_the_family_and_stock(model: Classifier, tmp_path: Path) -> None:
    config = resized(model.config, hidden=24, heads=3, ffn=20, layers=4)
    student = fresh_with_reduced_embeddings(config, model).eval()
    roughen(student)
    assert student.config.family == model.config.family
    assert [layer.window for layer in config.layers] == [
        model.config.layers[i % len(model.config.layers)].window for i in range(4)
    ]
    assert_exported(student)
    write_checkpoint(student, TASK, tmp_path / "out")
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out", attn_implementation="eager")
    assert_parity(student, theirs.eval(), inputs_for(config))


def test_kept_layers_go_out_as_stock_where_the_family_has_them(model: Classifier, tmp_path: Path) -> None:
    layers = (0, 3) if model.config.family == "modernbert" else (0, 2)
    smaller = keep_layers(model, layers)
    write_checkpoint(smaller, TASK, tmp_path / "out")
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out", attn_implementation="eager")
    assert_parity(smaller, theirs.eval(), inputs_for(smaller.config))


def test_a_modernbert_without_its_first_layer_has_no_stock_form(tmp_path: Path) -> None:
    """Stock ModernBERT never norms before its first attention; the next layer does, and goes on doing it."""
    model = read_classifier(saved(FAMILIES["modernbert"].model(), tmp_path / "stock"), 3)[0].eval()
    smaller = keep_layers(model, (1, 3))
    assert [layer.attention_norm for layer in smaller.config.layers] == [True, True]
    with pytest.raises(CheckpointError, match=r"(?s)modernbert has no option.*remedy: keep it"):
        write_checkpoint(smaller, TASK, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_options_of_another_family_are_not_written(model: Classifier, tmp_path: Path) -> None:
    other = Classifier(replace(model.config, head=replace(model.config.head, norm=not model.config.head.norm)))
    with pytest.raises(CheckpointError, match="has no option for what this model computes"):
        write_checkpoint(other, TASK, tmp_path / "out")
