"""Recipes that begin with an encoder: `train.fine_tune`, called teacher, as their first step."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leanformer.artifact import Artifact
from leanformer.errors import LeanformerError, RecipeError
from leanformer.files import sha256_json
from leanformer.measure.speed import SpeedSettings
from leanformer.recipe import compress as module
from leanformer.recipe.compress import compress
from leanformer.recipe.spec import Recipe, read_recipe
from leanformer.step import Context
from tests.making.tiny import tiny_artifact, tiny_dataset

SPEED = SpeedSettings(rounds=1, latency_texts=6, seconds=0.01)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return tiny_artifact(tmp_path_factory.mktemp("encoder") / "encoder")


RECIPE = """\
steps:
- {step: curate.duplicates, name: clean}
- {step: train.fine_tune, name: teacher, epochs: 2, batch_size: 32, precision: fp32, learning_rate: 0.002}
- {step: compress.layer_drop, name: shallow, drop: 1}
- {step: train.fine_tune, name: again, epochs: 1, batch_size: 32, precision: fp32, data: original}
- {step: export.onnx, rung: small}
"""


def recipe_of(tmp_path: Path, text: str = RECIPE) -> Recipe:
    (tmp_path / "recipe.yaml").write_text(text)
    return read_recipe(tmp_path / "recipe.yaml")


@pytest.mark.slow
def test_a_recipe_from_an_encoder_to_the_compressed_model(encoder: Artifact, tmp_path: Path):
    data = tiny_dataset()
    assert data.train is not None
    data = replace(data, train=data.train.select([*range(len(data.train)), 0, 1]))
    said: list[str] = []

    def run(output: str) -> Any:
        return compress(
            str(encoder.path), data, tmp_path / output, recipe=recipe_of(tmp_path), work=tmp_path / "work",
            max_drop=100, allow_weak_teacher=True, allow_lost_classes=True, memory=False, threads=1, device="cpu",
            speed=SPEED, say=said.append,
        )  # fmt: skip

    made = run("first")
    assert [entry["step"] for entry in made.artifact.history] == [
        "train.fine_tune", "compress.layer_drop", "train.fine_tune", "export.onnx",
    ]  # fmt: skip
    assert [rung.name for rung in made.report.rungs][-1] == "small"
    assert "2 of 122 train texts were removed as duplicates" in made.report.notes
    assert made.report.recipe["steps"][1]["name"] == "teacher"
    assert made.artifact.history[0]["data"]["training_hash"] != data.training_hash, "the teacher read the clean data"
    said.clear()
    again = run("second")
    assert again.artifact.content_hash == made.artifact.content_hash
    assert not any("epoch" in line for line in said), "nothing is trained twice"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("train.fine_tune, name: teacher", "compress.prune, name: teacher", "it must be train.fine_tune"),
        ("name: teacher,", "name: teacher, rung: a,", "without `uses:`, `rung:` or `after:`"),
        (
            "name: shallow,",
            "name: shallow, uses: nothing,",
            "uses 'nothing', which is no step before it",
        ),
        ("name: shallow,", "name: teacher,", "two artifacts are called 'teacher'"),
    ],
)
def test_a_wrong_opening_is_refused(old: str, new: str, said: str, tmp_path: Path):
    text = RECIPE.replace(old, new, 1)
    if "compress.prune" in new:
        text = text.replace(", epochs: 2, batch_size: 32, precision: fp32, learning_rate: 0.002", "")
    with pytest.raises(RecipeError) as caught:
        recipe_of(tmp_path, text)
    assert said in str(caught.value)


def test_recipes_from_an_encoder_survive_json(tmp_path: Path):
    recipe = recipe_of(tmp_path)
    assert Recipe.from_json(recipe.to_json()) == recipe and recipe.opening is not None
    assert len(sha256_json(recipe.to_json())) == 64


def test_the_opening_does_not_see_the_test_split(encoder: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    given: list[Context] = []

    def stopping(recipe: Recipe, opening: object, model: str, max_tokens: int, context: Context, energy: None) -> None:
        given.append(context)
        raise LeanformerError("far enough")

    monkeypatch.setattr(module, "make_teacher", stopping)
    with pytest.raises(LeanformerError, match="far enough"):
        compress(str(encoder.path), tiny_dataset(), tmp_path / "lean", recipe=recipe_of(tmp_path), device="cpu")
    assert given[0].data.test is None and given[0].data.dev is not None
