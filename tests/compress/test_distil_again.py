"""Distilling again into a pruned model, whose layers all stay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leanformer.artifact import Artifact
from leanformer.compress.distil.distil import Distil
from leanformer.compress.prune.prune import Prune
from leanformer.errors import RecipeError
from leanformer.models.store import read_model
from leanformer.options import options
from leanformer.recipe.spec import build
from leanformer.shapes.encoder import LayerShape
from tests.compress.distil.test_distil import context, distance
from tests.making.tiny import tiny_artifact, tiny_config

DEEP = tiny_config(layers=(LayerShape(4, 48),) * 4)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return tiny_artifact(tmp_path_factory.mktemp("teacher") / "teacher", config=DEEP)


@pytest.fixture(scope="module")
def pruned(teacher: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp("pruned")
    return Prune(keep=0.5, texts=60, multiple=1)(teacher, context(teacher, folder), folder / "pruned")


def again(pruned: Artifact, teacher: Artifact, folder: Path, **changes: Any) -> Artifact:
    step = Distil(**{"layers": None, "epochs": 1, "batch_size": 16, **changes})
    return step(pruned, context(teacher, folder), folder / "student")


@pytest.mark.slow
def test_the_shape_stays_and_the_answers_come_back(teacher: Artifact, pruned: Artifact, tmp_path: Path):
    shape = read_model(pruned).config.layers
    assert len(set(shape)) > 1
    student = again(pruned, teacher, tmp_path, epochs=12, learning_rate=5e-3)
    assert read_model(student).config.layers == shape
    assert distance(student, teacher) < 0.5 * distance(pruned, teacher)
    assert [entry["step"] for entry in student.history] == ["compress.prune", "compress.distil"]


def test_no_layer_is_tried(teacher: Artifact, pruned: Artifact, tmp_path: Path):
    said: list[str] = []
    Distil(layers=None, epochs=1)(pruned, context(teacher, tmp_path, say=said.append), tmp_path / "student")
    assert not [line for line in said if "tried" in line or "subset" in line]


def test_hidden_states_can_be_followed_still(teacher: Artifact, pruned: Artifact, tmp_path: Path):
    plain = again(pruned, teacher, tmp_path / "a")
    assert again(pruned, teacher, tmp_path / "b", hidden_weight=0.1).content_hash != plain.content_hash


def test_attention_needs_as_many_heads(teacher: Artifact, pruned: Artifact, tmp_path: Path):
    with pytest.raises(RecipeError, match=r"(?s)equal head counts, student layer \d has \d, teacher layer \d has 4"):
        again(pruned, teacher, tmp_path / "a", attention_weight=1.0)
    units = Prune(ffn=20, texts=60)(teacher, context(teacher, tmp_path), tmp_path / "units")
    assert again(units, teacher, tmp_path / "b", attention_weight=1.0).format == "encoder"


def test_a_pruned_model_may_lose_layers_too(teacher: Artifact, pruned: Artifact, tmp_path: Path):
    shape = read_model(pruned).config.layers
    student = again(pruned, teacher, tmp_path, layers=(1, 4))
    assert read_model(student).config.layers == (shape[0], shape[3])


def test_all_layers_can_be_narrowed(teacher: Artifact, tmp_path: Path):
    student = again(teacher, teacher, tmp_path, ffn=20)
    assert read_model(student).config.layers == (LayerShape(4, 20),) * 4


def test_another_width_needs_a_number_of_layers():
    with pytest.raises(RecipeError, match="`layers` is a number there"):
        Distil(layers=None, hidden=16)


def test_null_survives_a_recipe():
    step = build("compress.distil", {"layers": None}, "here")
    assert step == Distil(layers=None)
    assert build("compress.distil", options(step), "here") == step
    assert replace(step, layers=3) == Distil()  # type: ignore[type-var]
