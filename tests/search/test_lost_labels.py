"""A trial that loses a label which the teacher finds is not on the front, unless that is asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.answers.forms import decide
from leanformer.artifact import Artifact
from leanformer.cluster.pool import TaskPool
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.loading import open_predictor
from leanformer.measure.speed import SpeedSettings
from leanformer.models.store import write_classifier
from leanformer.predictor import logits
from leanformer.search.jobs import local
from leanformer.search.jobs.executor import Job, Result, Serial
from leanformer.search.jobs.latency import LatencyPredictor
from leanformer.search.jobs.local import FIGURES, JobRunner
from leanformer.search.jobs.remote import ClusterExecutor
from leanformer.search.run import JOURNAL, Searched, search
from leanformer.search.study.budget import SearchBudget
from leanformer.search.study.drive import drive
from leanformer.search.study.journal import Journal
from leanformer.search.study.sampler import Sampler
from leanformer.search.study.study import Study
from leanformer.search.study.trial import FINISHED
from leanformer.task import Task
from tests.making.clusters import PretendedRay, placed
from tests.making.damage import DAMAGES
from tests.making.knowing import knowing
from tests.making.searches import SIMPLE, figures, option, pretended, space_of
from tests.making.tagged import tagged_dataset, tagger_artifact
from tests.making.tiny import LABELS, tiny_tokenizer
from tests.search.rare import LOST, SPACE, WORDS, knowing_teacher, rare_dataset
from tests.search.study.test_study import HALVED, told

QUICK = SpeedSettings(rounds=1, latency_texts=10, seconds=0.01)


def losing(job: Job) -> Result:
    """Like `pretended`, but a model of one layer, smaller and within the bounds, loses a label."""
    result = pretended(job)
    return result | {"figures": result["figures"] | {"lost": [LOST] if option(job, "student", "layers") == 1 else []}}


def driven(
    folder: Path, function: Any = losing, text: str = SIMPLE, *, trials: int = 10, sampler: str = "tpe",
    allow: bool = False, said: list[str] | None = None,
) -> Study:  # fmt: skip
    journal = Journal(folder / "trials.jsonl")
    try:
        space = space_of(folder, text)
        space = replace(space, goals=replace(space.goals, allow_lost=allow))
        study = Study(space, Sampler(space, sampler, 13, space.halving), journal, {})
        drive(study, SearchBudget(trials=trials), Serial(function), 13, ([] if said is None else said).append)
        return study
    finally:
        journal.close()


def layers(trials: list[Any]) -> set[int]:
    return {trial.params["student.layers"] for trial in trials}


# ---- the study -------------------------------------------------------------------------------------------------


def test_what_loses_a_label_is_not_on_the_front_unless_allowed(tmp_path: Path):
    said: list[str] = []
    study = driven(tmp_path, said=said)
    assert layers(study.of_state(FINISHED)) == {1, 2}
    assert layers(study.front()) == {2} and layers(study.kept_off()) == {1}
    lossy = next(trial for trial in study.of_state(FINISHED) if trial.params["student.layers"] == 1)
    assert f"trial {lossy.number} loses on dev: {LOST}" in said
    allowed = driven(tmp_path, allow=True)
    assert told(allowed) == told(study), "the same journal, taken up"
    assert layers(allowed.front()) == {1, 2} and allowed.kept_off() == []


def test_one_goal_takes_the_best_of_those_that_lose_nothing(tmp_path: Path):
    text = SIMPLE.replace("  maximise: accuracy\n", "")
    assert layers(driven(tmp_path, text=text).front()) == {2}
    assert layers(driven(tmp_path, text=text, allow=True).front()) == {1}


def test_where_all_lose_one_nothing_is_on_the_front_and_it_is_said_why(tmp_path: Path):
    said: list[str] = []

    def all_lose(job: Job) -> Result:
        result = pretended(job)
        return result | {"figures": result["figures"] | {"lost": [LOST]}}

    study = driven(tmp_path, all_lose, trials=3, said=said)
    assert study.front() == [] and study.kept_off()
    assert "what keeps the bounds loses a label" in said[-1]


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
@pytest.mark.parametrize("text", [SIMPLE, HALVED])
def test_a_search_cut_anywhere_decides_alike(text: str, sampler: str, tmp_path: Path):
    whole = driven(tmp_path / "whole", text=text, sampler=sampler, trials=8)
    lines = (tmp_path / "whole" / "trials.jsonl").read_bytes().splitlines(keepends=True)
    for cut in range(2, len(lines), 5):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / "trials.jsonl").write_bytes(b"".join(lines[:cut]))
        again = driven(folder, text=text, sampler=sampler, trials=8)
        assert told(again) == told(whole)
        assert [trial.number for trial in again.front()] == [trial.number for trial in whole.front()]


def test_trials_of_an_earlier_version_count_as_before(tmp_path: Path):
    """Their results tell nothing of lost labels."""
    before = driven(tmp_path, pretended, trials=6)
    assert layers(before.front()) == {1, 2} and before.kept_off() == []
    longer = driven(tmp_path, losing, trials=12)
    assert told(longer)[:6] == told(before)
    assert all(trial.number < 6 or not trial.figures["lost"] for trial in longer.front())
    assert 1 in layers([trial for trial in longer.trials if trial.number >= 6])


def test_the_sampler_learns_that_losing_a_label_passes_a_bound(tmp_path: Path):
    study = driven(tmp_path)
    told_of = {
        trial.number: study.sampler._study.trials[trial.number].constraints for trial in study.of_state(FINISHED)
    }
    for trial in study.of_state(FINISHED):
        assert told_of[trial.number] == ({"lost": 1.0} if trial.params["student.layers"] == 1 else {})


def test_before_the_whole_training_nothing_counts_as_lost(tmp_path: Path):
    """A third of a training may not have learnt a rare class yet."""

    def late(job: Job) -> Result:
        result = pretended(job)
        return result | {"figures": result["figures"] | {"lost": [LOST] if job["share"] < 1 else []}}

    plain, found = (driven(tmp_path / name, function, HALVED) for name, function in (("a", pretended), ("b", late)))
    assert [(trial.params, trial.state) for trial in found.trials] == [
        (trial.params, trial.state) for trial in plain.trials
    ]
    assert found.front() and found.kept_off() == []


def test_no_shape_is_hopeless_for_being_worse_than_one_that_loses_a_label(tmp_path: Path):
    goals = space_of(tmp_path, SIMPLE.replace("bytes", "latency_ms_p95")).goals
    judge = LatencyPredictor(knowing_teacher(tmp_path / "teacher"), goals, 0.9)
    study = driven(tmp_path / "s", trials=1)
    trial = replace(study.trials[0], results=[{"figures": figures(quality=0.95, latency_ms_p95=0.1)}])
    assert judge.hopeless({"latency_ms_p95": 9.0}, [trial])
    trial.results[0]["figures"]["lost"] = [LOST]
    assert judge.hopeless({"latency_ms_p95": 9.0}, [trial]) is None
    allowing = replace(judge, goals=replace(goals, allow_lost=True))
    assert allowing.hopeless({"latency_ms_p95": 9.0}, [trial])


# ---- what a trial's model loses --------------------------------------------------------------------------------


def several() -> Dataset:
    """Any number of topics a text; the last is rare."""
    task = Task("multilabel", LABELS)
    texts = ["song the", "goal the", "song goal", "the rain"] * 5
    labels = [(0,), (1,), (0, 1), (2,)] * 5
    return Dataset(task=task, name="several", dev=Examples(task, tuple(texts), tuple(labels), source="dev"))


@pytest.mark.parametrize("kind", ["label", "labels", "tags"])
def test_the_teacher_answers_once_and_is_kept(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):  # fmt: skip
    if kind == "tags":
        teacher, data = tagger_artifact(tmp_path / "t"), replace(tagged_dataset(), test=None)
    elif kind == "label":
        teacher, data = knowing_teacher(tmp_path / "t"), replace(rare_dataset(), test=None)
    else:
        data = several()
        teacher = write_classifier(
            knowing([[word] for word in WORDS]), tmp_path / "t", task=data.task, max_tokens=32, history=[],
            tokenizer=tiny_tokenizer(tmp_path / "pieces"),
        )  # fmt: skip
    opened: list[Any] = []

    def noting(artifact: Artifact, **named: Any) -> Any:
        opened.append(artifact)
        return open_predictor(artifact, **named)

    monkeypatch.setattr(local, "open_predictor", noting)
    predictor = open_predictor(teacher)
    expected = decide(logits(predictor, data.dev.inputs), teacher.task)  # type: ignore[union-attr]
    for _ in range(2):  # another runner, as in another process
        runner = JobRunner(teacher, data, tmp_path / "work", 1, "cpu", QUICK)
        found = runner.teacher_answers()
        assert len(found) == len(expected)
        assert all(np.array_equal(ours, theirs) for ours, theirs in zip(found, expected, strict=True))
        assert runner.judged(predictor)["lost"] == []
    assert len(opened) == 1
    (kept,) = (tmp_path / "work" / FIGURES).glob("answers-*.json")
    said: list[str] = []
    DAMAGES["a third"](kept)
    again = replace(runner, say=said.append).teacher_answers()
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(again, expected, strict=True))
    assert len(opened) == 2 and said


def test_without_labels_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Scores have none, and no teacher is asked."""
    task = Task("regression", ())
    dev = Examples(task, ("song the", "goal the", "rain"), (0.1, 0.2, 0.3), source="dev")
    pieces = tiny_tokenizer(tmp_path / "pieces")
    model = write_classifier(
        knowing([["song"]]), tmp_path / "t", task=task, max_tokens=32, tokenizer=pieces, history=[]
    )
    monkeypatch.setattr(JobRunner, "teacher_answers", None)
    runner = JobRunner(model, Dataset(task=task, name="scores", dev=dev), tmp_path / "work", 1, "cpu", QUICK)
    assert runner.judged(open_predictor(model))["lost"] == []


