"""Early exits through the commands: what is told of them, and how to do without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest

from leanformer.combine.exits import CalibrateExits
from leanformer.ladder.variants import ways_of
from leanformer.runtime.predictor import LightPredictor
from tests.making.commands import Command
from tests.making.exits import fresh_examples, taught_with_exits, write_examples
from tests.making.graphs import make_context
from tests.making.native import needs_compiler
from tests.making.tiny import tiny_texts

pytestmark = needs_compiler


@pytest.mark.slow
def test_commands_tell_of_it(command: Command, tmp_path: Path):
    graph = taught_with_exits(tmp_path)
    data = write_examples(fresh_examples(), tmp_path)
    made = CalibrateExits(max_loss=20.0, calibrate=data)(graph, make_context(tmp_path, graph), tmp_path / "asked")
    status, out, _ = command("inspect", made.path)
    assert status == 0 and "exit behind layer 1: answers where probability >= " in out
    assert "last layer: answers the rest" in out and "promise: at most 20 per cent of answers changed" in out
    assert "not calibrated, so no text leaves" in command("inspect", graph.path)[1]
    texts = tiny_texts(40, seed=9)[0]
    status, early, err = command("predict", made.path, *texts)
    assert status == 0 and "of 40 texts left early: " in err and "% behind layer 1" in err
    status, whole, err = command("predict", made.path, *texts, "--no-exits")
    assert status == 0 and "left early" not in err and whole == command("predict", graph.path, *texts)[1] != early
    for exits in (True, False):  # other ways to run the rung that `bench --stability` compares with it
        rung = LightPredictor(made, threads=1, engine="native", exits=exits)
        other = cast(LightPredictor, ways_of(made, rung, tmp_path)["2 threads"]())
        assert (other.exits is not None) == exits
    report = tmp_path / "bench.json"
    status, _, _ = command(
        "bench", made.path, "--data", data, "--rounds", 1, "--no-memory", "--output", report, "--threads", 1
    )
    assert status == 0 and any("left early" in note for note in json.loads(report.read_text())["notes"])
    status, _, _ = command(
        "bench", made.path, "--data", data, "--rounds", 1, "--no-memory", "--output", report, "--no-exits"
    )
    assert status == 0 and not any("left early" in note for note in json.loads(report.read_text())["notes"])
