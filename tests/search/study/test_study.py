"""Driving a study with results from nowhere: what is asked, what is stopped, and what a kill leaves."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from leanformer.errors import LeanformerError, RecipeError
from leanformer.search.jobs.executor import Job, Result, Serial
from leanformer.search.space.read import read_space
from leanformer.search.study.budget import SearchBudget
from leanformer.search.study.drive import drive
from leanformer.search.study.journal import Journal
from leanformer.search.study.sampler import SAMPLERS, Sampler
from leanformer.search.study.study import Study
from leanformer.search.study.trial import FAILED, FINISHED, REPEATED, STOPPED
from tests.making.damage import DAMAGES
from tests.making.searches import SIMPLE, figures, option, pretended, space_of, write_space

HALVED = SIMPLE.replace("steps:", "halving: {over: epochs, least: 0.33, factor: 3}\nsteps:", 1)
ONE_GOAL = HALVED.replace("  minimise: bytes\n", "")
BRANCHES = """\
goals: {maximise: quality, minimise: latency_ms_p95}
steps:
  - step: compress.distil
    name: student
    layers: {choose: [2, 1]}
    learning_rate: {range: [1e-4, 1e-2], log: true}
  - name: pruning
    choose:
      - null
      - {step: compress.prune, name: pruned, keep: {range: [0.4, 0.8], step: 0.2}}
  - step: export.onnx
