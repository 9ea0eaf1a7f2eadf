"""The recipes that come with Leanformer, found by name in a checkout and in an installed wheel.

In a checkout they are in the top folder `recipes/`; a wheel has the same files in `leanformer/recipes/`. Searches,
which are recipes with open options, are in its subfolder `searches`.
"""

from __future__ import annotations

from pathlib import Path

from leanformer.errors import RecipeError
from leanformer.recipe.spec import Recipe, read_recipe


def recipe_names(*, searches: bool = False) -> list[str]:
    """Names of the shipped recipes, or of the searches, in alphabetical order: file names without `.yaml`."""
    return sorted(path.stem for path in _folder(searches).glob("*.yaml"))


def recipe_path(name: str, *, searches: bool = False) -> Path:
    """Path of the shipped recipe, or search, `name`.

    Raises `RecipeError`, listing the available names, for any other name.
    """
    names, kind = recipe_names(searches=searches), "search" if searches else "recipe"
    # Compared with the list, not joined to the folder: a name such as "../x" must not lead outside.
    if name not in names:
        raise RecipeError(
            f"no shipped {kind} is called {name!r}\n  remedy: use one of {', '.join(names) or '(none found)'}, "
            f"or give the path of a {kind} file"
        )
    return _folder(searches) / f"{name}.yaml"


def find_recipe(name: str | Path) -> Recipe:
    """The shipped recipe called `name`, or the recipe in the YAML file at that path.

    Raises `RecipeError`, listing the shipped names, if it is neither.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return read_recipe(path)
    return read_recipe(recipe_path(str(name)))


def _folder(searches: bool) -> Path:
    """The folder of recipes, or the one of searches in it."""
    return _recipes() / "searches" if searches else _recipes()


def _recipes() -> Path:
    """The folder of recipes. Raises `RecipeError` if the installation lacks it."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "recipes"
    if packaged.is_dir():
        return packaged
    checkout = package.parents[1]
    # The pyproject.toml distinguishes our checkout from any other folder that a package may have been unpacked into.
    if (checkout / "recipes").is_dir() and (checkout / "pyproject.toml").is_file():
        return checkout / "recipes"
    raise RecipeError(f"{packaged}: the shipped recipes are missing\n  remedy: install leanformer again")
