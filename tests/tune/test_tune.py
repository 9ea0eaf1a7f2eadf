"""The candidates of tuning, and a whole tuning of tiny graphs."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.answers.forms import changed_answers
from leanformer.artifact import Artifact, open_artifact, write_manifest
from leanformer.errors import LeanformerError, MissingExtraError
from leanformer.runtime.predictor import ENGINES, LightPredictor
from leanformer.runtime.settings import RuntimeSettings, default_settings
from leanformer.task import Task
from leanformer.tune import candidates as candidates_module
from leanformer.tune import opening
from leanformer.tune import tune as tune_module
from leanformer.tune.candidates import candidates
from leanformer.tune.race import Entrant, RaceResult
from leanformer.tune.tune import tune
from tests.making.tiny import tiny_texts

TEXTS = tiny_texts(40, seed=4)[0]


@pytest.mark.parametrize("goal", ["throughput", "latency"])
@pytest.mark.parametrize("cores", [1, 2, 6])
def test_candidates_are_distinct_and_fit_the_cores(goal: str, cores: int):
    found = candidates(goal, cores)
    assert found[0] == default_settings(cores) and len(set(found)) == len(found)
    assert {candidate.engine for candidate in found} == set(ENGINES)
    assert [candidate.engine for candidate in found[: len(ENGINES)]] == list(ENGINES), (
        "each engine's plainest settings first"
    )
    for candidate in found:
        assert candidate.workers * candidate.worker_threads <= cores and 1 <= candidate.lone_threads <= cores
        assert goal == "throughput" or replace(candidate, engine="onnxruntime", lone_threads=cores) == found[0]
    if goal == "throughput" and cores == 6:
        assert {(candidate.workers, candidate.worker_threads) for candidate in found} >= {(6, 1), (1, 6), (3, 2)}


def test_pinning_is_tried_where_it_does_no_harm(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(candidates_module, "places", lambda workers, threads: [set()] if workers == 2 else None)
    pinned = [candidate for candidate in candidates("throughput", 2) if candidate.pinned]
    assert pinned and all(
        candidate.workers == 2 and candidate.engine in candidates_module.PINNABLE for candidate in pinned
    )
    monkeypatch.setattr(candidates_module, "places", lambda workers, threads: None)
    assert not any(candidate.pinned for candidate in candidates("throughput", 2))


def log(*probabilities: float) -> list[float]:
    return [float(np.log(probability)) for probability in probabilities]


def test_near_ties_may_fall_either_way():
    task = Task("classification", ("a", "b", "c"))
    reference = np.array([log(0.505, 0.49, 0.005), log(0.6, 0.3, 0.1), log(0.2, 0.7, 0.1), log(0.4, 0.3, 0.3)])
    ours = np.array([log(0.49, 0.505, 0.005), log(0.6, 0.3, 0.1), log(0.4, 0.35, 0.25), log(0.3, 0.3, 0.4)])
    assert changed_answers(ours, reference, task) == 0.5
    assert changed_answers(reference, reference, task) == 0
    ours[1] = np.nan
    assert changed_answers(ours, reference, task) == 0.75


def test_changed_labels_and_scores():
    task = Task("multilabel", ("a", "b"), thresholds=(0.5, 0.2))
    logit = lambda p: float(np.log(p / (1 - p)))  # noqa: E731
    reference = np.array([[logit(0.51), logit(0.1)], [logit(0.9), logit(0.3)], [logit(0.9), logit(0.3)]])
    ours = np.array([[logit(0.49), logit(0.1)], [logit(0.9), logit(0.1)], [logit(0.8), logit(0.3)]])
    assert changed_answers(ours, reference, task) == pytest.approx(1 / 3)
    scores = Task("regression", ())
    assert changed_answers(np.array([[0.0], [5.05], [10.0]]), np.array([[0.0], [5.0], [10.0]]), scores) == 0
    assert changed_answers(np.array([[0.0], [5.5], [10.0]]), np.array([[0.0], [5.0], [10.0]]), scores) == (
        pytest.approx(1 / 3)
    )


@pytest.fixture
def artifact(tiny_onnx_artifact: Path, tmp_path: Path) -> Artifact:
    shutil.copytree(tiny_onnx_artifact, tmp_path / "model")
    return open_artifact(tmp_path / "model")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only ONNX Runtime with two sizes of packs: what opens quickly on any machine."""
    chosen = [
        default_settings(2),
        replace(default_settings(2), pack_tokens=32),
        RuntimeSettings(workers=1, pack_tokens=32),
    ]
    monkeypatch.setattr(tune_module, "candidates", lambda goal, cores, engine: chosen)
    monkeypatch.setattr(opening, "_HOPELESS", 1e9)
    no_hurry(monkeypatch)


