"""Exits as a step: heads that learn, layers that stay, what is carried to the graph, and what can have none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from leanformer.artifact import Artifact
from leanformer.compress.distil.exits import TrainExits, default_layers
from leanformer.errors import DataError, LeanformerError, RecipeError
from leanformer.exits import DESCRIPTION, HEADS, has_exits, read_exits
from leanformer.shapes.encoder import LayerShape
from tests.making.exits import encoder_with_exits, int8_of
from tests.making.graphs import make_context
from tests.making.tagged import tagged_dataset, tagger_artifact
from tests.making.taught import make_teacher
from tests.making.tiny import tiny_artifact, tiny_config, tiny_dataset

# For the contract tests: options that run in a second, options that are refused, version and hash of the defaults.
QUICK = {"layers": (1,), "epochs": 1}
BAD = ({"layers": [2, 1]}, {"temperature": 0})
DEFAULTS = "1 d19538186b28"


def test_heads_learn_the_last_layers_answers_and_the_layers_stay(tmp_path: Path):
    source = make_teacher(tmp_path)
    said: list[str] = []
    context = make_context(tmp_path, source, say=said.append)
    made = TrainExits(epochs=6, learning_rate=3e-3)(source, context, tmp_path / "made")
    shares = made.history[-1]["exits"]["agreement"]
    assert made.history[-1]["exits"]["layers"] == [1] and shares[0] >= 0.9
    assert made.history[-1]["result"]["dev_agreement"][-1] > 0.5 and "behind layer 1" in said[-1]
    weights = "model.safetensors"
    assert (made.path / weights).read_bytes() == (source.path / weights).read_bytes()
    exits = read_exits(made)
    assert exits.layers == (1,) and not exits.calibrated


def test_graphs_carry_them_and_are_the_same(tmp_path: Path):
    made, plain = encoder_with_exits(tmp_path)
    graph, without = int8_of(made, tmp_path / "with"), int8_of(plain, tmp_path / "without")
    for name in (DESCRIPTION, HEADS):
        assert (graph.path / name).read_bytes() == (made.path / name).read_bytes()
    assert (graph.path / "model.onnx").read_bytes() == (without.path / "model.onnx").read_bytes()
    assert has_exits(graph) and not has_exits(without)


def test_where_exits_stand_by_default():
    assert default_layers(2) == (1,) and default_layers(6) == (1, 2, 3, 4, 5)
    twelve = default_layers(12)
    assert len(twelve) == 7 and twelve[0] == 1 and twelve[-1] == 11 and list(twelve) == sorted(set(twelve))


@pytest.mark.parametrize("kind", ["tags", "pre-norm", "one layer", "deep exit", "no texts", "no dev"])
def test_what_can_have_no_exits(kind: str, tmp_path: Path):
    data = replace(tiny_dataset(), test=None)
    source: Artifact
    step, error, words = TrainExits(epochs=1), LeanformerError, "no early exits"
    if kind == "tags":
        source, data = tagger_artifact(tmp_path / "source"), tagged_dataset()
    elif kind == "one layer":
        source = tiny_artifact(tmp_path / "source", config=tiny_config(layers=(LayerShape(4, 48),)))
    else:
        source = tiny_artifact(tmp_path / "source", config=tiny_config(norm_first=kind == "pre-norm"))
    if kind == "deep exit":
        step, error, words = TrainExits(layers=(1, 2), epochs=1), RecipeError, "behind layer 2"
    if kind == "no texts":
        data, error, words = replace(data, train=None, unlabelled=None), DataError, "nothing to train on"
    if kind == "no dev":
        data, error, words = replace(data, dev=None), DataError, "dev split"
    with pytest.raises(error, match=words):
        step(source, make_context(tmp_path, source, data=data), tmp_path / "made")
