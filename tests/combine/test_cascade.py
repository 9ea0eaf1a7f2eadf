"""A cascade as a step: its promise kept or the step left out, found again by what its members compute, searched."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.artifact import Artifact, open_artifact
from leanformer.cascade.calibrate import calibrate, parted
from leanformer.cascade.promise import Promise
from leanformer.cascade.store import read_cascade
from leanformer.combine.cascade import Cascade
from leanformer.data.examples import Examples
from leanformer.data.used_texts import UsedTexts, attach, recorded
from leanformer.errors import DataError, RecipeError
from leanformer.loading import open_predictor
from leanformer.measure import speed
from leanformer.measure.speed import SpeedSettings
from leanformer.predictor import logits
from leanformer.recipe.compress import compress
from leanformer.recipe.library import find_recipe
from leanformer.recipe.run import Outcome, run_recipe
from leanformer.search.run import search
from leanformer.search.study.budget import SearchBudget
from tests.making.cascades import population
from tests.making.commands import write_lines
from tests.making.graphs import make_context
from tests.making.searches import space_of
from tests.making.tiny import LABELS, tiny_artifact, tiny_dataset, tiny_texts

# For the contract tests: options that run in a second, options that are refused, version and hash of the defaults.
QUICK = {"max_loss": 20.0}
BAD = ({"max_loss": 0}, {"threshold": "high"})
DEFAULTS = "1 3e2ea50ec49b"

RECIPE = """\
name: both
steps:
  - {step: export.onnx, name: large, uses: teacher, max_difference: 0.01}
  - {step: compress.distil, name: student, uses: teacher, layers: 1, epochs: 4, trial_texts: 0, learning_rate: 0.003}
  - {step: export.onnx, name: small, max_difference: 0.01}
  - {step: export.cascade, name: both, large: LARGE, max_loss: 20, rung: both}
"""
SPACE = """\
name: cascades
goals: {maximise: quality, minimise: bytes}
steps:
  - {step: export.onnx, name: large, uses: teacher, max_difference: 0.01}
  - {step: compress.distil, name: student, uses: teacher, layers: 1, epochs: 4, trial_texts: 0, learning_rate: 0.003}
  - {step: export.onnx, name: small, max_difference: 0.01}
  - name: larger
    choose:
      - null
      - step: export.cascade
        name: both
        large: large
        max_loss: {choose: [20.0, 0.5]}
        threshold: {choose: [null, 0.9]}
