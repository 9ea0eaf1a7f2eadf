"""Which texts a student learns from: the splits, whether options and losses want them, and copies of the first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leanformer.compress.distil.distil import Distil
from leanformer.compress.distil.texts import DistilledTexts
from leanformer.errors import DataError, RecipeError
from leanformer.options import groups, without_groups
from leanformer.recipe.spec import build
from leanformer.step import Context
from tests.making.tiny import tiny_artifact, tiny_dataset

DATA = replace(tiny_dataset(), test=None)


def test_train_comes_first_and_unlabelled_only_where_both_want_it() -> None:
    assert DATA.train is not None and DATA.unlabelled is not None
    assert Distil().splits(DATA, unlabelled=True) == [DATA.train, DATA.unlabelled]
    assert Distil().splits(DATA, unlabelled=False) == [DATA.train]
    assert Distil(use_unlabelled=False).splits(DATA, unlabelled=True) == [DATA.train]
    assert Distil().splits(replace(DATA, train=None), unlabelled=True) == [DATA.unlabelled]
    with pytest.raises(DataError, match="neither a train nor an unlabelled split"):
        Distil(use_unlabelled=False).splits(replace(DATA, train=None), unlabelled=True)


def test_copies_of_the_first_split_come_last_without_labels(tmp_path: Path) -> None:
    teacher = tiny_artifact(tmp_path / "teacher")
    context = Context(DATA, {"teacher": teacher}, tmp_path / "work", tmp_path / "cache", threads=1)
    plain, copied = Distil(), Distil(copies=2, copied_share=1.0)
    splits = plain.splits(DATA, unlabelled=True)
    without, with_copies = (step.pool(splits, teacher, context) for step in (plain, copied))
    rows = len(without.inputs)
    assert rows == sum(map(len, splits)) < len(with_copies.inputs) <= rows + 2 * len(splits[0])
    assert with_copies.inputs[:rows] == without.inputs
    assert (np.asarray(with_copies.labels[rows:]) == -1).all() and (
        np.asarray(without.labels[: len(splits[0])]) >= 0
    ).all()
    assert not set(with_copies.inputs[rows:]) & set(without.inputs[: len(splits[0])])


def test_a_recipe_may_write_them_as_a_group() -> None:
    assert {name for name, group in groups(Distil).items() if group == "texts"} == {
        "use_unlabelled", "copies", "copied_share", "teacher_answers",
    }  # fmt: skip
    flat = without_groups(Distil, {"texts": {"copies": 2, "copied_share": 0.1}, "hard": 0.5}, "here")
    assert build("compress.distil", flat, "here") == Distil(copies=2, copied_share=0.1, hard=0.5)


def test_a_share_of_copies_needs_copies() -> None:
    for wrong, said in (
        ({"copies": 0}, "copies must be at least 1, not 0"),
        ({"copies": 1, "copied_share": 1.5}, "copied_share is a share from 0 to 1"),
        ({"copied_share": 0.5}, "copied_share is for `copies`, which is not given"),
    ):
        with pytest.raises(RecipeError, match=said):
            Distil(**wrong)  # type: ignore[arg-type]
    assert DistilledTexts().copies is None
