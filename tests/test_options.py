"""Groups of options that techniques share, and options that name files and artifacts."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

import pytest

from leanformer import catalog
from leanformer.compress.distil.distil import Distil
from leanformer.errors import RecipeError
from leanformer.options import ArtifactName, FilePath, Options, groups, options, options_of_type, without_groups
from leanformer.recipe.library import find_recipe
from leanformer.recipe.spec import build
from leanformer.search.space.read import read_space


@dataclass(frozen=True)
class Speed(Options):
    rate: float = 0.1  # how fast
    count: int = 2  # how often

    group: ClassVar[str] = "speed"

    def __post_init__(self) -> None:
        self.above(0, "rate")
        super().__post_init__()


@dataclass(frozen=True)
class Some(Speed):
    rate: float = 0.5
    share_kept: float | None = None
    kind: str = "a"
    path: FilePath | None = None
    model: ArtifactName = "teacher"

    technique: ClassVar[str] = "room.some"

    def __post_init__(self) -> None:
        self.share("share_kept")
        self.at_least(1, "count")
        self.one_of("kind", ("a", "b"))
        super().__post_init__()


def test_an_option_keeps_its_group_where_its_default_is_another():
    assert groups(Some) == {"rate": "speed", "count": "speed"}
    assert options(Some()) == {
        "rate": 0.5, "count": 2, "share_kept": None, "kind": "a", "path": None, "model": "teacher",
    }  # fmt: skip
    assert (options_of_type(Some, "FilePath"), options_of_type(Some, "ArtifactName")) == (["path"], ["model"])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"rate": 0}, "room.some: rate must be above 0, not 0"),
        ({"count": 0}, "room.some: count must be at least 1, not 0"),
        ({"share_kept": 1.5}, "room.some: share_kept is a share from 0 to 1, not 1.5"),
        ({"kind": "c"}, "room.some: kind is one of a, b, not 'c'"),
    ],
)
def test_a_group_and_the_technique_each_check_their_own(values: dict[str, Any], said: str):
    with pytest.raises(RecipeError) as caught:
        Some(**values)
    assert str(caught.value) == said


def test_options_stand_among_the_others_or_in_their_group():
    assert without_groups(Some, {"speed": {"rate": 1, "count": 3}, "kind": "b"}, "here") == {
        "rate": 1, "count": 3, "kind": "b",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"speed": {"kind": "b"}}, "`speed:` has no 'kind'\n  remedy: a mapping with rate, count"),
        ({"speed": 3}, "`speed:` is no mapping\n  remedy: a mapping"),
        ({"speed": {"rate": 1}, "rate": 2}, "rate is given twice"),
    ],
)
def test_a_wrong_group_is_refused(values: dict[str, Any], said: str):
    with pytest.raises(RecipeError) as caught:
        without_groups(Some, values, "recipe x, line 3")
    assert str(caught.value).startswith("recipe x, line 3: room.some: ") and said in str(caught.value)


def test_a_recipe_takes_both_spellings():
    flat = build("compress.distil", {"epochs": 2, "layers": 4, "hard": 0.5}, "here")
    nested = build("compress.distil", {"fit": {"epochs": 2}, "architecture": {"layers": 4}, "hard": 0.5}, "here")
    assert flat == nested
    recipe = find_recipe("distil")
    assert recipe.with_options({"student.fit.epochs": 7}) == recipe.with_options({"student.epochs": 7})
    with pytest.raises(RecipeError, match="has no 'layers'"):
        recipe.with_options({"student.fit.layers": 7})
    with pytest.raises(RecipeError, match=r"has no step 'nobody\.fit'"):
        recipe.with_options({"nobody.fit.epochs": 7})


def test_a_search_leaves_options_of_a_group_open(tmp_path: Path):
    text = """\
goals: {maximise: quality, minimise: bytes}
steps:
  - step: compress.distil
    name: student
    fit: {epochs: {choose: [1, 2]}, batch_size: 16}
"""
    (tmp_path / "space.yaml").write_text(text)
    space = read_space(tmp_path / "space.yaml")
    assert [hole.name for hole in space.holes()] == ["student.epochs"]
    (step,) = space.of({"student.epochs": 2}).recipe.steps
    assert options(step.step)["epochs"] == 2 and options(step.step)["batch_size"] == 16
    (tmp_path / "space.yaml").write_text(text.replace("batch_size: 16", "layers: 2"))
    with pytest.raises(RecipeError, match="has no 'layers'"):
        read_space(tmp_path / "space.yaml")


def test_the_card_knows_the_groups():
    card = catalog.card("compress.distil")
    assert {option.name: option.group for option in card.options if option.group} == groups(Distil)
    own = [option.name for option in card.options if not option.group]
    assert own == [name for name in Distil.__annotations__ if name in {field.name for field in fields(Distil)}]
    assert len(own) == 14


@pytest.mark.parametrize("name", sorted(catalog.TECHNIQUES))
def test_no_group_is_called_as_an_option(name: str):
    kind = catalog.load(name)
    assert not set(groups(kind).values()) & {field.name for field in fields(kind)}