"""


@pytest.fixture
def teacher(tmp_path: Path) -> Artifact:
    return tiny_artifact(tmp_path / "teacher")


def ran(folder: Path, teacher: Artifact, text: str = RECIPE, large: str = "large") -> Outcome:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.yaml").write_text(text.replace("LARGE", large), encoding="utf-8")
    context = replace(make_context(folder, teacher), cache=folder / "cache")
    return run_recipe(find_recipe(folder / "recipe.yaml"), teacher, context, folder)


def test_the_promise_and_its_evidence_are_in_the_artifact(tmp_path: Path, teacher: Artifact):
    outcome = ran(tmp_path, teacher)
    made = outcome.artifacts["both"]
    plan, members = read_cascade(made)
    assert [member.content_hash for member in members] == [
        outcome.artifacts[name].content_hash for name in ("small", "large")
    ]
    last = made.history[-1]
    assert "which also chose the models" in last["no_promise"]
    assert any("both: the cascade makes no promise on new texts" in note for note in outcome.notes)
    assert last["step"] == "export.cascade" and last["options"]["large"] == "large"
    assert last["calibration"]["promise"] == {"max_loss": 20, "confidence": 0.95, "of": "accuracy"}
    assert last["plan"] == plan.to_json()
    # What is written is what the calibration of these rows finds.
    dev = tiny_dataset().dev
    assert dev is not None
    fit, held_out = parted(len(dev), 0.2, 13)
    values = [logits(open_predictor(member, threads=1), dev.inputs) for member in members]
    found = calibrate(values, dev.targets, Promise(20.0), fit, held_out)
    assert found.plan is not None and found.plan.thresholds == pytest.approx(plan.thresholds)
    assert found.plan.temperatures == pytest.approx(plan.temperatures)
    ours = logits(open_predictor(made, threads=1), dev.inputs)
    routes = plan.route(values)
    assert np.allclose(ours, np.stack(values)[routes, np.arange(len(dev))], atol=1e-5)


def test_a_promise_that_cannot_be_made_leaves_the_step_out(tmp_path: Path, teacher: Artifact):
    outcome = ran(tmp_path, teacher, RECIPE.replace("max_loss: 20", "max_loss: 0.5"))
    assert "both" not in outcome.artifacts
    assert "the promise cannot be made" in outcome.left_out["both"] and "599 calibration" in outcome.left_out["both"]


def test_it_is_found_again_by_what_its_members_compute(tmp_path: Path, teacher: Artifact):
    first = ran(tmp_path, teacher).artifacts["both"].path
    renamed = RECIPE.replace("name: large", "name: larger")
    assert ran(tmp_path, teacher, renamed, large="larger").artifacts["both"].path == first
    assert ran(tmp_path, teacher, large="teacher").artifacts["both"].path != first


def test_without_its_larger_model_it_is_left_out(tmp_path: Path, teacher: Artifact):
    # A graph that strays by nothing at all cannot be.
    text = RECIPE.replace(
        "uses: teacher, max_difference: 0.01", "uses: teacher, max_difference: 0.0, max_mean_share: 0.0"
    )
    outcome = ran(tmp_path, teacher, text)
    assert "large" in outcome.left_out
    assert outcome.left_out["both"] == "'large', which it builds on, was left out"


def test_a_larger_model_that_is_no_step_is_refused(tmp_path: Path, teacher: Artifact):
    with pytest.raises(RecipeError, match="step 'both' large 'nobody', which is no step before it"):
        ran(tmp_path, teacher, large="nobody")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"confidence": 2.0}, "confidence"),
        ({"promise": "speed"}, "promise"),
        ({"measure": "mood"}, "measure"),
        ({"on": "test"}, "on is one of dev, unlabelled"),
        ({"on": "unlabelled"}, "needs labels"),
        ({"fit_share": 1.0}, "fit_share"),
        ({"threshold": 1.5}, "threshold"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], said: str):
    with pytest.raises(RecipeError, match=f"export.cascade: .*{said}"):
        Cascade(**options)


def test_agreement_takes_texts_without_labels(tmp_path: Path, teacher: Artifact):
    outcome = ran(tmp_path, teacher)
    small, large = (outcome.artifacts[name] for name in ("small", "large"))
    context = replace(make_context(tmp_path, teacher), artifacts={"teacher": teacher, "large": large})
    step = Cascade(large="large", max_loss=30.0, promise="agreement", on="unlabelled")
    assert context.data.unlabelled is not None
    made = step(small, context, tmp_path / "made")
    assert made.history[-1]["calibration"]["promise"]["of"] == "agreement"
    lacking = replace(context, data=replace(context.data, unlabelled=None))
    with pytest.raises(DataError, match="no unlabelled split to calibrate"):
        step(small, lacking, tmp_path / "other")


def test_a_given_threshold_is_tested_alone():
    values, labels = population(3000, 5)
    fit, held_out = parted(3000, 0.2, 1)
    for threshold in (0.0, 0.95):
        found = calibrate(values, labels, Promise(1.0), fit, held_out, threshold=threshold)
        assert found.steps == 1
        kept = found.p <= 0.05
        assert (found.plan is not None) == kept == (threshold > 0), "all answers from the small model lose too much"
    assert found.plan is not None and found.plan.thresholds == (0.95,)


def calibrated(folder: Path, teacher: Artifact, texts: Sequence[str]) -> tuple[Outcome, Artifact]:
    """The recipe with a file of these texts to calibrate on, labelled in turn as the tiny texts are."""
    rows = [{"text": text, "label": LABELS[row % 3]} for row, text in enumerate(texts)]
    path = write_lines(folder / "own.jsonl", rows)
    outcome = ran(folder, teacher, RECIPE.replace("max_loss: 20", f"max_loss: 60, calibrate: {path}"))
    return outcome, outcome.artifacts["both"]


def calibration_texts(artifact: Artifact) -> int:
    record = recorded(artifact)
    assert record is not None
    return len(record.roles["calibration"])


def test_a_file_of_its_own_makes_the_promise(tmp_path: Path, teacher: Artifact):
    texts = [f"{text} {row}" for row, text in enumerate(tiny_texts(60, seed=44)[0])]
    outcome, made = calibrated(tmp_path, teacher, texts)
    last = made.history[-1]
    assert "no_promise" not in last and last["calibration"]["rows"] + last["calibration"]["fit_rows"] == 60
    assert any("both: the cascade promises: at most 60 points" in note for note in outcome.notes)
    assert calibration_texts(made) == 60
    # Another file is another cascade; the same one is found again.
    assert calibrated(tmp_path, teacher, texts)[1].path == made.path
    assert calibrated(tmp_path, teacher, texts[:50])[1].path != made.path


def test_a_file_of_used_texts_makes_none(tmp_path: Path, teacher: Artifact):
    dev, train = tiny_dataset().dev, tiny_dataset().train
    assert dev is not None and train is not None
    fresh = [f"{text} {row}" for row, text in enumerate(tiny_texts(99, seed=44)[0])]
    _, made = calibrated(tmp_path / "one", teacher, [*fresh, dev.texts[0]])
    assert "no_promise" not in made.history[-1] and calibration_texts(made) == 99, "one of a hundred is left out"
    outcome, made = calibrated(tmp_path / "two", teacher, [*fresh[:98], dev.texts[0], train.texts[0].upper()])
    said = made.history[-1]["no_promise"]
    assert said == "2 of 100 texts were used before: 1 in training, 1 to choose"
    assert any(f"no promise on new texts: {said}" in note for note in outcome.notes)


def test_a_row_that_repeats_an_earlier_one_shows_nothing_more(tmp_path: Path, teacher: Artifact):
    texts = [f"{text} {row}" for row, text in enumerate(tiny_texts(60, seed=44)[0])]
    _, made = calibrated(tmp_path, teacher, [*texts, *texts[:30], texts[0].upper()])
    last = made.history[-1]["calibration"]
    assert last["rows"] + last["fit_rows"] == 60 == calibration_texts(made)


def test_texts_that_a_model_was_trained_on_elsewhere_make_none(tmp_path: Path, teacher: Artifact):
    texts = [f"{text} {row}" for row, text in enumerate(tiny_texts(60, seed=44)[0])]
    teacher = attach(teacher, UsedTexts.of(train=Examples(teacher.task, tuple(texts[:6]), None)))
    _, made = calibrated(tmp_path, teacher, texts)
    assert made.history[-1]["no_promise"] == "6 of 60 texts were used before: 6 in training"


def test_agreement_is_calibrated_on_plain_texts(tmp_path: Path, teacher: Artifact):
    path = tmp_path / "own.txt"
    path.write_text("".join(f"{text} {row}\n" for row, text in enumerate(tiny_texts(50, seed=44)[0])), encoding="utf-8")
    made = ran(
        tmp_path, teacher, RECIPE.replace("max_loss: 20", f"max_loss: 90, promise: agreement, calibrate: {path}")
    )
    assert calibration_texts(made.artifacts["both"]) == 50 and "no_promise" not in made.artifacts["both"].history[-1]


def test_what_is_no_file_of_texts_is_refused(tmp_path: Path, teacher: Artifact):
    path = tmp_path / "own.txt"
    path.write_text("a text\n" * 40, encoding="utf-8")
    text = RECIPE.replace("max_loss: 20", f"max_loss: 20, calibrate: {path}")
    with pytest.raises(DataError, match=r"own\.txt: "):
        ran(tmp_path, teacher, text)


@pytest.mark.slow
def test_a_cascade_is_delivered_whole(tmp_path: Path, teacher: Artifact, monkeypatch: pytest.MonkeyPatch):
    """By `compress`, and as what a search chose; each member's own manifest goes with it."""
    monkeypatch.setattr(speed, "_SETTLE_SECONDS", 0)
    quick = SpeedSettings(rounds=1, latency_texts=10, seconds=0.01)
    (tmp_path / "recipe.yaml").write_text(RECIPE.replace("LARGE", "large"), encoding="utf-8")
    done = compress(
        str(teacher.path), tiny_dataset(), tmp_path / "lean", recipe=find_recipe(tmp_path / "recipe.yaml"), threads=1,
        max_drop=100.0, speed=quick, memory=False, device="cpu", allow_weak_teacher=True,
        allow_lost_classes=True, say=lambda line: None,
    )  # fmt: skip
    assert done.artifact.format == "cascade"
    assert "The cascade makes no promise on new texts" in (tmp_path / "lean" / "README.md").read_text(encoding="utf-8")
    assert any("no promise on new texts" in note for note in done.report.notes)
    assert calibration_texts(done.artifact) == 40
    texts = ["goal match team.", "rain and storm."]
    assert len(open_predictor(open_artifact(tmp_path / "lean"), threads=1).predict(texts)) == 2  # type: ignore[attr-defined]

    found = search(
        space_of(tmp_path / "space", SPACE), str(teacher.path), tiny_dataset(), tmp_path / "found",
        budget=SearchBudget(trials=5), sampler="grid", threads=1, device="cpu", speed=quick, final_speed=quick,
        allow_weak_teacher=True,
        allow_lost_classes=True, say=lambda line: None,
    )  # fmt: skip
    by_loss = {json.dumps(trial["params"], sort_keys=True): trial for trial in found.record["trials"]}
    assert len(by_loss) == 5
    for trial in found.record["trials"]:
        impossible = trial["params"].get("both.max_loss") == 0.5
        assert (trial["state"] == "failed") == impossible, trial
    cascades = [
        trial for trial in found.record["trials"] if "both.max_loss" in trial["params"] and trial["state"] == "finished"
    ]
    assert cascades and all(cascade["figures"]["latency_ms_p50"] > 0 for cascade in cascades)
    for artifact in found.front.values():
        assert open_predictor(artifact, threads=1).tokenize(texts)
    assert found.report is not None
    chosen = [artifact.format for artifact in found.front.values()]
    runtimes = [rung.runtime for rung in found.report.rungs[-len(chosen) :]]
    assert all(("cascade" in runtime) == (kind == "cascade") for runtime, kind in zip(runtimes, chosen, strict=True))
