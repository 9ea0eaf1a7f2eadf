"""The latency predictor: shapes foreseen, errors told honestly, hopeless trials known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.artifact import Artifact
from leanformer.measure.speed import SpeedSettings
from leanformer.search.jobs.executor import Job, Result, Serial
from leanformer.search.jobs.latency import LatencyPredictor, fit_latency, kendall_tau
from leanformer.search.jobs.local import JobRunner
from leanformer.search.jobs.shapes import planned_shape
from leanformer.search.jobs.table import fill_table
from leanformer.search.space.goals import read_goals
from leanformer.search.study.budget import SearchBudget
from leanformer.search.study.drive import drive
from leanformer.search.study.journal import Journal
from leanformer.search.study.sampler import Sampler
from leanformer.search.study.study import Study
from leanformer.search.study.trial import FINISHED, SKIPPED, Trial
from leanformer.shapes.planned import PlannedShape
from tests.making.searches import figures, option, space_of
from tests.making.tiny import tiny_dataset

SPACE = """\
goals: {maximise: quality, minimise: latency_ms_p95, max_latency_ms_p95: 2.5}
predictor: {points: 6}
steps:
  - step: compress.distil
    name: student
    uses: teacher
    layers: {choose: [2, 1, [2]]}
    ffn: {range: [8, 48], step: 8}
    epochs: 1
  - step: export.onnx
  - name: precision
    choose: [null, {step: export.int8}]
