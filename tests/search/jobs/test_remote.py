"""A search on a cluster: what is timed where, what a death changes, and that nothing is lost or there twice."""

from __future__ import annotations

import json
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leanformer.artifact import Artifact
from leanformer.cluster.connection import connected
from leanformer.cluster.pool import TaskPool
from leanformer.errors import LeanformerError
from leanformer.measure.speed import SpeedSettings
from leanformer.search.jobs.executor import Job, Result, Serial
from leanformer.search.jobs.local import JobRunner
from leanformer.search.jobs.remote import ClusterExecutor, make_trial, on_ray
from leanformer.search.run import JOURNAL, Searched, search
from leanformer.search.space.goals import TIMED
from leanformer.search.study.budget import SearchBudget
from leanformer.search.study.drive import drive
from leanformer.search.study.journal import Journal
from leanformer.search.study.sampler import Sampler
from leanformer.search.study.study import Study
from leanformer.search.study.trial import FAILED, FINISHED
from tests.cluster.killing import Killer, so_many
from tests.making.clusters import PretendedRay, placed
from tests.making.searches import space_of
from tests.making.tiny import tiny_dataset

SPACE = """\
name: tiny
goals: {maximise: quality, minimise: latency_ms_p50}
steps:
  - step: compress.distil
    name: student
    uses: teacher
    layers: {choose: [2, 1]}
    trial_texts: 0
    epochs: {choose: [2, 1]}
    learning_rate: {choose: [0.003, 0.001]}
    use_unlabelled: false
  - {step: export.onnx, max_difference: 0.01}
"""
UNTIMED = SPACE.replace("latency_ms_p50", "bytes")
QUICK = SpeedSettings(rounds=1, latency_texts=10, seconds=0.01)
HERE = socket.gethostname()


@pytest.fixture
def runner(tmp_path: Path, teacher: Artifact) -> JobRunner:
    return JobRunner(teacher, replace(tiny_dataset(), test=None), tmp_path / "work", 1, "cpu", QUICK)


def driven(folder: Path, runner: JobRunner, executor: Any, text: str = SPACE, trials: int = 6) -> Study:
    journal = Journal(folder / JOURNAL)
    try:
        space = space_of(folder, text)
        study = Study(space, Sampler(space, "grid", 13), journal, {})
        drive(study, SearchBudget(trials=trials), executor, 13, lambda line: None)
        return study
    finally:
        journal.close()


def nothing_lost_or_twice(study: Study, journal: Path, trials: int) -> None:
    """Every trial has one result, in memory and in the journal."""
    assert study.count == trials == len(study.of_state(FINISHED))
    assert all(len(trial.results) == 1 for trial in study.trials)
    events = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    for kind in ("asked", "measured", "decided"):
        assert Counter(event["trial"] for event in events if event["event"] == kind) == dict.fromkeys(range(trials), 1)


# ---- with a pretended Ray --------------------------------------------------------------------------------------


@pytest.fixture
def _placed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TaskPool, "_on", placed)


@pytest.mark.slow
@pytest.mark.usefixtures("_placed")
def test_a_cluster_comes_to_what_this_machine_does(tmp_path: Path, runner: JobRunner):
    ray = PretendedRay({HERE: 2})
    ray.deaths = 1
    study = driven(tmp_path / "cluster", runner, ClusterExecutor(ray, runner, cores=1, timed=True))
    nothing_lost_or_twice(study, tmp_path / "cluster" / JOURNAL, 6)
    assert len(ray.begun) == 7
    alone = replace(runner, work=tmp_path / "alone")
    plain = driven(tmp_path / "serial", alone, Serial(alone))
    for ours, theirs in zip(study.trials, plain.trials, strict=True):
        assert ours.params == theirs.params and set(ours.figures) == set(theirs.figures)
        assert ours.results[0]["content_hash"] == theirs.results[0]["content_hash"]
        for name in set(ours.figures) - set(TIMED):
            assert ours.figures[name] == pytest.approx(theirs.figures[name]), name


@pytest.mark.slow
@pytest.mark.usefixtures("_placed")
def test_nothing_is_timed_while_a_trial_runs_on_this_machine(
    tmp_path: Path, runner: JobRunner, monkeypatch: pytest.MonkeyPatch
):
    executor = ClusterExecutor(PretendedRay({HERE: 2, "other": 1}), runner, cores=1, timed=True)
    busy: list[tuple[bool, int]] = []
    original = JobRunner.times

    def noting(one: JobRunner, *arguments: Any) -> dict[str, float]:
        busy.append((executor._pool.busy_here(), executor._pool.running))
        return original(one, *arguments)

    monkeypatch.setattr(JobRunner, "times", noting)
    study = driven(tmp_path / "cluster", runner, executor, trials=8)
    nothing_lost_or_twice(study, tmp_path / "cluster" / JOURNAL, 8)
    models = {trial.results[0]["content_hash"] for trial in study.trials}
    assert len(busy) == len(models) > 2, "each model once"
    assert not any(here for here, _ in busy)
    assert any(running for _, running in busy), "trials on other machines go on meanwhile"


