"""A recipe by name or by file."""

from __future__ import annotations

from pathlib import Path

from leanformer.recipe.library import recipe_path
from leanformer.recipe.spec import Recipe, read_recipe


def find_recipe(name: str | Path) -> Recipe:
    """The shipped recipe called `name`, or the recipe in the YAML file at that path.

    Raises `RecipeError`, listing the shipped names, when it is neither.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return read_recipe(path)
    return read_recipe(recipe_path(str(name)))