def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fraction of a second, in which all is opened however slow the machine, and a final has its fewest rounds."""
    monkeypatch.setattr(tune_module, "_OPENING_SHARE", 1e4)
    monkeypatch.setattr(tune_module, "LEAST_SECONDS", 0.1)
    monkeypatch.setattr(tune_module, "_check_budget", lambda *given: None)


def tuned(artifact: Artifact, **options: Any) -> dict[str, Any]:
    given = {"goal": "throughput", "seconds": 0.2, "cores": 2, "turn_texts": 16}
    record = tune(artifact, TEXTS, **(given | options))
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    return record


@pytest.mark.parametrize("goal", ["throughput", "latency"])
def test_a_record_says_all(goal: str, artifact: Artifact, few: None):
    record = tuned(artifact, goal=goal)
    assert record["content"] == artifact.content_hash and record["goal"] == goal
    assert record["machine"]["cores"] == 2 and record["data"]["texts"] == 16
    assert record["noise"] >= 0.01 and record["final_rounds"] >= 7
    assert len(record["alternatives"]) == 2 and record["precision"] == []
    for alternative in [record["default"], *record["alternatives"]]:
        assert alternative["ms_per_text"] > 0 and alternative["final_rounds"] == record["final_rounds"]
    known = [record["default"], *record["alternatives"]]
    assert any(record["choice"].items() <= alternative.items() for alternative in known)
    assert "noise is" in record["reason"]


def test_the_winner_is_chosen_and_only_by_more_than_the_noise(
    artifact: Artifact, few: None, monkeypatch: pytest.MonkeyPatch
):
    """With figures that are made up, the one that is faster in the final is the choice; else the default stays."""
    real = opening.turn

    def turn(predictor: LightPredictor, texts: Any, goal: str) -> float:
        real(predictor, texts, goal)
        return times[predictor.settings.pack_tokens, predictor.settings.workers]

    monkeypatch.setattr(opening, "turn", turn)
    times = {(None, 2): 1.0, (32, 2): 0.5, (32, 1): 2.0}
    record = tuned(artifact)
    assert (record["choice"]["pack_tokens"], record["choice"]["workers"]) == (32, 2)
    assert "2.00 times as fast" in record["reason"]
    times = {(None, 2): 1.0, (32, 2): 0.995, (32, 1): 2.0}
    record = tuned(artifact)
    assert (record["choice"]["pack_tokens"], record["choice"]["workers"]) == (None, 2)
    assert record["reason"].startswith("the default stays") and "1.01 times as fast" in record["reason"]


def other_precision(artifact: Artifact, folder: Path, precision: str = "int8") -> Artifact:
    """The same graph under another name and with a file more, so that it is other content."""
    shutil.copytree(artifact.path, folder)
    (folder / "note.txt").write_text(precision)
    fields = {"format": "onnx", "task": artifact.task, "max_tokens": artifact.max_tokens}
    return write_manifest(folder, **fields, properties={**artifact.properties, "precision": precision})


@pytest.mark.parametrize(
    ("int8_ms", "said"),
    [
        (0.5, "int8 (lean) is 2.00 times as fast as fp32 (model) here"),
        (2.0, "int8 (lean) is not faster here: fp32 (model) is 2.00 times as fast; use that folder"),
        (1.0, "int8 (lean) is not faster than fp32 (model) here: they differ by less than the noise"),
    ],
)
def test_it_says_where_int8_is_not_faster(
    int8_ms: float, said: str, artifact: Artifact, few: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    lean = other_precision(artifact, tmp_path / "lean")
    real = opening.turn

    def turn(predictor: LightPredictor, texts: Any, goal: str) -> float:
        real(predictor, texts, goal)
        return int8_ms if predictor.artifact.path.name == "lean" else 1.0

    monkeypatch.setattr(opening, "turn", turn)
    record = tuned(lean, siblings=[artifact])
    assert [entry["words"] for entry in record["precision"]] == [said]
    assert record["content"] == lean.content_hash


def test_answers_that_change_are_discarded(artifact: Artifact, few: None, monkeypatch: pytest.MonkeyPatch):
    real = opening.answers_of

    def answers(predictor: LightPredictor, texts: Any, goal: str) -> np.ndarray:
        found = real(predictor, texts, goal)
        return np.roll(found, 1, axis=1) if predictor.settings.workers == 1 else found

    monkeypatch.setattr(opening, "answers_of", answers)
    record = tuned(artifact)
    good, bad = record["alternatives"]
    assert good["changed"] == 0 and "final_rounds" in good
    assert bad["changed"] > 0.5 and "of the answers change, more than 1.00 %" in bad["left"]
    assert "ms_per_text" not in bad and record["choice"]["workers"] == 2
    assert "left" not in tuned(artifact, max_changed=1.0)["alternatives"][1]


def test_of_a_sibling_with_other_answers_their_share_is_told(
    artifact: Artifact, few: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    lean = other_precision(artifact, tmp_path / "lean")
    real = opening.answers_of

    def answers(predictor: LightPredictor, texts: Any, goal: str) -> np.ndarray:
        found = real(predictor, texts, goal)
        return np.roll(found, 1, axis=1) if predictor.artifact.path.name == "model" else found

    monkeypatch.setattr(opening, "answers_of", answers)
    [one] = tuned(lean, siblings=[artifact])["precision"]
    assert one["ratio"] > 0 and one["changed"] > 0.5
    assert one["words"].endswith(f"; {100 * one['changed']:.1f} % of the answers are others")


def test_a_sibling_that_does_not_run_is_not_compared(
    artifact: Artifact, few: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    lean = other_precision(artifact, tmp_path / "lean")
    real = opening.answers_of

    def answers(predictor: LightPredictor, texts: Any, goal: str) -> np.ndarray:
        if predictor.artifact.path.name == "model":
            raise RuntimeError("no such operator")
        return real(predictor, texts, goal)

    monkeypatch.setattr(opening, "answers_of", answers)
    [one] = tuned(lean, siblings=[artifact])["precision"]
    assert one["words"] == "fp32 (model) was not compared: failed: RuntimeError: no such operator"


def test_engines_that_cannot_run_are_skipped_with_the_reason(artifact: Artifact, monkeypatch: pytest.MonkeyPatch):
    default = default_settings(2)
    chosen = [default, replace(default, engine="openvino"), replace(default, engine="openvino", pack_tokens=64)]
    monkeypatch.setattr(
        tune_module, "candidates", lambda goal, cores, engine: [*chosen, replace(default, pack_tokens=32)]
    )
    tries = []

    def load(self: LightPredictor, threads: int, streams: int) -> Any:
        if self.engine == "openvino":
            tries.append(self.settings)
            raise MissingExtraError("the engine openvino", "openvino")
        if self.pack_tokens == 32:
            raise RuntimeError("out of cheese")
        return real(self, threads, streams)

    real = LightPredictor._load
    monkeypatch.setattr(LightPredictor, "_load", load)
    monkeypatch.setattr(opening, "open_candidate", forgetful(opening.open_candidate))
    no_hurry(monkeypatch)
    record = tuned(artifact)
    assert len(tries) == 1, "an engine that is not there is asked once"
    one, same, other = record["alternatives"]
    assert one["left"] == same["left"] == "does not run here: the engine openvino needs more than the base install"
    assert other["left"] == "failed: RuntimeError: out of cheese"
    assert record["reason"].startswith("the default stays") and record["choice"]["engine"] == "onnxruntime"


def forgetful(real: Any) -> Any:
    """Opening that finds no graph loaded already."""

    def opening(one: Any, base: LightPredictor, *rest: Any) -> Any:
        base._engines.clear()
        return real(one, base, *rest)

    return opening


@pytest.mark.parametrize("seconds", [0, -1, 1.9, float("nan")])
def test_no_time_is_refused(seconds: float, artifact: Artifact):
    with pytest.raises(LeanformerError, match="--seconds"):
        tuned(artifact, seconds=seconds)


def test_too_little_time_for_a_slow_model_names_what_would_do(artifact: Artifact, monkeypatch: pytest.MonkeyPatch):
    real = opening.open_candidate
    monkeypatch.setattr(tune_module, "open_candidate", lambda *given: (real(*given)[0], 3.0))
    with pytest.raises(LeanformerError, match=r"a turn of the default takes 3.00 s.*\n.*--seconds 253"):
        tuned(artifact, seconds=60.0)


def test_turns_are_made_shorter_where_no_number_of_texts_is_asked_for(
    artifact: Artifact, few: None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tune_module, "rate", lambda *given: 1e6)
    monkeypatch.setattr(opening, "_LEAST_PACKS", 0)
    monkeypatch.setattr(tune_module, "_needed_seconds", lambda turn: 0.2 * 1.25)
    assert tuned(artifact, turn_texts=None)["data"]["texts"] == 16
    monkeypatch.setattr(tune_module, "_needed_seconds", lambda turn: 0.1)
    assert tuned(artifact, turn_texts=None)["data"]["texts"] == len(TEXTS) == 40


def test_what_there_was_no_time_for_says_so(artifact: Artifact, few: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tune_module, "_OPENING_SHARE", 0.0)
    record = tuned(artifact)
    assert all("time for opening was over" in alternative["left"] for alternative in record["alternatives"])


def test_a_turn_has_packs_enough_for_all_workers(artifact: Artifact, few: None, monkeypatch: pytest.MonkeyPatch):
    """Few texts in large packs leave workers idle, which they would not be with many."""
    default = RuntimeSettings(workers=2, pack_tokens=24)
    chosen = [default, replace(default, pack_tokens=16), replace(default, pack_tokens=2048)]
    monkeypatch.setattr(tune_module, "candidates", lambda goal, cores, engine: chosen)
    monkeypatch.setattr(tune_module, "rate", lambda *given: 1.0)
    base = LightPredictor(artifact, threads=2, settings=default)
    least = opening.least_texts(base, TEXTS, "throughput")
    rows = base.tokenize(TEXTS)
    assert len(base.packs(rows[:least])) >= 6 and opening.least_texts(base, TEXTS, "latency") == 16
    record = tuned(artifact, turn_texts=None)
    small, large = record["alternatives"]
    assert "ms_per_text" in small and "ms_per_text" not in large
    assert "too few packs to tell (1 in a turn" in large["left"]
    asked = tuned(artifact, turn_texts=40)["alternatives"]
    assert all("ms_per_text" in alternative for alternative in asked), (
        "with --texts it is known how many are asked at once"
    )


def test_a_verdict_needs_more_than_the_noise():
    one = Entrant("one", lambda: 0.0, final_ratios=[1.05] * 9)
    assert RaceResult(0.03, 9, [one]).faster(one) and not RaceResult(0.06, 9, [one]).faster(one)
    one.final_ratios = [1.5, 0.7] * 5
    assert not RaceResult(0.01, 9, [one]).faster(one)