@pytest.mark.usefixtures("_placed")
def test_nothing_is_timed_that_nobody_asks_for(tmp_path: Path, runner: JobRunner, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(JobRunner, "times", None)
    executor = ClusterExecutor(PretendedRay(), runner, cores=1, timed=False)
    study = driven(tmp_path / "cluster", runner, executor, UNTIMED, trials=3)
    assert study.count == 3 and study.front()
    assert all(not set(TIMED) & set(trial.figures) and "drop" in trial.figures for trial in study.trials)


@pytest.mark.usefixtures("_placed")
def test_a_trial_that_kills_its_workers_has_failed_and_the_next_one_runs(tmp_path: Path, runner: JobRunner):
    ray = PretendedRay({HERE: 1})
    ray.deaths = 2
    executor = ClusterExecutor(ray, runner, cores=1, timed=False, retries=1)
    study = driven(tmp_path / "cluster", runner, executor, UNTIMED, trials=2)
    assert [trial.state for trial in study.trials] == [FAILED, FINISHED]
    assert "died 2 times" in study.trials[0].reason


@pytest.mark.usefixtures("_placed")
def test_a_work_folder_that_is_not_shared_is_noticed(
    tmp_path: Path, runner: JobRunner, monkeypatch: pytest.MonkeyPatch
):
    executor = ClusterExecutor(PretendedRay(), runner, cores=1, timed=False)
    executor._given = ({**executor._given[0], "work": str(tmp_path / "elsewhere")}, executor._given[1])
    with pytest.raises(LeanformerError, match="storage that all machines share"):
        driven(tmp_path / "cluster", runner, executor, UNTIMED, trials=1)


def test_another_teacher_on_a_worker_ends_the_search(runner: JobRunner, tmp_path: Path):
    setting = {"teacher": str(runner.teacher.path), "content": "0" * 64, "work": str(tmp_path), "cores": 1}
    with pytest.raises(LeanformerError, match="another model on this machine"):
        make_trial(setting, runner.data, {})


@pytest.mark.parametrize(("changes", "said"), [({"device": "cuda"}, "no GPU"), ({"energy": object()}, "energy")])
def test_what_a_cluster_cannot_do_is_said(changes: dict[str, Any], said: str, runner: JobRunner):
    with pytest.raises(LeanformerError, match=said):
        ClusterExecutor(PretendedRay(), replace(runner, **changes), cores=1, timed=True)


# ---- with Ray --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    pytest.importorskip("ray")
    with connected("local", local_cores=2) as ray:
        yield ray


def searched(folder: Path, teacher: Artifact, executor: Any, said: list[str], trials: int = 8) -> Searched:
    return search(
        space_of(folder, SPACE), str(teacher.path), tiny_dataset(), folder / "found",
        budget=SearchBudget(trials=trials),
        sampler="grid", threads=1, device="cpu", speed=QUICK, final_speed=QUICK, executor=executor,
        allow_weak_teacher=True, allow_lost_classes=True, say=said.append,
    )  # fmt: skip


@pytest.mark.slow
def test_a_search_survives_a_killed_worker(cluster: Any, tmp_path: Path, teacher: Artifact):
    said: list[str] = []
    journal = tmp_path / "found.work" / JOURNAL
    with (
        Killer(b"ray::make_trial", lambda: so_many(journal, '"measured"', 1)) as killer,
        on_ray("local", cores=1, timed=True) as executor,
    ):
        found = searched(tmp_path, teacher, executor, said)
    assert killer.killed is not None, "no worker was killed in mid-run, so this has shown nothing"
    assert any("a worker died" in line for line in said)
    assert found.record["counts"] == {"finished": 8} and found.front
    events = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    for kind in ("asked", "measured", "decided"):
        assert Counter(event["trial"] for event in events if event["event"] == kind) == dict.fromkeys(range(8), 1)
    params = [json.dumps(trial["params"], sort_keys=True) for trial in found.record["trials"]]
    assert len(set(params)) == 8, "the whole grid, each combination once"
    assert all(set(TIMED) <= set(trial["figures"]) for trial in found.record["trials"])
    assert not list((tmp_path / "found.work").rglob("*.partial"))
    assert not [path for path in (tmp_path / "found.work" / "running").iterdir()]
    # The killed worker's trial made what it would have made in peace.
    peaceful = JobRunner(teacher, replace(tiny_dataset(), test=None), tmp_path / "peace", 1, "cpu", QUICK)
    plain = driven(tmp_path / "serial", peaceful, Serial(peaceful), trials=8)
    hashes = {json.dumps(trial.params, sort_keys=True): trial.results[0]["content_hash"] for trial in plain.trials}
    made = [event["result"]["content_hash"] for event in events if event["event"] == "measured"]
    numbers = [event["trial"] for event in events if event["event"] == "measured"]
    assert {params[n]: content for n, content in zip(numbers, made, strict=True)} == hashes


class KilledError(BaseException):
    """Like a kill: nothing of ours catches it."""


@pytest.mark.slow
def test_a_killed_driver_is_taken_up(cluster: Any, tmp_path: Path, teacher: Artifact):
    with on_ray("local", cores=1, timed=True) as make:

        def dying(runner: JobRunner) -> Any:
            executor = make(runner)
            original, left = executor.take, [3]

            def take() -> tuple[Job, Result]:
                left[0] -= 1
                if not left[0]:
                    raise KilledError
                return original()

            executor.take = take  # type: ignore[method-assign]
            return executor

        with pytest.raises(KilledError):
            searched(tmp_path, teacher, dying, [])
    journal = tmp_path / "found.work" / JOURNAL
    before = journal.read_text(encoding="utf-8")
    assert before.count('"measured"') == 2 and before.count('"asked"') == 4, "two were under way"
    with on_ray("local", cores=1, timed=True) as make:
        found = searched(tmp_path, teacher, make, [])
    assert journal.read_text(encoding="utf-8").startswith(before)
    assert found.record["counts"] == {"finished": 8}
    events = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]
    for kind in ("asked", "measured", "decided"):
        assert Counter(event["trial"] for event in events if event["event"] == kind) == dict.fromkeys(range(8), 1)