"""


def shape_of(layers: int, ffn: int, precision: str = "fp32") -> PlannedShape:
    return PlannedShape(32, 8, ((4, ffn),) * layers, precision, "default")


def milliseconds(shape: PlannedShape) -> float:
    """A machine whose time is linear in the shape."""
    return 0.5 + 0.3 * len(shape.layers) + 0.02 * sum(ffn for _, ffn in shape.layers[:-1]) + 0.001 * shape.layers[-1][1]


def test_shapes_are_foreseen(tmp_path: Path, teacher: Artifact):
    space = space_of(tmp_path, SPACE)

    def planned(**params: Any) -> PlannedShape | None:
        filled = space.of({"student.layers": 2, "student.ffn": 16, "precision": None} | params)
        return planned_shape(filled.recipe, filled.runtime, teacher)

    assert planned() == shape_of(2, 16)
    assert planned(**{"student.layers": "[2]", "precision": "export.int8"}) == shape_of(1, 16, "int8 mixed")


def test_what_is_not_foreseen_has_no_shape(tmp_path: Path, teacher: Artifact):
    space = space_of(tmp_path, SPACE.replace("ffn: {range", "start: elsewhere\n    ffn: {range"))
    filled = space.of({"student.layers": 2, "student.ffn": 16, "precision": None})
    assert planned_shape(filled.recipe, {}, teacher) is None


def test_a_linear_machine_is_predicted_exactly_and_noise_shows():
    shapes = [shape_of(layers, ffn) for layers in (1, 2, 3) for ffn in (8, 24, 48)]
    exact = fit_latency(shapes, [milliseconds(shape) for shape in shapes])
    assert exact is not None and exact.mape < 3
    assert exact.tau is not None and exact.tau > 0.95
    assert exact.predict(shape_of(2, 32)) == pytest.approx(milliseconds(shape_of(2, 32)), rel=0.03)
    noise = np.random.default_rng(0).normal(1, 0.3, len(shapes))
    noisy = fit_latency(
        shapes, [milliseconds(shape) * max(0.2, factor) for shape, factor in zip(shapes, noise, strict=True)]
    )
    assert noisy is not None and noisy.mape > 10


def test_the_error_is_of_points_left_out():
    """Six points that five features could fit nearly exactly: the error must not be that of the fit itself."""
    shapes = [shape_of(layers, ffn) for layers in (1, 2) for ffn in (8, 24, 48)]
    times = [1.0, 3.0, 2.0, 5.0, 1.5, 4.0]
    found = fit_latency(shapes, times)
    assert found is not None
    fitted = [abs(found.predict(shape) / time - 1) for shape, time in zip(shapes, times, strict=True)]
    assert found.mape > 100 * float(np.mean(fitted))


def test_too_few_points_predict_nothing():
    assert fit_latency([shape_of(1, 8)] * 5, [1.0] * 5) is None


def test_kendall():
    assert kendall_tau([1, 2, 3], [10, 20, 30]) == 1 and kendall_tau([1, 2, 3], [3, 2, 1]) == -1
    assert kendall_tau([1, 1], [1, 2]) is None


def trained(teacher: Artifact, goals: dict[str, Any], ceiling: float = 0.9) -> LatencyPredictor:
    predictor = LatencyPredictor(teacher, read_goals(goals, "here"), ceiling)
    for layers in (1, 2, 3):
        for ffn in (8, 24, 48):
            time = milliseconds(shape_of(layers, ffn))
            predictor.add(shape_of(layers, ffn), {"latency_ms_p95": time})
    return predictor


def finished(quality: float, latency: float) -> Trial:
    made = figures(quality=quality, latency_ms_p95=latency)
    return Trial(3, {}, [{"figures": made}], FINISHED)


def test_hopeless_is_what_passes_a_bound_or_what_a_finished_trial_beats_even_at_its_best(teacher: Artifact):
    goals = {"maximise": "quality", "minimise": "latency_ms_p95", "max_latency_ms_p95": 3.0}
    predictor = trained(teacher, goals)
    assert predictor.margin == pytest.approx(0.1)
    assert predictor.hopeless({"latency_ms_p95": 3.2}, []) is None  # within the margin
    assert "max_latency_ms_p95" in str(predictor.hopeless({"latency_ms_p95": 3.5}, []))
    assert predictor.hopeless({"latency_ms_p95": 2.0}, [finished(0.89, 1.0)]) is None  # it may be the better one
    assert "trial 3" in str(predictor.hopeless({"latency_ms_p95": 2.0}, [finished(0.9, 1.0)]))
    assert predictor.hopeless({"latency_ms_p95": 1.05}, [finished(0.9, 1.0)]) is None  # within the margin
    assert predictor.hopeless(None, [finished(1.0, 0.1)]) is None
    predictor.ceiling = 0.95
    assert predictor.hopeless({"latency_ms_p95": 2.0}, [finished(0.9, 1.0)]) is None


def test_with_another_goal_a_slow_shape_may_still_be_of_use(teacher: Artifact):
    predictor = trained(teacher, {"maximise": "quality", "minimise": ["latency_ms_p95", "bytes"]})
    assert predictor.hopeless({"latency_ms_p95": 9.0}, [finished(1.0, 0.1)]) is None


def test_a_search_skips_what_is_hopeless_and_tells_the_error(tmp_path: Path, teacher: Artifact):
    space = space_of(tmp_path, SPACE.replace("max_latency_ms_p95: 2.5", "max_latency_ms_p95: 1.25"))
    judge = LatencyPredictor(teacher, space.goals, 0.9)
    for layers in (1, 2):
        for ffn in (8, 24, 48):
            for precision in ("fp32", "int8 mixed"):
                shape = shape_of(layers, ffn, precision)
                judge.add(shape, {"latency_ms_p95": milliseconds(shape)})

    def run(job: Job) -> Result:
        layers = option(job, "student", "layers")
        ffn = option(job, "student", "ffn")
        time = milliseconds(shape_of(layers if isinstance(layers, int) else len(layers), ffn))
        return {"figures": figures(quality=0.5 + 0.001 * ffn, latency_ms_p95=time), "content_hash": f"{layers} {ffn}",
                "wall_seconds": 2.0, "cpu_seconds": 2.0}  # fmt: skip

    study = Study(space, Sampler(space, "random", 1), Journal(tmp_path / "trials.jsonl"), {}, judge)
    drive(study, SearchBudget(trials=14), Serial(run), 1, lambda line: None)
    skipped = study.of_state(SKIPPED)
    assert skipped and all(trial.params["student.layers"] == 2 for trial in skipped)
    assert all(milliseconds(shape_of(2, trial.params["student.ffn"])) > 1.25 for trial in skipped)
    errors = judge.errors()
    assert errors["ahead_of_trials"]["latency_ms_p95"]["trials"] == 14
    assert errors["ahead_of_trials"]["latency_ms_p95"]["mape"] < 10
    assert study.count == 14  # what is skipped is not counted


def test_the_table_is_measured_once_and_covers_the_cells(tmp_path: Path, teacher: Artifact):
    space = space_of(tmp_path, SPACE)
    data = tiny_dataset()
    settings = SpeedSettings(rounds=1, latency_texts=10, seconds=0.01)
    from dataclasses import replace

    runner = JobRunner(teacher, replace(data, test=None), tmp_path / "work", 1, "cpu", settings)
    said: list[str] = []
    first, second = (LatencyPredictor(teacher, space.goals, 0.9) for _ in range(2))
    taken = fill_table(first, space, runner, 6, 13, said.append)
    assert taken["shapes"] == 6 and taken["seconds"] > 0
    assert len(said) == 6 and {shape.precision for shape, _ in first.points} == {"fp32", "int8 mixed"}
    assert all(figures["latency_ms_p95"] > 0 for _, figures in first.points)
    assert fill_table(second, space, runner, 6, 13, said.append) == taken
    assert len(said) == 6 and second.points == first.points
    assert not [path for path in (tmp_path / "work").iterdir() if path.name.startswith("timing-")]
