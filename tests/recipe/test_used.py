"""What a recipe makes has a record of all the texts that went into it, through every step and model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from leanformer.artifact import USED_TEXTS, Artifact, open_artifact
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.data.used_texts import UsedTexts, attach, recorded
from leanformer.recipe.library import find_recipe
from leanformer.recipe.made import find_made
from leanformer.recipe.run import Outcome, run_recipe
from leanformer.recipe.used import record_delivered
from tests.making.graphs import make_context
from tests.making.tiny import TASK, tiny_artifact, tiny_dataset

RECIPE = """\
name: chain
steps:
  - {step: compress.layer_drop, name: short, drop: 1, strategy: top}
  - {step: export.onnx, name: graph, max_difference: 0.01, rung: graph}
"""


def examples(*texts: str) -> Examples:
    return Examples(TASK, texts, (0,) * len(texts))


def ran(folder: Path, teacher: Artifact) -> Outcome:
    folder.mkdir(exist_ok=True)
    (folder / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    context = replace(make_context(folder, teacher), cache=folder / "cache")
    return run_recipe(find_recipe(folder / "recipe.yaml"), teacher, context, folder)


def roles(artifact: Artifact, *texts: str) -> list[str | None]:
    found = recorded(artifact)
    assert found is not None
    return found.roles_of(examples(*texts))


@pytest.fixture
def teacher(tmp_path: Path) -> Artifact:
    """A teacher that was trained on other texts than the recipe is given."""
    return attach(tiny_artifact(tmp_path / "teacher"), UsedTexts.of(train=examples("of the teacher")))


def test_steps_inherit_what_the_teacher_was_trained_with(tmp_path: Path, teacher: Artifact):
    made = ran(tmp_path / "work", teacher).artifacts["graph"]
    data = tiny_dataset()
    assert data.train and data.dev and data.unlabelled
    own = (data.train.texts[0], data.dev.texts[0], data.unlabelled.texts[0])
    assert roles(made, "of the teacher", *own, "new") == ["train", "train", "dev", "unlabelled", None]
    assert find_made(made.path, print) is not None, "the manifest is noted with the record"


def test_a_step_of_an_earlier_version_gets_its_record(tmp_path: Path, teacher: Artifact):
    made = ran(tmp_path / "work", teacher).artifacts["graph"]
    (made.path / USED_TEXTS).unlink()
    again = ran(tmp_path / "work", teacher).artifacts["graph"]
    assert again.path == made.path and roles(again, "of the teacher") == ["train"]
    assert find_made(again.path, print) is not None


def test_a_model_from_elsewhere_is_named_as_unknown(tmp_path: Path):
    made = ran(tmp_path / "work", tiny_artifact(tmp_path / "from-elsewhere")).artifacts["graph"]
    found = recorded(made)
    assert found is not None and found.unknown == ("from-elsewhere",)


def test_what_is_delivered_knows_the_test_split_of_its_report(tmp_path: Path, teacher: Artifact):
    data = Dataset(task=TASK, dev=examples("chosen by"), test=examples("reported on"))
    delivered = record_delivered(teacher.path, data)
    assert roles(delivered, "of the teacher", "chosen by", "reported on") == ["train", "dev", "test"]
    assert open_artifact(teacher.path).content_hash == teacher.content_hash
