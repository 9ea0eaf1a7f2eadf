"""What a finished step is found by: options that were chosen, and defaults that never change silently."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
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


def text_options() -> list[tuple[str, str, str]]:
    """Technique, option and a value that is not its default, of every option that takes text and is no path."""
    values = {
        "budget": "parameters", "ranking": "magnitude", "tune": "masks", "method": "static", "strategy": "D1",
        "start": "random", "vocabulary": "all", "representation": "mse", "language": "static", "shape": "2x32",
        "logit_loss": "mse", "hidden_kind": "cosine", "attention_kind": "mse", "precision": "bf16",
        "promise": "agreement", "measure": "margin", "on": "dev",
    }  # fmt: skip
    return [
        (technique, one.name, values[one.name])
        for technique in sorted(TECHNIQUES)
        for one in fields(load(technique))
        if "str" in str(one.type).split(" | ") and one.name not in load(technique).__dict__.get("paths", ())
        and one.name not in load(technique).__dict__.get("names", ())
    ]  # fmt: skip


@pytest.mark.parametrize(("technique", "option", "value"), text_options())
def test_what_lies_in_the_folder_that_we_are_in_changes_no_key(
    technique: str, option: str, value: str, teacher: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """`method: static` beside a folder static/, a file, an artifact: it is still the method."""
    step = load(technique)(**{option: value})
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    keys = [key(step, teacher, tmp_path)]
    Path(value).mkdir()
    Path(value, "thesis.txt").write_text("mine")
    keys.append(key(step, teacher, tmp_path))
    Path(value, "thesis.txt").unlink()
    Path(value).rmdir()
    Path(value).write_text("a file")
    keys.append(key(step, teacher, tmp_path))
    Path(value).unlink()
    tiny_artifact(Path(value), seed=4)
    keys.append(key(step, teacher, tmp_path))
    assert len(set(keys)) == 1


PATHS = [(technique, one) for technique in sorted(TECHNIQUES) for one in getattr(load(technique), "paths", ())]


def test_the_options_that_are_paths_are_these():
    assert PATHS == [
        ("compress.distil", "start"), ("compress.prune", "table"), ("compress.prune_post_training", "table"),
        ("compress.trim_vocabulary", "extra_texts"),
    ]  # fmt: skip


@pytest.mark.parametrize(("technique", "option"), PATHS)
def test_a_path_stands_for_what_is_there(
    technique: str, option: str, teacher: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert option in {one.name for one in fields(load(technique))}
    monkeypatch.chdir(tmp_path)
    step = load(technique)(**{option: "given"}, **({"budget": "latency"} if option == "table" else {}))
    nothing = key(step, teacher, tmp_path)
    Path("given").write_text("one")
    file = key(step, teacher, tmp_path)
    Path("given").write_text("two")
    changed = key(step, teacher, tmp_path)
    Path("given").unlink()
    Path("given").mkdir()
    Path("given", "texts.txt").write_text("two")
    assert len({nothing, file, changed, key(step, teacher, tmp_path)}) == 4
