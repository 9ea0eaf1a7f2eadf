"""Data sets made by a recipe's curations, kept in the work folder under a hash of everything they depend on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import RecipeError
from leanformer.kept import keep, kept
from leanformer.recipe.keys import curation_key
from leanformer.step import Context, Curate, named_artifacts

CHANGED = ("train", "unlabelled")


def curated(step: Curate, name: str, context: Context, work: Path, say: Callable[[str], None]) -> Dataset:
    """The data set that `step` (called `name`) makes of `context.data`, now or in an earlier run.

    Raises `RecipeError` for a curation that changes dev, test, the task or the order of its labels.
    """
    artifacts = {artifact: context.artifacts[artifact] for artifact in named_artifacts(step).values()}
    context = replace(context, artifacts=artifacts)
    file = work / f"{name}-{curation_key(step, context)[:16]}" / "data.json"
    if (value := kept(file, say, again="curated again")) is not None:
        say(f"found in {file.parent}")
        return _read(value, context.data)
    say(step.technique)
    before, after = context.data, step(context.data, context)
    if (after.task, after.dev, after.test) != (before.task, before.dev, before.test):
        raise RecipeError(f"{step.technique}: a curation changes train and unlabelled texts alone, not dev or the task")
    file.parent.mkdir(parents=True, exist_ok=True)
    keep(file, _written(before, after))
    return after


def _written(before: Dataset, after: Dataset) -> dict[str, Any]:
    parts = {split: getattr(after, split) for split in CHANGED}
    fields = ("texts", "labels", "pairs", "source", "languages")
    splits = {
        split: None if part is None else {field: getattr(part, field) for field in fields}
        for split, part in parts.items()
    }
    return {"splits": splits, "notes": after.notes[len(before.notes) :]}


def _read(value: dict[str, Any], before: Dataset) -> Dataset:
    """The data set that `_written` recorded; everything else is taken from `before`."""
    splits: dict[str, Any] = {
        split: None if part is None else Examples(before.task, **{key: _tuples(field) for key, field in part.items()})
        for split, part in value["splits"].items()
    }
    return replace(before, **splits, notes=(*before.notes, *value["notes"]))


def _tuples(value: Any) -> Any:
    return tuple(_tuples(part) for part in value) if isinstance(value, list) else value
