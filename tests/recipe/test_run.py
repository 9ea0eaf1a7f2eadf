"""Running recipes: every result kept under the hash of all it was made from."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leanformer.artifact import Artifact
from leanformer.compress.distil.distil import Distil
from leanformer.compress.prune.prune import Prune
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.recipe.run import Outcome, run_recipe
from leanformer.recipe.spec import Recipe, RecipeStep
from tests.making.graphs import make_context
from tests.making.tiny import tiny_artifact, tiny_dataset


def recipe(**int8: Any) -> Recipe:
    return Recipe(
        "test",
        (
            RecipeStep("export.onnx", Onnx(), "graph", rung="fp32"),
            RecipeStep("export.int8", Int8(**int8), "small", rung="int8"),
            RecipeStep("export.int8", Int8(word_table=False), "other", uses="graph", rung="other"),
        ),
    )


@pytest.fixture
def teacher(tmp_path: Path) -> Artifact:
    return tiny_artifact(tmp_path / "teacher")


class Runs:
    """Runs recipes in one work folder and notes which steps were really run."""

    def __init__(self, folder: Path, teacher: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.teacher, self.ran, self.said = folder, teacher, list[str](), list[str]()
        for kind in (Onnx, Int8, Distil, Prune):
            monkeypatch.setattr(kind, "__call__", self._noting(kind.__call__))

    def _noting(self, original: Any) -> Any:
        def call(step: Any, artifact: Artifact, context: Any, output: Path) -> Artifact:
            self.ran.append(output.name.rsplit("-", 1)[0])
            made: Artifact = original(step, artifact, context, output)
            return made

        return call

    def __call__(self, plan: Recipe, **changes: Any) -> Outcome:
        self.ran.clear()
        self.said.clear()
        context = make_context(self.folder, self.teacher, say=self.said.append)
        return run_recipe(plan, self.teacher, replace(context, **changes), self.folder)


@pytest.fixture
def runs(tmp_path: Path, teacher: Artifact, monkeypatch: pytest.MonkeyPatch) -> Runs:
    return Runs(tmp_path / "work", teacher, monkeypatch)


def hashes(outcome: Outcome) -> dict[str, str]:
    return {name: artifact.content_hash for name, artifact in outcome.artifacts.items()}


def test_a_second_run_finds_everything(runs: Runs):
    first = runs(recipe())
    assert runs.ran == ["graph", "small", "other"]
    second = runs(recipe())
    assert runs.ran == []
    assert hashes(second) == hashes(first)
    assert [line.partition(": ")[2].split()[0] for line in runs.said] == ["found"] * 3
    assert len(set(hashes(first).values())) == 4
    assert first.left_out == {}


def test_who_shares_a_folder_makes_each_step_once(tmp_path: Path, teacher: Artifact, runs: Runs):
    """Two that come to the same steps at once; the threads stand for workers on several machines."""
    together, made = threading.Barrier(2), list[Outcome]()

    def work() -> None:
        together.wait()
        made.append(run_recipe(recipe(), teacher, make_context(tmp_path, teacher), tmp_path / "work", shared=True))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(runs.ran) == ["graph", "other", "small"]
    assert len(made) == 2 and hashes(made[0]) == hashes(made[1])
    assert hashes(runs(recipe())) == hashes(made[0]) and runs.ran == []


def test_a_changed_option_runs_that_step_and_what_depends_on_it(runs: Runs):
    runs(recipe())
    runs(recipe(reduce_range=True))
    assert runs.ran == ["small"]
    changed = recipe()
    finer = RecipeStep("export.onnx", Onnx(max_difference=0.5), "graph", rung="fp32")
    runs(replace(changed, steps=(finer, *changed.steps[1:])))
    # The graph is made again with the new option; it comes out the same, so nothing downstream has to be.
    assert runs.ran == ["graph"]


def test_another_input_runs_what_depends_on_it(runs: Runs, tmp_path: Path):
    runs(recipe())
    runs.teacher = tiny_artifact(tmp_path / "another", seed=2)
    runs(recipe())
    assert runs.ran == ["graph", "small", "other"]


def test_names_and_rungs_are_no_part_of_the_content(runs: Runs):
    first = runs(recipe())
    renamed = replace(recipe(), steps=tuple(replace(step, rung=f"new {step.rung}") for step in recipe().steps))
    assert hashes(runs(renamed)) == hashes(first)
    assert runs.ran == []


@pytest.mark.slow
def test_data_and_seed_are_part_of_the_key_and_test_is_not(runs: Runs):
    runs(recipe())
    data = tiny_dataset()
    assert data.test is not None
    assert data.dev is not None
    runs(recipe(), data=replace(data, test=data.test.select(range(5))))
    assert runs.ran == []
    runs(recipe(), data=replace(data, dev=data.dev.select(range(30))))
    assert runs.ran == ["graph", "small", "other"]
    runs(recipe(), seed=14)
    assert runs.ran == ["graph", "small", "other"]


def test_a_file_that_an_option_names_is_part_of_the_key(runs: Runs, tmp_path: Path):
    table = tmp_path / "table.json"
    step = Prune(budget="latency", keep=0.8, table=str(table), texts=20)
    plan = Recipe("test", (RecipeStep("compress.prune", step, "pruned", rung="pruned"),))
    for unit_ms in (0.01, 0.5):
        curves = {"heads": [[1, 0.0], [4, 3.0]], "ffn": [[1, 0.0], [48, 47 * unit_ms]]}
        measured = {"hidden": 32, "head_size": 8, "fixed_ms": 0.0, "layer_ms": 0.0, "inner": curves, "last": curves}
        table.write_text(json.dumps(measured), encoding="utf-8")
        runs(plan)
        assert runs.ran == ["pruned"]
        runs(plan)
        assert runs.ran == []


def test_a_folder_that_an_option_names_is_part_of_the_key(runs: Runs, tmp_path: Path):
    start = tmp_path / "start"
    tiny_artifact(start, seed=5)
    step = Distil(layers=1, start=str(start), epochs=1, use_unlabelled=False, batch_size=64)
    plan = Recipe("test", (RecipeStep("compress.distil", step, "student", rung="student"),))
    first = runs(plan)
    runs(plan)
    assert runs.ran == []
    tiny_artifact(start, seed=6)  # the same path, another model
    second = runs(plan)
    assert runs.ran == ["student"]
    assert hashes(first) != hashes(second)


def test_a_damaged_result_is_made_again(runs: Runs):
    first = runs(recipe())
    graph = first.artifacts["graph"].file("model.onnx")
    graph.write_bytes(graph.read_bytes()[:-1])
    assert hashes(runs(recipe())) == hashes(first)
    assert runs.ran == ["graph"]


class KilledError(BaseException):
    """Like a kill: nothing of ours catches it."""


def test_a_killed_step_leaves_no_artifact_and_is_run_again(runs: Runs, monkeypatch: pytest.MonkeyPatch):
    import leanformer.export.parity as gate

    expected = hashes(runs(recipe()))
    for folder in (runs.folder / "steps").iterdir():
        if not folder.name.startswith("graph"):
            (folder / "leanformer.json").unlink()  # as if they had never been finished
    calls = []

    def killed(*arguments: Any, **named: Any) -> None:
        calls.append(1)
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(gate, "check", killed)  # the graph is written, the manifest too, but not yet in place
        with pytest.raises(KilledError):
            runs(recipe())
    assert calls == [1]
    assert not [file for file in os.listdir(runs.folder / "steps") if file.startswith(".")]
    assert hashes(runs(recipe())) == expected
    assert runs.ran == ["small", "other"]


def test_a_failed_gate_leaves_out_the_step_and_its_dependents(runs: Runs):
    plan = Recipe(
        "test",
        (
            RecipeStep("export.onnx", Onnx(max_difference=0, max_flips=0), "strict", rung="strict"),
            RecipeStep("export.int8", Int8(), "from-strict", rung="a"),
            RecipeStep("export.int8", Int8(), "from-that", uses="from-strict", rung="b"),
            RecipeStep("export.onnx", Onnx(), "graph", uses="teacher", rung="c"),
            RecipeStep("export.int8", Int8(), "small", rung="d"),
        ),
    )
    outcome = runs(plan)
    assert sorted(outcome.artifacts) == ["graph", "small", "teacher"]
    assert "parity gate failed" in outcome.left_out["strict"]
    assert outcome.left_out["from-strict"] == "'strict', which it builds on, was left out"
    assert outcome.left_out["from-that"] == "'from-strict', which it builds on, was left out"
    assert runs.ran == ["strict", "graph", "small"]
    assert sum("left out" in line for line in runs.said) == 3


def test_a_format_that_a_step_cannot_take_leaves_it_out(runs: Runs):
    plan = Recipe("test", (RecipeStep("export.int8", Int8(), "small", rung="a"),))
    outcome = runs(plan)
    assert outcome.left_out == {"small": "export.int8 takes onnx, not an artifact of format 'encoder'"}
    assert runs.ran == []


def test_histories_tell_the_whole_way(runs: Runs):
    made = runs(recipe()).artifacts
    assert [entry["step"] for entry in made["small"].history] == ["export.onnx", "export.int8"]
    assert made["small"].history[1]["parent"] == made["graph"].content_hash
    manifest = json.loads((made["small"].path / "leanformer.json").read_text(encoding="utf-8"))
    assert manifest["history"][1]["options"]["method"] == "mixed"
