"""Shipped recipes are found by name, others by path, and names lead nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanformer.errors import RecipeError
from leanformer.recipe import library
from leanformer.recipe.library import find_recipe, recipe_names, recipe_path


def test_recipes_and_searches_are_listed_apart():
    assert {"quick", "distil"} <= set(recipe_names()) and recipe_names() == sorted(recipe_names())
    assert recipe_names(searches=True) and not set(recipe_names(searches=True)) & set(recipe_names())
    assert recipe_path(recipe_names(searches=True)[0], searches=True).parent.name == "searches"


def test_every_shipped_recipe_can_be_read_under_its_name():
    for name in recipe_names():
        assert find_recipe(name) == find_recipe(recipe_path(name)) and find_recipe(name).steps


def test_a_file_of_the_users_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    text = recipe_path("quick").read_text(encoding="utf-8")
    (tmp_path / "mine").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert find_recipe("mine").steps == find_recipe(tmp_path / "mine").steps == find_recipe("quick").steps
    with pytest.raises(RecipeError, match=r"other\.yaml"):
        find_recipe("other.yaml")


@pytest.mark.parametrize("name", ["quickest", "../pyproject", "searches/../quick", ""])
def test_any_other_name_is_refused_with_those_there_are(name: str):
    with pytest.raises(RecipeError, match="no shipped recipe is called") as caught:
        recipe_path(name)
    assert ", ".join(recipe_names()) in str(caught.value)


def test_an_installation_without_recipes_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    module = tmp_path / "site" / "leanformer" / "recipe" / "library.py"
    monkeypatch.setattr(library, "__file__", str(module))
    (tmp_path / "recipes").mkdir()  # somebody else's
    with pytest.raises(RecipeError, match=r"the shipped recipes are missing\n  remedy: install leanformer again"):
        recipe_names()
    (tmp_path / "site" / "leanformer" / "recipes").mkdir(parents=True)
    (tmp_path / "site" / "leanformer" / "recipes" / "x.yaml").touch()
    assert recipe_names() == ["x"]