# ---- whole searches --------------------------------------------------------------------------------------------


def searched(folder: Path, teacher: Artifact, said: list[str], **changes: Any) -> Searched:
    return search(
        space_of(folder, SPACE), str(teacher.path), rare_dataset(), folder / "found", budget=SearchBudget(trials=2),
        sampler="grid", threads=1, device="cpu", speed=QUICK, final_speed=QUICK, say=said.append, **changes,
    )  # fmt: skip


@pytest.mark.slow
def test_the_smaller_model_that_loses_the_rare_class_is_not_delivered(tmp_path: Path):
    teacher, said = knowing_teacher(tmp_path / "teacher"), list[str]()
    found = searched(tmp_path, teacher, said)
    by_count = {trial["params"]["trimmed.min_count"]: trial for trial in found.record["trials"]}
    full, blind = by_count[1], by_count[20]
    assert (full["figures"]["lost"], blind["figures"]["lost"]) == ([], [LOST])
    assert blind["figures"]["bytes"] < full["figures"]["bytes"] and blind["figures"]["drop"] < 10, "it would be chosen"
    assert list(found.front) == [full["trial"]] and found.record["kept_off"] == [blind["trial"]]
    note = (
        f"trial {blind['trial']} loses on dev: {LOST}, so it is not on the front (--allow-lost-classes leaves it there)"
    )
    assert f"note: {note}" in said
    assert found.report is not None and found.report.notes[0] == note
    output = tmp_path / "found"
    first = (output / "report.md").read_text(encoding="utf-8").split("\n\n")[1]
    assert first == f"**Note: {note}.**"
    assert [path.name for path in (output / "front").iterdir()] == [f"trial-{full['trial']:03}"]
    journal = (tmp_path / "found.work" / JOURNAL).read_text(encoding="utf-8")

    asked = searched(tmp_path, teacher, [], allow_lost_classes=True)  # what the note says, in the same folders
    assert (tmp_path / "found.work" / JOURNAL).read_text(encoding="utf-8") == journal, "no trial is run again"
    assert list(asked.front) == [blind["trial"]] and asked.record["kept_off"] == []
    assert asked.report is not None and asked.report.notes[0] == f"'trial {blind['trial']}' loses on dev: {LOST}"
    lines = (output / "report.md").read_text(encoding="utf-8").split("\n\n")
    assert lines[1] == f"**Note: trial {blind['trial']} loses on dev: {LOST}, and is on the front all the same.**"

    again = searched(tmp_path, teacher, [])
    assert list(again.front) == list(found.front) and again.record["trials"] == found.record["trials"]


