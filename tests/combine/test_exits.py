"""Calibrated exits as a step: the promise and its evidence, what is refused, and the commands that tell of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leanformer.answers.forms import decide
from leanformer.artifact import Artifact
from leanformer.combine.exits import CalibrateExits, exit_logits
from leanformer.data.used_texts import recorded
from leanformer.errors import GateError, LeanformerError, RecipeError
from leanformer.exits import read_exits
from leanformer.export.onnx import Onnx
from leanformer.loading import open_predictor
from leanformer.predictor import logits
from leanformer.render.cascade import promise_notes
from tests.making.exits import encoder_with_exits, fresh_examples, int8_of, taught_with_exits, write_examples
from tests.making.graphs import make_context
from tests.making.native import needs_compiler
from tests.making.tiny import tiny_dataset

# For the contract tests: options that run in a second, options that are refused, version and hash of the defaults.
QUICK = {"max_loss": 60.0}
BAD = ({"max_loss": 0}, {"threshold": "high"})
DEFAULTS = "1 10c705ceb03d"

pytestmark = needs_compiler


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return taught_with_exits(tmp_path_factory.mktemp("exits"))


def test_the_promise_is_kept_on_the_rows_that_it_was_shown_on(graph: Artifact, tmp_path: Path):
    examples, said = fresh_examples(), list[str]()
    step = CalibrateExits(max_loss=20.0, calibrate=write_examples(examples, tmp_path))
    made = step(graph, make_context(tmp_path, graph, say=said.append), tmp_path / "made")
    exits = read_exits(made)
    assert exits.calibrated and len(set(exits.thresholds)) == 1
    entry = made.history[-1]
    assert entry["step"] == "export.exits" and "no_promise" not in entry
    calibration = entry["calibration"]
    assert calibration["counts"]["changed"] <= 0.2 * calibration["rows"] and calibration["limit"] <= 0.2
    assert sum(calibration["answered"][:-1]) > 0.3, "some texts leave, or nothing is shown here"
    assert any("calibration rows" in line and "behind layer 1" in line for line in said)
    assert promise_notes(made) == ["the early exits promise: at most 20 per cent of answers changed, 95 % confidence"]
    assert recorded(made).roles_of(examples)[0] == "calibration"
    # What it answers, against all layers.
    early, whole = open_predictor(made, threads=1), open_predictor(made, threads=1, exits=False)
    task = made.task
    ours, theirs = (decide(logits(each, examples.texts), task) for each in (early, whole))
    assert np.mean(ours != theirs) <= 0.2 and len(set(theirs.tolist())) == 3
    assert not np.array_equal(logits(early, examples.texts), logits(whole, examples.texts))
    assert np.array_equal(logits(whole, examples.texts), logits(open_predictor(graph, threads=1), examples.texts))
    assert (made.path / "model.onnx").read_bytes() == (graph.path / "model.onnx").read_bytes()


def test_logits_of_all_exits_are_those_that_texts_leave_with(tmp_path: Path):
    graph = int8_of(encoder_with_exits(tmp_path)[0], tmp_path / "made")
    examples = fresh_examples(30)
    values = exit_logits(graph, read_exits(graph), examples, 1)
    assert len(values) == 4 and all(value.shape == (30, 3) for value in values)
    assert np.array_equal(values[-1], logits(open_predictor(graph, threads=1), examples.texts))
    assert len({value.tobytes() for value in values}) == 4


def test_a_promise_that_cannot_be_made_leaves_the_step_out(graph: Artifact, tmp_path: Path):
    step = CalibrateExits(max_loss=0.5)
    with pytest.raises(GateError, match=r"export\.exits: the promise cannot be made"):
        step(graph, make_context(tmp_path, graph, data=tiny_dataset()), tmp_path / "made")


def test_on_dev_there_is_no_promise(graph: Artifact, tmp_path: Path):
    said: list[str] = []
    made = CalibrateExits(max_loss=60.0)(graph, make_context(tmp_path, graph, say=said.append), tmp_path / "made")
    assert said[0].startswith("no promise") and "no promise on new texts" in promise_notes(made)[0]


def test_graphs_that_cannot_leave_early_are_refused(graph: Artifact, tmp_path: Path):
    encoder, plain = encoder_with_exits(tmp_path)
    context = make_context(tmp_path, encoder)
    with pytest.raises(RecipeError, match=r"has no exits\n  remedy: compress\.exits right before export\.onnx"):
        CalibrateExits()(int8_of(plain, tmp_path / "plain"), context, tmp_path / "made")
    with pytest.raises(RecipeError, match=r"export\.int8 before it"):
        CalibrateExits()(Onnx()(encoder, context, tmp_path / "fp32"), context, tmp_path / "made")
    windowed = replace(graph, task=replace(graph.task, overlap=4))
    with pytest.raises(LeanformerError, match="windows"):
        CalibrateExits()(windowed, context, tmp_path / "made")