"""


class KilledError(BaseException):
    """Like a kill: nothing of ours catches it."""


def study_of(space_path: Path, journal: Journal, sampler: str = "tpe", seed: int = 13, **named: Any) -> Study:
    space = read_space(space_path)
    return Study(
        space, Sampler(space, sampler, seed, space.halving), journal, {"sampler": sampler, "seed": seed}, **named
    )


def run(
    folder: Path,
    text: str = SIMPLE,
    *,
    trials: int = 12,
    sampler: str = "tpe",
    seed: int = 13,
    function: Callable[[Job], Result] = pretended,
    said: list[str] | None = None,
    warned: list[str] | None = None,
) -> Study:
    journal = Journal(folder / "trials.jsonl", ([] if warned is None else warned).append)
    try:
        study = study_of(write_space(folder, text), journal, sampler, seed)
        lines = [] if said is None else said
        drive(study, SearchBudget(trials=trials), Serial(function), seed, lines.append)
        return study
    finally:
        journal.close()


def told(study: Study) -> list[Any]:
    """All that a search decided, without the times it took."""
    return [
        (trial.number, trial.params, trial.state, trial.of, [r["figures"] for r in trial.results])
        for trial in study.trials
    ]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_trial_respects_the_holes(sampler: str, tmp_path: Path):
    study = run(tmp_path, BRANCHES, sampler=sampler, trials=16)
    assert study.count == 16
    for trial in study.trials:
        assert trial.params["student.layers"] in (1, 2)
        assert 1e-4 <= trial.params["student.learning_rate"] <= 1e-2
        assert ("pruned.keep" in trial.params) == (trial.params["pruning"] == "compress.prune")
        assert trial.params.get("pruned.keep", 0.4) in (0.4, 0.6, pytest.approx(0.6), 0.8)
    assert len({json.dumps(trial.params, sort_keys=True) for trial in study.of_state(FINISHED)}) == 16
    assert {trial.params["pruning"] for trial in study.trials} == {None, "compress.prune"}


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "random"])
def test_another_seed_tries_other_things_and_the_same_the_same(sampler: str, tmp_path: Path):
    first, again, other = (run(tmp_path / str(i), sampler=sampler, seed=seed) for i, seed in enumerate((1, 1, 2)))
    assert told(first) == told(again)
    assert told(first) != told(other)


def test_a_search_comes_near_the_best_and_nearer_than_it_began(tmp_path: Path):
    study = run(tmp_path, SIMPLE.replace("  minimise: bytes\n", ""), trials=30)
    best = study.front()[0]
    assert best.params["student.layers"] == 2 and best.figures["quality"] > 0.94
    assert len(study.front()) == 1


def test_the_front_is_what_nothing_dominates(tmp_path: Path):
    study = run(tmp_path, trials=20)
    found = [(trial.figures["quality"], trial.figures["bytes"]) for trial in study.front()]
    everything = [(trial.figures["quality"], trial.figures["bytes"]) for trial in study.of_state(FINISHED)]
    brute = [a for a in everything if not any(b[0] >= a[0] and b[1] <= a[1] and b != a for b in everything)]
    assert sorted(found) == sorted(set(brute))
    assert {size for _, size in found} == {1000, 2000}


@pytest.mark.slow
@pytest.mark.parametrize("text", [SIMPLE, HALVED, ONE_GOAL, BRANCHES], ids=["plain", "halved", "one goal", "branches"])
@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_killed_anywhere_and_taken_up_it_runs_the_same_trials(text: str, sampler: str, tmp_path: Path):
    whole = run(tmp_path / "whole", text, sampler=sampler, trials=14)
    draw = Random(f"{text}{sampler}")
    for turn in range(3):
        folder = tmp_path / f"killed{turn}"
        deaths = 0
        for _ in range(40):
            left = draw.randrange(1, 6)

            def dying(job: Job) -> Result:
                nonlocal left
                left -= 1
                if left == 0:
                    raise KilledError
                return pretended(job)

            try:
                study = run(folder, text, sampler=sampler, trials=14, function=dying)
            except KilledError:
                deaths += 1
                if draw.random() < 0.5:  # in the middle of a line, too
                    with open(folder / "trials.jsonl", "ab") as handle:
                        handle.write(b'{"event": "meas')
                continue
            break
        assert deaths >= 2
        assert told(study) == told(whole)


def test_killed_between_a_result_and_its_consequence(tmp_path: Path):
    whole = run(tmp_path / "whole", HALVED, trials=10)
    lines = (tmp_path / "whole" / "trials.jsonl").read_bytes().splitlines(keepends=True)
    for cut in range(1, len(lines)):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / "trials.jsonl").write_bytes(b"".join(lines[:cut]))
        assert told(run(folder, HALVED, trials=10)) == told(whole), lines[cut - 1]


def test_a_journal_of_another_search_is_refused(tmp_path: Path):
    run(tmp_path, trials=2, seed=1)
    with pytest.raises(RecipeError, match=r"of another search \(its seed differs\)"):
        run(tmp_path, trials=2, seed=2)


@pytest.mark.slow
@pytest.mark.parametrize("line", [0, 1, 2, 5, 9, -1])
@pytest.mark.parametrize("name", DAMAGES)
def test_from_a_damaged_line_on_all_is_done_again(name: str, line: int, tmp_path: Path):
    whole = run(tmp_path / "whole", HALVED, trials=6)
    content = (tmp_path / "whole" / "trials.jsonl").read_bytes()
    lines = content.splitlines(keepends=True)
    (tmp_path / "one").write_bytes(lines[line])
    DAMAGES[name](tmp_path / "one")
    lines[line] = (tmp_path / "one").read_bytes()
    path, said = tmp_path / "damaged" / "trials.jsonl", list[str]()
    path.parent.mkdir()
    path.write_bytes(b"".join(lines))
    assert told(run(path.parent, HALVED, trials=6, warned=said)) == told(whole)
    if (name, line) == ("emptied", -1):
        return  # a line less than there was: what it told is done again, and nobody can know
    assert len(said) == 1 and said[0].startswith(f"warning: {path}")
    again: list[str] = []
    assert told(run(path.parent, HALVED, trials=6, warned=again)) == told(whole) and again == []
    if "cut off" not in said[0]:
        assert (path.parent / "trials-damaged.jsonl").read_bytes() == b"".join(lines), "what was there is kept"


def test_lines_that_are_lost_or_change_places_are_damage(tmp_path: Path):
    whole = run(tmp_path / "whole", trials=5)
    lines = (tmp_path / "whole" / "trials.jsonl").read_bytes().splitlines(keepends=True)
    for number, damaged in enumerate((lines[:3] + lines[4:], [lines[0], lines[2], lines[1], *lines[3:]], lines[1:])):
        path, said = tmp_path / str(number) / "trials.jsonl", list[str]()
        path.parent.mkdir()
        path.write_bytes(b"".join(damaged))
        assert told(run(path.parent, trials=5, warned=said)) == told(whole)
        assert len(said) == 1


def test_a_journal_of_an_earlier_version_is_taken_up(tmp_path: Path):
    """Its lines have no hash."""
    whole = run(tmp_path / "whole", HALVED, trials=8)
    events = [json.loads(line) for line in (tmp_path / "whole" / "trials.jsonl").read_text().splitlines()]
    assert all(event.pop("check") for event in events)
    path, said = tmp_path / "old" / "trials.jsonl", list[str]()
    path.parent.mkdir()
    path.write_text("".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events[:9]))
    assert told(run(path.parent, HALVED, trials=8, warned=said)) == told(whole)
    assert told(run(path.parent, HALVED, trials=8, warned=said)) == told(whole)
    assert said == []


@pytest.mark.parametrize("text", [HALVED, ONE_GOAL])
def test_halving_stops_some_and_finishes_the_better_ones(text: str, tmp_path: Path):
    study = run(tmp_path, text, trials=24, sampler="random")
    stopped, finished = study.of_state(STOPPED), study.of_state(FINISHED)
    assert len(stopped) > len(finished) >= 3
    assert all(len(trial.results) == 1 for trial in stopped) and all(len(trial.results) == 2 for trial in finished)
    full = run(tmp_path / "full", text.replace("halving: {over: epochs, least: 0.33, factor: 3}\n", ""), trials=24,
               sampler="random")  # fmt: skip
    assert [trial.params for trial in full.trials] == [trial.params for trial in study.trials]
    assert study.spent.trial_seconds < 0.75 * full.spent.trial_seconds
    assert study.front()[0].params == full.front()[0].params


def test_the_first_rung_gets_its_share_of_the_epochs(tmp_path: Path):
    jobs: list[Job] = []

    def noting(job: Job) -> Result:
        jobs.append(job)
        return pretended(job)

    run(tmp_path, HALVED, trials=3, function=noting)
    assert [(job["rung"], option(job, "student", "epochs")) for job in jobs[:2]] == [(0, 1), (1, 3)]
    assert json.loads(json.dumps(jobs)) == jobs, "jobs are plain JSON"


def test_what_fails_is_told_and_passed_over(tmp_path: Path):
    said: list[str] = []

    def failing(job: Job) -> Result:
        if option(job, "student", "layers") == 1:
            return {"failed": "no such layer", "wall_seconds": 1.0, "cpu_seconds": 1.0, "joules": None}
        return pretended(job)

    study = run(tmp_path, trials=12, function=failing, said=said)
    assert study.of_state(FAILED) and all(trial.params["student.layers"] == 1 for trial in study.of_state(FAILED))
    assert len(study.of_state(FINISHED)) + len(study.of_state(FAILED)) == 12
    assert any("failed: no such layer" in line for line in said)


def test_a_recipe_that_always_fails_ends_the_search(tmp_path: Path):
    with pytest.raises(RecipeError, match="the first 5 trials all failed; the last one: no disk"):
        run(tmp_path, function=lambda job: {"failed": "no disk"})


def test_values_that_come_again_are_not_run_again(tmp_path: Path):
    ran: list[Any] = []

    def noting(job: Job) -> Result:
        ran.append((option(job, "student", "layers"), option(job, "student", "epochs")))
        return pretended(job)

    text = SIMPLE.replace("{range: [1e-4, 1e-2], log: true}", "0.001").replace("epochs: 3", "epochs: {choose: [3, 4]}")
    study = run(tmp_path, text, trials=50, function=noting)
    assert sorted(ran) == [(1, 3), (1, 4), (2, 3), (2, 4)]
    assert study.count == 4 and study.of_state(REPEATED)


def test_bounds_keep_models_off_the_front(tmp_path: Path):
    bounded = run(tmp_path, SIMPLE.replace("minimise: bytes", "minimise: bytes\n  max_bytes: 1500"), trials=12)
    assert bounded.front() and {trial.figures["bytes"] for trial in bounded.front()} == {1000}
    dropped = run(tmp_path / "drop", SIMPLE.replace("minimise: bytes", "minimise: bytes\n  max_drop: 3"), trials=12)
    assert dropped.front() and all(trial.figures["drop"] <= 3 for trial in dropped.front())


def test_the_pruner_is_told_what_passes_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Two layers make a model of 2,000 bytes, which is too large however good it is."""
    told: dict[int, list[float]] = {}

    def report(self: Sampler, number: int, rung: int, cost: float) -> None:
        told.setdefault(number, []).append(cost)
        right(self, number, rung, cost)

    right = Sampler.report
    monkeypatch.setattr(Sampler, "report", report)
    study = run(tmp_path, ONE_GOAL.replace("  maximise: accuracy\n", "  maximise: accuracy\n  max_bytes: 1500\n"))
    assert {trial.params["student.layers"] for trial in study.trials} == {1, 2}
    for trial in study.trials:
        if trial.ran and trial.state != REPEATED:
            large = trial.params["student.layers"] == 2
            assert told[trial.number] and all(math.isnan(cost) == large for cost in told[trial.number])


