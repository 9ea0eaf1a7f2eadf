"""The main job from end to end: a tiny teacher and tiny data in, a lean model with its ladder out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import leanformer
from leanformer.artifact import Artifact, open_artifact
from leanformer.errors import LeanformerError, RecipeError
from leanformer.export.int8 import Int8
from leanformer.first_rungs import FLOOR
from leanformer.measure.speed import SpeedSettings
from leanformer.measurements import rung_keys
from leanformer.models.predictor import TorchPredictor
from leanformer.predictor import logits
from leanformer.recipe.compress import compress
from leanformer.recipe.delivery import Compressed
from leanformer.recipe.library import find_recipe
from leanformer.recipe.spec import Recipe
from leanformer.report import Report, Rung
from tests.making.graphs import folder_bytes
from tests.making.tiny import LABELS, tiny_dataset

SPEED = SpeedSettings(rounds=1, latency_texts=6, seconds=0.01)


def run(model: Path | str, output: Path, recipe: Recipe, **changes: Any) -> Compressed:
    settings: dict[str, Any] = {
        "recipe": recipe, "threads": 1, "device": "cpu", "speed": SPEED, "memory": False, "max_drop": 10.0,
        "say": lambda line: None, "data": tiny_dataset(),
        "allow_weak_teacher": True, "allow_lost_classes": True,  # some have random weights, and raw students lose some
    }  # fmt: skip
    settings |= changes
    return compress(str(model), settings.pop("data"), output, **settings)


def distil() -> Recipe:
    """One epoch of one layer; its gates are open, because a student this raw has logits that are all alike."""
    loose = {f"{step}.{option}": value for step in ("teacher-int8", "student-int8")
             for option, value in (("max_flips", 1.0), ("max_mean_share", 10.0))}  # fmt: skip
    changes = {"student.layers": 1, "student.epochs": 1, "student.batch_size": 16, "student.learning_rate": 3e-3}
    return find_recipe("distil").with_options(changes | loose)


def ladder_hashes(result: Compressed) -> list[tuple[str, str]]:
    return [(rung.name, rung.content_hash) for rung in result.report.rungs]


@pytest.fixture(scope="module")
def quick(teacher: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Compressed:
    """What the recipe `quick` makes; read only."""
    before = folder_bytes(teacher.path)
    made = run(teacher.path, tmp_path_factory.mktemp("quick") / "lean", find_recipe("quick"), memory=True)
    assert folder_bytes(teacher.path) == before
    return made


def test_quick(quick: Compressed):
    result, lean = quick, quick.artifact.path
    assert result.within
    assert [rung.name for rung in result.report.rungs] == [
        "PyTorch, one text at a time, padded to 64", "PyTorch, one text at a time", "PyTorch, batches by length",
        FLOOR, "our ONNX graph", "int8",
    ]  # fmt: skip
    first, *_, fp32, int8 = result.report.rungs
    assert first.quality > 0.6
    assert fp32.lossless and (fp32.drop, fp32.agreement) == (0, 1)
    assert not int8.lossless and int8.bytes < fp32.bytes
    assert result.report.data["rows"] == {"train": 120, "dev": 40, "test": 60, "unlabelled": 60}
    choice, load = result.report.choice, result.report.machine_load
    assert choice is not None and choice["sure"] in (True, False) and choice["sure"] == (not choice["rivals"])
    assert load is not None and load["seconds"] > 0
    assert result.report.timing is not None and result.report.timing["read_before"] > 100
    assert all(rung.rounds is not None and rung.over_batched is not None for rung in result.report.rungs)
    assert all(rung.peak_memory_bytes is not None and rung.peak_memory_bytes > 10e6 for rung in result.report.rungs)
    # The report that lies in the folder is the report that was returned, with exactly the fields of a rung; what was
    # measured on request has a key each.
    written = json.loads((lean / "report.json").read_text(encoding="utf-8"))
    names = {field_.name for field_ in dataclasses.fields(Rung)} - {"measured"}
    assert set(written["rungs"][0]) == names | set(rung_keys())
    assert Report.read(lean / "report.json") == result.report
    # The folder loads, and gives the answers of the rung that was chosen.
    assert open_artifact(lean).content_hash == result.artifact.content_hash
    chosen = next(rung for rung in result.report.rungs if rung.name == result.report.choice["rung"])  # type: ignore[index]
    assert chosen.content_hash == result.artifact.content_hash
    test = tiny_dataset().test
    assert test is not None and test.labels is not None
    answers = [prediction.label for prediction in leanformer.load(lean, threads=1).predict(test.texts)]
    right = np.mean([label == LABELS[i] for label, i in zip(answers, test.labels, strict=True)])
    assert right == pytest.approx(chosen.quality)


def test_card_and_report_mention_the_figures(quick: Compressed):
    result, lean = quick, quick.artifact.path
    rung = next(rung for rung in result.report.rungs if rung.content_hash == result.artifact.content_hash)
    card = (lean / "README.md").read_text(encoding="utf-8")
    assert f"{100 * rung.quality:.2f} % on 60 test texts" in card
    assert "leanformer.load" in card and "`export.onnx`" in card and "`music`, `sport`, `weather`" in card
    page = (lean / "report.md").read_text(encoding="utf-8")
    for entry in result.report.rungs:
        assert f"| {entry.name}" in page and f"| {entry.name}" in card


def test_the_chosen_model_is_compared_with_the_floor(quick: Compressed):
    """On these texts, whose words tell the label, a linear model is right more often than the barely trained one."""
    floor = next(rung for rung in quick.report.rungs if rung.name == FLOOR)
    chosen = next(rung for rung in quick.report.rungs if rung.name == (quick.report.choice or {})["rung"])
    assert not floor.chooseable and floor.over_floor is None and floor.quality > chosen.quality
    assert chosen.over_floor is not None
    assert chosen.over_floor["difference"] == pytest.approx(chosen.quality - floor.quality)
    for name in ("report.md", "README.md"):
        assert f"'{chosen.name}' is not shown to be better" in (quick.artifact.path / name).read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_floor_can_be_left_out(teacher: Artifact, tmp_path: Path):
    result = run(teacher.path, tmp_path / "lean", find_recipe("quick"), floor=False, memory=False)
    assert FLOOR not in [rung.name for rung in result.report.rungs]
    assert all(rung.over_floor is None for rung in result.report.rungs)
    assert not (tmp_path / "lean.work" / "floor").exists()


def test_what_the_steps_took_stands_in_the_report_and_not_in_the_artifact(quick: Compressed):
    steps = {entry["step"]: entry for entry in quick.report.training}
    assert list(steps) == ["teacher", *(step["name"] for step in (quick.report.recipe or {})["steps"]), FLOOR]
    assert steps.pop("teacher")["energy"] is None, "this teacher was trained by a function, and nothing is recorded"
    for step in steps.values():
        assert step["whole"] and step["energy"]["wall_seconds"] > 0 and step["energy"]["phase"] == "training"
    text = (quick.artifact.path / "report.md").read_text()
    assert "## What making the models took" in text and "spent on compressing" in text
    assert Report.read(quick.artifact.path / "report.json").training == quick.report.training
    assert not (quick.artifact.path / "effort.json").exists()


@pytest.mark.slow
def test_distil_makes_a_student_and_a_second_run_finds_it(teacher: Artifact, tmp_path: Path):
    said: list[str] = []
    first = run(teacher.path, tmp_path / "lean", distil(), goal="size", max_drop=100)
    assert first.within
    rungs = {rung.name: rung for rung in first.report.rungs}
    assert rungs["distilled to 3 layers"].after == "our ONNX graph"
    assert rungs["int8"].parameters is not None and rungs["PyTorch, one text at a time"].parameters is not None
    assert rungs["int8"].parameters < rungs["PyTorch, one text at a time"].parameters
    assert first.report.choice is not None
    assert first.report.choice["rung"] == "int8", "the smallest is the student in int8"
    assert [entry["step"] for entry in first.artifact.history] == [
        "train.fine_tune", "compress.distil", "export.onnx", "export.int8",
    ]  # fmt: skip
    second = run(teacher.path, tmp_path / "lean", distil(), goal="size", max_drop=100, say=said.append)
    assert sum(": found in " in line for line in said) == 6
    assert any(line.startswith("measurements found in") for line in said)
    assert second.report == first.report
    assert second.artifact.content_hash == first.artifact.content_hash


@pytest.mark.slow
def test_an_impossible_bound_keeps_the_teachers_export(teacher: Artifact, tmp_path: Path):
    result = run(teacher.path, tmp_path / "lean", find_recipe("quick"), max_drop=-100)
    assert not result.within
    assert result.report.choice is not None
    assert (result.report.choice["rung"], result.report.choice["status"]) == (
        "our ONNX graph",
        "nothing within the bound",
    )
    test = tiny_dataset().test
    assert test is not None
    ours = logits(leanformer.load(tmp_path / "lean", threads=1), test.texts)
    np.testing.assert_allclose(ours, logits(TorchPredictor(teacher), test.texts), atol=1e-4, rtol=0)


@pytest.fixture(scope="module")
def uninterrupted(teacher: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Compressed:
    return run(teacher.path, tmp_path_factory.mktemp("uninterrupted") / "lean", distil())


@pytest.mark.parametrize("kill_at", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_killed_between_steps_it_goes_on_to_the_same_bytes(
    kill_at: int, teacher: Artifact, uninterrupted: Compressed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    original: Callable[..., Artifact] = Int8.__call__
    calls: list[int] = []

    def killed(self: Int8, *arguments: Any) -> Artifact:
        calls.append(1)
        if len(calls) == kill_at:
            raise KeyboardInterrupt
        return original(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Int8, "__call__", killed)
        with pytest.raises(KeyboardInterrupt):
            run(teacher.path, tmp_path / "lean", distil())
    assert not (tmp_path / "lean").exists()
    said: list[str] = []
    again = run(teacher.path, tmp_path / "lean", distil(), say=said.append)
    assert sum(": found in " in line for line in said) == (1 if kill_at == 1 else 4)
    assert ladder_hashes(again) == ladder_hashes(uninterrupted)


def test_a_folder_that_is_no_artifact_is_not_overwritten(teacher: Artifact, tmp_path: Path):
    (tmp_path / "lean").mkdir()
    (tmp_path / "lean" / "thesis.tex").write_text("years of work")
    with pytest.raises(LeanformerError, match="exists and is not an artifact"):
        run(teacher.path, tmp_path / "lean", find_recipe("quick"))
    (tmp_path / "file").write_text("years of work")
    with pytest.raises(LeanformerError, match="exists and is not an artifact"):
        run(teacher.path, tmp_path / "file", find_recipe("quick"))
    assert folder_bytes(tmp_path) == {"lean/thesis.tex": b"years of work", "file": b"years of work"}


def test_the_model_itself_is_not_overwritten(teacher: Artifact):
    before = folder_bytes(teacher.path)
    with pytest.raises(LeanformerError, match="is the model itself"):
        run(teacher.path, teacher.path, find_recipe("quick"))
    assert folder_bytes(teacher.path) == before


@pytest.mark.parametrize(
    "changes", [{"goal": "speed"}, {"max_drop": float("nan")}, {"max_drop": float("inf")}, {"usd_per_hour": -1.0}]
)
def test_what_cannot_be_meant_is_said_before_the_work(changes: dict[str, Any], teacher: Artifact, tmp_path: Path):
    with pytest.raises(RecipeError, match=next(iter(changes))):
        run(teacher.path, tmp_path / "lean", find_recipe("quick"), **changes)
    assert list(tmp_path.iterdir()) == []


def test_a_graph_cannot_be_compressed_further(quick: Compressed, tmp_path: Path):
    with pytest.raises(LeanformerError, match="cannot be compressed further"):
        run(quick.artifact.path, tmp_path / "leaner", find_recipe("quick"))


@pytest.mark.slow
def test_unlabelled_text_is_enough(teacher: Artifact, tmp_path: Path):
    data = dataclasses.replace(tiny_dataset(), train=None, dev=None, test=None)
    result = run(teacher.path, tmp_path / "lean", find_recipe("quick"), data=data)
    first = result.report.rungs[0]
    assert (first.metric, first.quality, first.n) == ("agreement with the teacher", 1.0, 12)
    assert any("with the teacher's answers as labels" in note for note in result.report.notes)
