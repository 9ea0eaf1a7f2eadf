"""Running jobs here: steps and figures shared between trials, failures told, shares of data taken."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leanformer.artifact import Artifact
from leanformer.compress.distil.distil import Distil
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.ladder.operations import work_of
from leanformer.measure.speed import SpeedSettings
from leanformer.models.predictor import TorchPredictor
from leanformer.models.store import write_classifier
from leanformer.search.jobs.executor import Job, Serial
from leanformer.search.jobs.local import JobRunner
from leanformer.search.space.goals import FIGURES
from leanformer.search.study.budget import SearchBudget
from leanformer.search.study.drive import drive
from leanformer.search.study.journal import Journal
from leanformer.search.study.sampler import Sampler
from leanformer.search.study.study import Study
from leanformer.search.study.trial import FAILED, FINISHED
from leanformer.task import Task
from tests.making.searches import space_of
from tests.making.tiny import tiny_classifier, tiny_config, tiny_dataset

SPACE = """\
goals: {maximise: quality, minimise: bytes}
steps:
  - step: compress.distil
    name: student
    uses: teacher
    layers: {choose: [2, 1, 5]}
    trial_texts: 0
    epochs: 1
    learning_rate: 0.003
  - {step: export.onnx, max_difference: 0.01}
  - name: precision
    choose: [null, {step: export.int8, max_flips: 1.0, max_mean_share: 10.0}]
runtime:
  engine: {choose: [onnxruntime, native]}
"""


@pytest.fixture
def runner(tmp_path: Path, teacher: Artifact) -> JobRunner:
    settings = SpeedSettings(rounds=1, latency_texts=10, seconds=0.01)
    return JobRunner(teacher, replace(tiny_dataset(), test=None), tmp_path / "work", 1, "cpu", settings)


def job_of(folder: Path, share: float = 1.0, over: str | None = None, **params: Any) -> Job:
    values = {"student.layers": 1, "precision": None, "runtime.engine": "onnxruntime"} | params
    filled = space_of(folder, SPACE).of(values)
    return {"trial": 0, "rung": 0, "share": share, "over": over, "seed": 13, "recipe": filled.recipe.to_json(),
            "runtime": filled.runtime}  # fmt: skip


def test_a_result_is_plain_json_with_every_figure(tmp_path: Path, runner: JobRunner):
    result = runner(json.loads(json.dumps(job_of(tmp_path))))
    assert json.loads(json.dumps(result)) == result
    assert set(FIGURES) | {"drop", "lost"} == set(result["figures"])
    assert all(value is not None for value in result["figures"].values())
    teacher = runner.teacher_quality()
    assert result["figures"]["drop"] == pytest.approx(100 * (teacher - result["figures"]["quality"]))
    assert result["wall_seconds"] > 0 and result["joules"] is None


def test_trials_share_steps_and_no_figure_is_taken_twice(
    tmp_path: Path, runner: JobRunner, monkeypatch: pytest.MonkeyPatch
):
    ran: list[int] = []
    original = Distil.__call__

    def noting(step: Distil, *arguments: Any) -> Artifact:
        ran.append(1)
        return original(step, *arguments)

    monkeypatch.setattr(Distil, "__call__", noting)
    first = runner(job_of(tmp_path))
    other = runner(job_of(tmp_path, precision="export.int8"))
    again = runner(job_of(tmp_path))
    assert len(ran) == 1
    assert again["figures"] == first["figures"], "also those that were timed"
    assert other["content_hash"] != first["content_hash"]
    assert len(list((tmp_path / "work" / "cache").glob("outputs-*"))) == 1, "teacher outputs are computed once"


def test_a_share_of_data_is_another_training_on_less(tmp_path: Path, runner: JobRunner):
    small, whole = runner(job_of(tmp_path, 0.2, "data")), runner(job_of(tmp_path, 1.0, "data"))
    assert small["content_hash"] != whole["content_hash"]
    assert whole["content_hash"] == runner(job_of(tmp_path))["content_hash"]


def test_what_cannot_be_run_is_told(tmp_path: Path, runner: JobRunner):
    assert "only has 2" in (said := runner(job_of(tmp_path, **{"student.layers": 5}))["failed"]) or "layers 5" in said
    said = runner(job_of(tmp_path, **{"runtime.engine": "native"}))["failed"]
    assert "native" in said, "the native engine runs int8 graphs alone"


@pytest.mark.slow
def test_a_search_passes_over_what_cannot_be_run(tmp_path: Path, runner: JobRunner):
    space = space_of(tmp_path, SPACE)
    study = Study(space, Sampler(space, "grid", 13), Journal(tmp_path / "trials.jsonl"), {})
    why = drive(study, SearchBudget(minutes=5), Serial(runner), 13, lambda line: None)
    assert why == "nothing is left to try" and len(study.trials) == 12
    for trial in study.trials:
        impossible = trial.params["student.layers"] == 5
        assert (trial.state == FAILED) >= impossible
        assert trial.state in (FINISHED, FAILED)
    assert study.front()


def test_operations_of_a_question_are_those_of_all_its_candidates(tmp_path: Path, runner: JobRunner):
    asked = [("rain", ("wet", "dry", "cold")), ("goal", ("team", "ball", "song"))]
    task, (texts, seconds) = Task("choice", ()), zip(*asked, strict=True)
    artifact = write_classifier(
        tiny_classifier(tiny_config(labels=1)), tmp_path / "choice", task=task,
        tokenizer=runner.teacher.file("tokenizer.json"), max_tokens=32, history=[],
    )  # fmt: skip
    dev = Examples(task, texts, (0, 1), seconds)
    runner = replace(runner, data=Dataset(task=task, dev=dev))
    predictor = TorchPredictor(artifact)
    lengths = [len(row) for row in predictor.tokenize(dev.inputs)]
    of_a_row = work_of(artifact, predictor, lengths)["flops_per_text"]
    assert runner.counts(artifact, predictor)["flops_per_text"] == pytest.approx(3 * of_a_row)