def test_a_bound_on_quality_does_not_count_before_the_whole_training(tmp_path: Path):
    """After a third of the training every trial loses more than a point, and the best ones go on all the same."""
    text = HALVED.replace("minimise: bytes", "minimise: bytes\n  max_drop: 1")
    study = run(tmp_path, text, trials=20, sampler="random")
    assert all(trial.results[0]["figures"]["drop"] > 1 for trial in study.trials if trial.results)
    assert len(study.of_state(FINISHED)) >= 3


def test_budgets_end_a_search(tmp_path: Path):
    def costly(job: Job) -> Result:
        return pretended(job) | {"joules": 100.0}

    journal = Journal(tmp_path / "trials.jsonl")
    study = study_of(write_space(tmp_path), journal)
    said: list[str] = []
    assert drive(study, SearchBudget(joules=450), Serial(costly), 13, said.append) == "450 joules are spent"
    assert study.count == 5 and study.spent.joules == 500
    assert drive(study, SearchBudget(minutes=1e-6), Serial(costly), 13, said.append) == "1e-06 minutes are over"
    assert study.count == 5
    journal.close()


@pytest.mark.parametrize("given", [{}, {"trials": 0}, {"minutes": -1.0}, {"joules": float("nan")}])
def test_a_budget_that_is_none_is_refused(given: dict[str, Any]):
    with pytest.raises(RecipeError):
        SearchBudget(**given)


