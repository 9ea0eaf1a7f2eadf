"""Every mapped family against `transformers`: checkpoints read, computed, written back and exported."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification

from leanformer.export.graphs.encoder_graph import encoder_graph, expected_operators
from leanformer.export.graphs.graph import operator_counts
from leanformer.models.classifier import Classifier
from leanformer.models.hf.checkpoint import read_classifier, usable_positions, write_checkpoint
from leanformer.shapes.encoder import EncoderConfig
from leanformer.task import Task
from tests.parity.comparing import Inputs, assert_parity, saved
from tests.parity.families import CASES, FAMILIES, LENGTH, inputs_for


def read(name: str, variant: str, folder: Path) -> Classifier:
    """The variant's stock model, saved and read as ours."""
    theirs = FAMILIES[name].model(variant)
    ours, missing = read_classifier(saved(theirs, folder), theirs.config.num_labels)
    assert missing == []
    return ours.eval()


def alone(inputs: Inputs) -> Inputs:
    """The longest row, which has no padding."""
    types = None if inputs.token_types is None else inputs.token_types[:1]
    return Inputs(inputs.ids[:1], inputs.mask[:1], types)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "variant"), CASES)
def test_logits_states_and_attentions(name: str, variant: str, tmp_path: Path) -> None:
    theirs, ours = FAMILIES[name].model(variant), read(name, variant, tmp_path)
    inputs = inputs_for(ours.config)
    assert ours.config.family == name
    assert_parity(ours, theirs, inputs)
    assert_parity(ours, theirs, alone(inputs))


@pytest.mark.parametrize("name", FAMILIES)
def test_without_token_types_they_are_zero(name: str, tmp_path: Path) -> None:
    ours = read(name, "plain", tmp_path)
    inputs = inputs_for(ours.config)
    with torch.no_grad():
        zero = ours(inputs.ids, inputs.mask, torch.zeros_like(inputs.ids))
        assert torch.equal(ours(inputs.ids, inputs.mask), zero)


@pytest.mark.parametrize(("name", "variant"), CASES)
def test_the_configuration_survives_json(name: str, variant: str, tmp_path: Path) -> None:
    config = read(name, variant, tmp_path).config
    assert EncoderConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.slow
@pytest.mark.parametrize(("name", "variant"), CASES)
def test_written_checkpoints_are_stock(name: str, variant: str, tmp_path: Path) -> None:
    ours = read(name, variant, tmp_path / "in")
    names = ("no", "maybe", "yes")[: ours.config.labels]
    task = Task("classification", names) if len(names) > 1 else Task("regression", ())
    write_checkpoint(ours, task, tmp_path / "out")
    theirs = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out", attn_implementation="eager").eval()
    assert type(theirs) is type(FAMILIES[name].model(variant))
    assert theirs.config.id2label == dict(enumerate(task.labels or ("score",)))
    assert_parity(ours, theirs, inputs_for(ours.config))
    one, other = (load_file(tmp_path / folder / "model.safetensors") for folder in ("in", "out"))
    assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("name", FAMILIES)
def test_positions_are_the_longest_usable_input(name: str, tmp_path: Path) -> None:
    theirs, ours = FAMILIES[name].model(), read(name, "plain", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert ours.config.positions == usable_positions(config, default=7) == LENGTH
    too_long = torch.full((1, LENGTH + 1), 7)
    if ours.config.position_table:  # otherwise the limit is a promise about quality, and nothing breaks
        with pytest.raises((IndexError, RuntimeError)):
            theirs(input_ids=too_long, attention_mask=torch.ones_like(too_long))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_bare_encoder_lacks_the_head(name: str, tmp_path: Path) -> None:
    theirs = FAMILIES[name].model().base_model
    ours, missing = read_classifier(saved(theirs, tmp_path), 3)
    assert missing and all(key.startswith("head.") for key in missing)
    assert_parity(ours.eval(), theirs, inputs_for(ours.config))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "variant"), CASES)
def test_the_graph_gives_the_logits_of_the_stock_model(name: str, variant: str, tmp_path: Path) -> None:
    theirs, ours = FAMILIES[name].model(variant), read(name, variant, tmp_path)
    graph = encoder_graph(ours)
    assert operator_counts(graph) == expected_operators(ours.config)
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    inputs = inputs_for(ours.config)
    for batch in (inputs, alone(inputs), Inputs(inputs.ids[1:, :16], inputs.mask[1:, :16], None)):
        with torch.no_grad():
            expected = theirs(input_ids=batch.ids, attention_mask=batch.mask).logits.numpy()
        feed = {"input_ids": batch.ids.numpy(), "attention_mask": batch.mask.numpy()}
        assert expected.shape == (len(batch.ids), ours.config.labels)
        np.testing.assert_allclose(session.run(["logits"], feed)[0], expected, atol=1e-4, rtol=0)
    assert expected.std() > 0.05, "logits that are all alike would agree with anything"
