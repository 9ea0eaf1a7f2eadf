"""Steps and figures that were damaged in the work folder are made again, with a word, and are the same again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from leanformer.export.onnx import Onnx
from leanformer.kept import keep
from leanformer.models.hf.checkpoint import write_checkpoint
from leanformer.models.store import read_model
from leanformer.recipe.delivery import read_measured
from leanformer.recipe.made import find_made
from leanformer.recipe.run import run_recipe
from leanformer.recipe.spec import Recipe, RecipeStep
from leanformer.recipe.teacher import take_in
from tests.making.damage import DAMAGES
from tests.making.graphs import make_context
from tests.making.reports import make_report, make_rung
from tests.making.tiny import tiny_artifact, tiny_dataset

REPORT = make_report(make_rung())
PLAN = Recipe("test", (RecipeStep("export.onnx", Onnx(), "graph", rung="fp32"),))
FILES = ("leanformer.json", "made.json", "model.onnx", "tokenizer.json")
EVERY = DAMAGES | {"removed": Path.unlink}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The work folder of a recipe that was run, and the hash of what it made."""
    folder = tmp_path_factory.mktemp("made")
    teacher = tiny_artifact(folder / "teacher")
    outcome = run_recipe(PLAN, teacher, make_context(folder, teacher), folder / "work")
    return folder, outcome.artifacts["graph"].content_hash


def test_these_are_all_files_of_a_step(made: tuple[Path, str]):
    [step] = (made[0] / "work" / "steps").iterdir()
    assert sorted(path.name for path in step.iterdir()) == sorted([*FILES, "effort.json", "used_texts.bin"])


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("name", EVERY)
def test_a_damaged_step(name: str, file: str, made: tuple[Path, str], tmp_path: Path):
    shutil.copytree(made[0], tmp_path, dirs_exist_ok=True)
    [step] = (tmp_path / "work" / "steps").iterdir()
    EVERY[name](step / file)
    said: list[str] = []
    if (file, name) == ("made.json", "removed"):
        assert find_made(step, said.append) is not None and said == []
        return
    assert find_made(step, said.append) is None
    assert len(said) == 1 and said[0].startswith(f"warning: {step / file}: ") and said[0].endswith("; made again")
    assert not step.exists()


@pytest.mark.parametrize("file", [*FILES, "effort.json"])
@pytest.mark.parametrize("name", ["a third", "bits"])
def test_a_recipe_goes_on_to_the_same(name: str, file: str, made: tuple[Path, str], tmp_path: Path):
    shutil.copytree(made[0], tmp_path, dirs_exist_ok=True)
    [step] = (tmp_path / "work" / "steps").iterdir()
    EVERY[name](step / file)
    said: list[str] = []
    teacher = tiny_artifact(tmp_path / "same")
    outcome = run_recipe(PLAN, teacher, make_context(tmp_path, teacher, say=said.append), tmp_path / "work")
    assert outcome.artifacts["graph"].content_hash == made[1]
    assert any(str(step / file) in line for line in said)
    said.clear()
    run_recipe(PLAN, teacher, make_context(tmp_path, teacher, say=said.append), tmp_path / "work")
    assert len(said) == 1 + (file == "effort.json") and "found in" in said[0]


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_measurements(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("leanformer.recipe.delivery.fingerprint", lambda threads: REPORT.machine)
    path, said = tmp_path / "measured.json", list[str]()
    keep(path, REPORT.to_json())
    assert read_measured(path, 1, said.append) == REPORT and said == []
    DAMAGES[name](path)
    assert read_measured(path, 1, said.append) is None
    assert said == [f"warning: {path}: damaged, or of an earlier version; measured again"]


@pytest.mark.parametrize("file", ["model.safetensors", "leanformer.json", "tokenizer.json", "encoder.json"])
def test_a_damaged_teacher_is_taken_in_again(file: str, tmp_path: Path):
    source = tiny_artifact(tmp_path / "source")
    (tmp_path / "theirs").mkdir()
    write_checkpoint(read_model(source), source.task, tmp_path / "theirs")
    shutil.copyfile(source.file("tokenizer.json"), tmp_path / "theirs" / "tokenizer.json")
    said: list[str] = []
    first = take_in(str(tmp_path / "theirs"), tmp_path / "work", 32, tiny_dataset(), said.append)
    DAMAGES["bits"](first.path / file)
    again = take_in(str(tmp_path / "theirs"), tmp_path / "work", 32, tiny_dataset(), said.append)
    assert again.content_hash == first.content_hash and json.dumps(again.history) == json.dumps(first.history)
    assert len(said) == 1 and str(first.path / file) in said[0]