class Backwards:
    """An executor with several jobs in hand, which are done in the opposite order."""

    workers = 3

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.most = 0

    def submit(self, job: Job) -> None:
        self.jobs.append(job)
        self.most = max(self.most, len(self.jobs))

    def take(self) -> tuple[Job, Result]:
        job = self.jobs.pop()
        return job, pretended(job)


def test_several_jobs_at_a_time(tmp_path: Path):
    journal, executor = Journal(tmp_path / "trials.jsonl"), Backwards()
    study = study_of(write_space(tmp_path, HALVED), journal)
    drive(study, SearchBudget(trials=15), executor, 13, lambda line: None)
    assert executor.most == 3 and not executor.jobs
    assert study.count == 15 == len(study.of_state(FINISHED)) + len(study.of_state(STOPPED))
    journal.close()
    replayed = study_of(tmp_path / "space.yaml", Journal(tmp_path / "trials.jsonl"))
    assert told(replayed) == told(study)


def test_figures_that_are_missing_are_no_merit(tmp_path: Path):
    goals = space_of(tmp_path, SIMPLE.replace("bytes", "parameters")).goals
    assert goals.costs(figures(parameters=None)) == (-0.9, float("inf"))  # type: ignore[arg-type]


def test_two_searches_do_not_write_one_journal(tmp_path: Path):
    first = Journal(tmp_path / "trials.jsonl")
    with pytest.raises(LeanformerError, match="another search is writing it"):
        Journal(tmp_path / "trials.jsonl")
    first.close()
    Journal(tmp_path / "trials.jsonl").close()
