"""What a finished step is found by: options that were chosen, and defaults that never change silently."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from leanformer.artifact import Artifact
from leanformer.catalog import TECHNIQUES, load
from leanformer.recipe.run import VERSIONS, _key
from leanformer.recipe.spec import RecipeStep
from leanformer.step import defaults
from tests.export.making import make_context
from tests.tiny import tiny_artifact

DEFAULTS = Path(__file__).with_name("defaults.json")


@dataclass(frozen=True)
class Before:
    amount: float = 0.5
    consumes: ClassVar[tuple[str, ...]] = ("encoder",)
    produces: ClassVar[str] = "encoder"
    reads_data: ClassVar[bool] = False


@dataclass(frozen=True)
class After(Before):
    kinds: tuple[str, ...] = ("one",)


@pytest.fixture
def teacher(tmp_path: Path) -> Artifact:
    return tiny_artifact(tmp_path / "teacher")


def key(step: Any, teacher: Artifact, folder: Path) -> str:
    return _key(RecipeStep("compress.some", step, "some"), teacher, teacher, make_context(folder, teacher))


def test_a_new_option_leaves_the_key_alone(teacher: Artifact, tmp_path: Path):
    assert key(Before(), teacher, tmp_path) == key(After(), teacher, tmp_path)
    assert key(Before(0.25), teacher, tmp_path) == key(After(0.25), teacher, tmp_path)


def test_a_chosen_option_changes_it(teacher: Artifact, tmp_path: Path):
    steps = Before(), Before(0.25), After(kinds=("one", "two")), After(0.25, ("one", "two"))
    assert len({key(one, teacher, tmp_path) for one in steps}) == len(steps)


@pytest.mark.parametrize("technique", sorted(TECHNIQUES))
def test_defaults_change_with_the_version_alone(technique: str):
    """A default that changes needs a higher version in `VERSIONS`, and a line of its own in defaults.json."""
    kept = json.loads(DEFAULTS.read_text(encoding="utf-8"))
    assert kept.get(f"{technique} {VERSIONS.get(technique, 1)}") == defaults(load(technique))