@pytest.mark.slow
def test_on_a_cluster_the_same_trials_lose_the_same_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(TaskPool, "_on", placed)
    asked: list[int] = []
    original = JobRunner._teacher_logits

    def noting(runner: JobRunner) -> np.ndarray:
        asked.append(1)
        return original(runner)

    monkeypatch.setattr(JobRunner, "_teacher_logits", noting)
    teacher = knowing_teacher(tmp_path / "teacher")
    found = searched(
        tmp_path, teacher, [], executor=lambda runner: ClusterExecutor(PretendedRay(), runner, cores=1, timed=False)
    )
    lost = {trial["params"]["trimmed.min_count"]: trial["figures"]["lost"] for trial in found.record["trials"]}
    assert lost == {1: [], 20: [LOST]}
    assert [found.record["trials"][number]["params"]["trimmed.min_count"] for number in found.front] == [1]
    assert len(asked) == 2, "for its quality and for its answers, whatever the number of trials"
    events = [json.loads(line) for line in (tmp_path / "found.work" / JOURNAL).read_text().splitlines()]
    assert [LOST] in [event["result"]["figures"]["lost"] for event in events if event["event"] == "measured"]


def test_the_teacher_is_asked_before_all_workers_would_ask_it(tmp_path: Path):
    teacher, data = knowing_teacher(tmp_path / "t"), replace(rare_dataset(), test=None)
    runner = JobRunner(teacher, data, tmp_path / "w", 1, "cpu", QUICK)
    ClusterExecutor(PretendedRay(), runner, cores=1, timed=False)
    assert len(list((tmp_path / "w" / FIGURES).glob("answers-*.json"))) == 1
