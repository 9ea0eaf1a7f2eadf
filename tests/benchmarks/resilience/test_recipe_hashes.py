"""Hashes of two versions side by side: the tasks, the recipes that are run, and what a comparison says."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.paths import ROOT
from benchmarks.resilience.recipe_hashes import RUNS, TASKS, differences, write_task
from leanformer.data.dataset import open_dataset

KINDS = {
    "sample": "classification", "one_label": "classification", "pair": "pair", "several_labels": "multilabel",
    "score": "regression", "tags": "tokens",
}  # fmt: skip


@pytest.mark.parametrize("name", TASKS)
def test_tasks_are_of_each_kind_and_the_same_every_time(name: str, tmp_path: Path) -> None:
    write_task(name, tmp_path / "a")
    write_task(name, tmp_path / "b")
    data = open_dataset(str(tmp_path / "a"))
    assert data.task.kind == KINDS[name]
    assert data.content_hash == open_dataset(str(tmp_path / "b")).content_hash
    assert data.unlabelled is not None and data.unlabelled.labels is None


def test_every_shipped_recipe_is_run() -> None:
    shipped = {path.stem for path in (ROOT / "recipes").glob("*.yaml")}
    shipped -= {"embedder"}  # its teacher is a sentence encoder, and the teachers here are trained on tasks
    assert shipped and shipped <= {run.recipe for run in RUNS if isinstance(run.recipe, str)}
    assert {run.task for run in RUNS} == set(TASKS)


def test_what_differs_is_named() -> None:
    assert differences({"a": "1", "b": "2"}, {"a": "1", "b": "2"}) == []
    lines = differences({"a": "1", "b": "2"}, {"a": "3", "c": "4"})
    assert lines == ["a: 1 before, 3 now", "b: 2 before, missing now", "c: missing before, 4 now"]
