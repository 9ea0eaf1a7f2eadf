"""The benchmark of searching: halving replayed as a search does it, and the whole of it on the tiny task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.pages import searches as searched
from benchmarks.searches import replay
from benchmarks.searches import run as benchmark
from leanformer.measure import speed
from leanformer.measure.speed import SpeedSettings
from leanformer.search.space.read import read_space
from tests.making.searches import pretended, space_of
from tests.making.taught import make_teacher
from tests.making.tiny import tiny_dataset
from tests.search.study.test_study import BRANCHES, HALVED, run

SPACE = """\
name: tiny
goals: {maximise: quality, minimise: latency_ms_p95}
halving: {over: epochs, least: 0.5, factor: 2}
steps:
  - step: compress.distil
    name: student
    uses: teacher
    layers: {choose: [2, 1]}
    learning_rate: {range: [0.001, 0.01], log: true}
    trial_texts: 0
    epochs: 2
  - {step: export.onnx, max_difference: 0.01}
"""


@pytest.mark.parametrize("text", [HALVED, BRANCHES.replace("steps:", "halving: {factor: 2, least: 0.25}\nsteps:", 1)])
def test_a_replay_decides_as_a_search_does(text: str, tmp_path: Path):
    """With a sampler that does not learn, so that a search that stops asks for the same trials."""
    study = run(tmp_path, text, trials=24, sampler="random")
    halving = study.space.halving
    assert halving is not None and len(halving.shares) == (2 if text is HALVED else 3)
    figures = []
    for trial in study.trials:
        job = {"recipe": study.filled[trial.number].recipe.to_json()}
        figures.append([pretended(job | {"share": share})["figures"] for share in halving.shares])
    counts = replay.rungs_run(study.space.goals, halving, figures)
    assert counts == [len(trial.results) for trial in study.trials] and len(set(counts)) > 1


def test_a_step_that_trials_share_costs_once():
    ran = [replay.Ran({}, {"student": 60.0, "graph": 2.0}, 5.0), replay.Ran({}, {"student": 60.0, "int8": 3.0}, 4.0)]
    assert replay.cpu_seconds(ran) == 60 + 2 + 3 + 5 + 4
    assert replay.cpu_seconds(ran[:1]) == 67


def test_of_equal_fronts_nothing_is_dominated(tmp_path: Path):
    space = space_of(tmp_path, SPACE)
    figures = [{"quality": 0.9, "latency_ms_p95": 1.0}, {"quality": 0.8, "latency_ms_p95": 2.0}]
    ran = {i: [replay.Ran(each, {f"{i}{rung}": 10.0}, 0.0) for rung in range(2)] for i, each in enumerate(figures)}
    found = benchmark.compared(space, ran)
    assert found["rungs_run"] == {"0": 2, "1": 1} and found["fronts"] == {"halving": [0], "whole": [0]}
    assert found["cpu_seconds"] == {"halving": 30.0, "whole": 20.0} and found["compute_share"] == 1.5
    assert found["of_whole_dominated_by_halving"] == 0 and found["hypervolume"]["share"] == 1.0


@pytest.mark.parametrize("name", ["search", "search-sst2", "search-banking77"])
def test_the_spaces_can_be_read(name: str):
    space = read_space(benchmark.RECIPES / f"{name}.yaml")
    assert space.halving is not None and space.predicting is not None and len(space.goals.names) == 2
    assert len(list(space.grid())) > 60


def test_stored_results_are_quoted_with_their_machine():
    found = benchmark.stored(benchmark.RESULTS / "sst2", benchmark.FIXED)
    assert found["fastformers"]["file"] == "fastformers.json" and found["fastformers"]["machine"]["cores"]


@pytest.mark.slow
def test_a_search_is_run_replayed_and_set_beside_a_fixed_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(speed, "_SETTLE_SECONDS", 0)
    quick = SpeedSettings(rounds=1, latency_texts=10, seconds=0.01)

    teacher = make_teacher(tmp_path)

    def once() -> dict[str, Any]:
        return benchmark.compare(
            tiny_dataset(), teacher, space_of(tmp_path, SPACE), tmp_path / "searched", trials=5,
            sampler="random", speed=quick, final_speed=quick, fixed=("quick",), say=lambda line: None,
        )  # fmt: skip

    found = once()
    assert json.loads(json.dumps(found)) == found
    halving = found["halving"]
    assert found["search"]["counts"] == {"finished": 5} and halving["shares"] == [0.5, 1.0] and halving["trials"] == 5
    assert set(halving["rungs_run"].values()) <= {1, 2} and halving["finished"]
    assert set(halving["fronts"]["whole"]) == set(found["search"]["front_on_dev"])
    assert halving["compute_share"] == halving["cpu_seconds"]["halving"] / halving["cpu_seconds"]["whole"] > 0
    names = [entry["name"] for entry in found["on_test"]]
    front = [f"trial {number}" for number in found["search"]["front_on_dev"]]
    assert names[3:] == ["quick", *front] or found["notes"]
    told = "\n".join(searched._search("tiny", "", found | {"training_texts": 60}))
    assert "| quick |" in told and "of the CPU-seconds" in told
    # Given again, nothing is run again.
    again = once()
    assert again["halving"] == halving
