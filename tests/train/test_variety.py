"""One label alone is an error before anything is trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leanformer.data.dataset import open_dataset
from leanformer.data.variety import require_variety
from leanformer.errors import DataError, LeanformerError
from leanformer.finetune.fine_tune import fine_tune
from leanformer.recipe.compress import compress
from leanformer.recipe.library import recipe_path
from leanformer.recipe.spec import read_recipe
from leanformer.train.settings import FitSettings

SAME: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "classification": ({"label": "good"}, {"label": "bad"}, "the label 'good'"),
    "pair": ({"text_pair": "b", "label": "yes"}, {"text_pair": "b", "label": "no"}, "the label 'yes'"),
    "multilabel": ({"labels": ["x", "y"]}, {"labels": []}, "the labels x, y"),
    "no labels": ({"labels": []}, {"labels": ["x"]}, "no label"),
    "similarity": ({"text_pair": "b", "label": 2.5}, {"text_pair": "b", "label": 1.5}, "the score 2.5"),
    "regression": ({"label": 0.5}, {"label": 3}, "the score 0.5"),
    "tokens": ({"words": ["a", "b"], "tags": ["O", "O"]}, {"words": ["a"], "tags": ["B-X"]}, "the tag 'O' alone"),
    "vectors": ({"labels": [0, 1, 0]}, {"labels": [1, 0, 0]}, "the labels 1"),
}


def write(folder: Path, row: dict[str, Any], *others: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    given = [*[row] * 20, *others]
    rows = [each if "words" in each else {"text": f"text {i}", **each} for i, each in enumerate(given)]
    (folder / "train.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
    return folder


@pytest.mark.parametrize("form", SAME)
def test_every_form_of_answer(tmp_path: Path, form: str) -> None:
    row, other, said = SAME[form]
    with pytest.raises(DataError, match=f"train texts has {said}: there is nothing to tell apart") as caught:
        require_variety(open_dataset(str(write(tmp_path / "data", row))))
    assert "add texts that have another one" in caught.value.remedy
    require_variety(open_dataset(str(write(tmp_path / "data", row, other, other))))


def test_before_an_encoder_or_a_model_is_looked_at(tmp_path: Path) -> None:
    data = open_dataset(str(write(tmp_path / "data", {"label": "good"})))
    with pytest.raises(DataError, match="nothing to tell apart"):
        fine_tune("nowhere", data, tmp_path / "out", FitSettings(), work=tmp_path / "work")
    with pytest.raises(DataError, match="nothing to tell apart"):
        compress("nowhere", data, tmp_path / "out", recipe=read_recipe(recipe_path("distil")), say=lambda line: None)
    assert not (tmp_path / "out").exists() and not (tmp_path / "work").exists()


def test_a_teacher_answers_for_unlabelled_texts(tmp_path: Path) -> None:
    folder = write(tmp_path / "data", {"label": "good"})
    (folder / "unlabelled.txt").write_text("one\ntwo\n")
    (folder / "dev.jsonl").write_text('{"text": "a", "label": "good"}\n')
    with pytest.raises(DataError, match="nothing to tell apart"):
        require_variety(open_dataset(str(folder)))
    (folder / "dev.jsonl").write_text('{"text": "a", "label": "good"}\n{"text": "b", "label": "bad"}\n')
    require_variety(open_dataset(str(folder), labels=("good", "bad")))


def test_only_recipes_that_train_ask_for_more_than_one_label(tmp_path: Path) -> None:
    data = open_dataset(str(write(tmp_path / "data", {"label": "good"})))
    with pytest.raises(LeanformerError) as caught:
        compress(str(tmp_path), data, tmp_path / "out", recipe=read_recipe(recipe_path("quick")), say=lambda line: None)
    assert "nothing to tell apart" not in str(caught.value)  # it is no model
