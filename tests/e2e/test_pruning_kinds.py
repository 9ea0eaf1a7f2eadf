"""The recipes that prune, for other kinds of task and another family than BERT; nothing has to be set for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leanformer.answers.forms import metric_name
from leanformer.loading import open_predictor
from tests.compress.test_pruning_kinds import artifact_of
from tests.e2e.test_compress import run
from tests.e2e.test_pruning_recipes import AGAIN, TRAINING, small
from tests.making.family_models import family_artifact
from tests.making.tiny import tiny_kind_dataset

SIZES = (60, 20, 20, 20)


@pytest.mark.slow
def test_fastformers_for_pairs(tmp_path: Path):
    data = tiny_kind_dataset("pair", SIZES)
    recipe = small("fastformers", student=TRAINING, pruned={"heads": 3, "ffn": 32}, again=AGAIN)
    result = run(artifact_of(data, tmp_path).path, tmp_path / "lean", recipe, data=data, goal="size", max_drop=100)
    assert not [note for note in result.report.notes if "left out" in note]
    assert [rung.name for rung in result.report.rungs[-4:]] == [
        "distilled to 3 layers", "pruned, not trained", "pruned, distilled again", "int8",
    ]  # fmt: skip
    assert result.artifact.task == data.task
    # The token types go all the way: the same tokens of one text are another input.
    predictor = open_predictor(result.artifact, threads=1)
    assert data.test is not None
    rows = predictor.tokenize(data.test.inputs)
    flat = [np.stack([row[:, 0], np.zeros_like(row[:, 1])], axis=1) for row in rows]
    assert np.abs(predictor.infer(rows) - predictor.infer(flat)).max() > 1e-3


@pytest.mark.slow
def test_thorough_for_roberta(tmp_path: Path):
    source = family_artifact(tmp_path / "source", "roberta")
    recipe = small("thorough", halved={"multiple": 1}, pruned={"multiple": 1}, again=AGAIN | {"least_steps": 0})
    result = run(source.path, tmp_path / "lean", recipe, goal="size", max_drop=100)
    rungs = {rung.name: rung for rung in result.report.rungs}
    assert len(rungs) == 10 and not [note for note in result.report.notes if "left out" in note]
    assert rungs["half cut, not trained"].bytes > rungs["a third left, distilled"].bytes
    assert result.report.choice is not None and result.report.choice["rung"] == "int8"
    assert [entry["step"] for entry in result.artifact.history][-3:] == [
        "compress.distil",
        "export.onnx",
        "export.int8",
    ]


@pytest.mark.parametrize(
    "kind", ["multilabel", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("similarity", "regression"))]
)
def test_quick_pruned_for_every_form_of_answer(kind: str, tmp_path: Path):
    data = tiny_kind_dataset(kind, SIZES)
    teacher = artifact_of(data, tmp_path)
    result = run(teacher.path, tmp_path / "lean", small("quick-pruned"), data=data, goal="size", max_drop=1e4)
    rungs = {rung.name: rung for rung in result.report.rungs}
    assert not [note for note in result.report.notes if "left out" in note] and len(rungs) == 10
    assert {rung.metric for rung in rungs.values()} == {metric_name(data.task)}
    assert rungs["pruned further"].parameters < rungs["pruned"].parameters < rungs["our ONNX graph"].parameters
    assert result.artifact.task == teacher.task
