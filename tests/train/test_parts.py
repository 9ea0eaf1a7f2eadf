"""Parts of a fit are options: of a recipe's step, of `leanformer train`, of the settings; wrong ones are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leanformer.artifact import Artifact
from leanformer.compress.distil.distil import Distil
from leanformer.compress.recurrent.distil import BiLstmStudent
from leanformer.errors import LeanformerError, RecipeError
from leanformer.finetune.fine_tune import fine_tune
from leanformer.models.store import read_model
from leanformer.options import defaults, options
from leanformer.recipe.spec import build
from leanformer.train.fit_options import PARTS, made_parts
from leanformer.train.settings import FitSettings
from tests.making.graphs import make_context
from tests.making.tiny import tiny_artifact, tiny_dataset

VALUES = {
    "averaging": 0.9,
    "curriculum": "rarity-linear",
    "adapter": "lora",
    "uncertainty": True,
    "checkpointing": True,
    "eight_bit_states": True,
    "memory": "100GB",
}
SAVE_MEMORY = ("checkpointing", "memory")  # and change nothing else
QUICK: dict[str, Any] = {"layers": 1, "epochs": 2, "batch_size": 32, "trial_texts": 0, "hidden_weight": 1.0}
VALUES["layer_drop"] = 0.5


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return tiny_artifact(tmp_path_factory.mktemp("teacher") / "teacher")


def distilled(teacher: Artifact, folder: Path, **parts: Any) -> Artifact:
    context = make_context(folder, teacher, data=tiny_dataset())
    return Distil(**QUICK, **parts)(teacher, context, folder / "student")


@pytest.fixture(scope="module")
def plain(teacher: Artifact, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return distilled(teacher, tmp_path_factory.mktemp("plain"))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PARTS))
def test_each_part_of_a_step_changes_what_is_learnt(
    name: str, teacher: Artifact, plain: Artifact, tmp_path: Path
) -> None:
    assert set(VALUES) == set(PARTS), "a value of each part is tried here"
    student = distilled(teacher, tmp_path, **{name: VALUES[name]})
    assert (student.content_hash != plain.content_hash) == (name not in SAVE_MEMORY)
    assert student.history[-1]["options"][name] == VALUES[name]
    assert name not in plain.history[-1]["options"]
    assert student.format == plain.format and read_model(student).config == read_model(plain).config


def test_all_parts_go_together(teacher: Artifact, plain: Artifact, tmp_path: Path) -> None:
    student = distilled(teacher, tmp_path, **VALUES)
    assert student.content_hash != plain.content_hash
    assert {name: student.history[-1]["options"][name] for name in VALUES} == VALUES


def test_a_recipe_names_them_and_leaves_no_trace_of_those_it_does_not() -> None:
    step = build("compress.distil", {"fit": {"averaging": 0.99}, "curriculum": "length"}, "here")
    assert step == Distil(averaging=0.99, curriculum="length")
    assert build("compress.distil", options(step), "here") == step
    assert not set(PARTS) & set(options(Distil()))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"averaging": 1.5}, "compress.distil: averaging is a decay"),
        ({"curriculum": "size"}, "compress.distil: curriculum is one of"),
        ({"adapter": "houlsby"}, "compress.distil: adapter is one of bitfit, lora"),
        ({"uncertainty": False}, "compress.distil: uncertainty is true or left out"),
        ({"uncertainty": True}, "one alone has a weight here\n  remedy"),
    ],
)
def test_a_recipe_with_a_wrong_value_is_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        build("compress.distil", values, "here")


def test_a_recurrent_student_takes_what_makes_sense_of_it() -> None:
    assert BiLstmStudent(strategy="D2", uncertainty=True, averaging=0.9).parts
    with pytest.raises(RecipeError, match=r"this student has not\n  remedy: leave `adapter` out"):
        BiLstmStudent(adapter="bitfit")
    with pytest.raises(RecipeError, match=r"some fit of D4.2 has one\n  remedy: strategy D1 or D2"):
        BiLstmStudent(uncertainty=True)


def test_a_part_that_there_is_not_is_refused() -> None:
    with pytest.raises(LeanformerError, match=r"no part 'dropconnect'\n  remedy: one of averaging, curriculum"):
        made_parts([("dropconnect", 0.1)])


def test_fine_tuning_takes_them_and_records_them(tmp_path: Path) -> None:
    start = tiny_artifact(tmp_path / "start")
    hashes = []
    for number, parts in enumerate(((), (("averaging", 0.9), ("adapter", "bitfit"), ("curriculum", "length")))):
        settings = FitSettings(epochs=2, batch_size=32, learning_rate=3e-3, precision="fp32", parts=parts)
        artifact = fine_tune(
            str(start.path), tiny_dataset(), tmp_path / f"{number}", settings, max_tokens=32, work=tmp_path / "work",
            device="cpu", say=lambda line: None,
        )  # fmt: skip
        hashes.append(artifact.content_hash)
        recorded = json.loads(json.dumps(artifact.history[-1]["options"]))
        assert recorded.get("parts", []) == [list(part) for part in parts]
    assert hashes[0] != hashes[1]


def test_where_none_is_asked_for_they_are_no_part_of_defaults() -> None:
    """So that a part more changes no key, and one that is asked for does."""
    assert not set(PARTS) & set(defaults(Distil))
    assert options(Distil(averaging=0.9)) == options(Distil()) | {"averaging": 0.9}


def test_settings_without_parts_are_written_as_before() -> None:
    assert "parts" not in FitSettings().to_json()
    assert FitSettings(parts=(("averaging", 0.9),)).to_json()["parts"] == [["averaging", 0.9]]
