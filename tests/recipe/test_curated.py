"""Recipes that curate data: which steps read what, and what is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest

from leanformer.artifact import Artifact, open_artifact
from leanformer.curate.duplicates import Duplicates
from leanformer.data.dataset import Dataset
from leanformer.errors import GateError, RecipeError
from leanformer.options import ArtifactName
from leanformer.recipe.run import Outcome, run_recipe
from leanformer.recipe.spec import Recipe, RecipeStep, read_recipe
from leanformer.step import Context, Curate, Make
from tests.making.graphs import make_context
from tests.making.tiny import tiny_artifact, tiny_dataset


@dataclass(frozen=True)
class Count(Make):
    """Notes how many training texts it was given."""

    technique: ClassVar[str] = "compress.count"
    consumes: ClassVar[tuple[str, ...]] = ("encoder",)
    seen: ClassVar[list[int]] = []
    hashes: ClassVar[list[str]] = []

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        assert context.data.train is not None
        self.seen.append(len(context.data.train))
        self.hashes.append(context.data.training_hash)
        return tiny_artifact(output)


@dataclass(frozen=True)
class Halve(Curate):
    """Every second training text."""

    technique: ClassVar[str] = "curate.halve"
    run: ClassVar[list[str]] = []

    def __call__(self, data: Dataset, context: Context) -> Dataset:
        assert data.train is not None
        self.run.append(data.training_hash)
        assert not context.artifacts, "it named none"
        return replace(data, train=data.train.select(range(0, len(data.train), 2)), notes=(*data.notes, "halved"))


@dataclass(frozen=True)
class Select(Halve):
    """As `Halve`, by an artifact that it names."""

    by: ArtifactName = "teacher"

    technique: ClassVar[str] = "curate.select"

    def __call__(self, data: Dataset, context: Context) -> Dataset:
        assert list(context.artifacts) == [self.by]
        return super().__call__(data, replace(context, artifacts={}))


@dataclass(frozen=True)
class Fail(Count):
    """Fails its gate."""

    technique: ClassVar[str] = "compress.fail"

    def __call__(self, artifact: Artifact, context: Context, output: Path) -> Artifact:
        raise GateError("not like its source")


@dataclass(frozen=True)
class Spoil(Curate):
    """Changes what judges all."""

    technique: ClassVar[str] = "curate.spoil"

    def __call__(self, data: Dataset, context: Context) -> Dataset:
        assert data.dev is not None
        return replace(data, dev=data.dev.select(range(5)))


@pytest.fixture(autouse=True)
def none_seen() -> None:
    Count.seen.clear()
    Count.hashes.clear()
    Halve.run.clear()


def count(name: str, data: str | None = None, rung: str | None = None) -> RecipeStep:
    return RecipeStep("compress.count", Count(), name, uses="teacher", rung=rung, data=data)


def halve(name: str, data: str | None = None) -> RecipeStep:
    return RecipeStep("curate.halve", Halve(), name, data=data)


def run(tmp_path: Path, *steps: RecipeStep, data: Dataset | None = None) -> tuple[Outcome, list[str]]:
    said: list[str] = []
    folder = tmp_path / "teacher"
    teacher = open_artifact(folder) if folder.exists() else tiny_artifact(folder)
    context = replace(make_context(tmp_path, teacher, data=data or tiny_dataset()), say=said.append)
    return run_recipe(Recipe("test", steps), teacher, context, tmp_path / "work"), said


def test_a_step_reads_the_last_curation_or_the_one_it_names(tmp_path: Path):
    train = tiny_dataset().train
    assert train is not None
    n = len(train)
    outcome, _ = run(
        tmp_path, count("a"), halve("half"), count("b"), halve("quarter"), count("c"), count("d", "half"),
        count("e", "original", rung="last"),
    )  # fmt: skip
    assert Count.seen == [n, n // 2, n // 4, n // 2, n]
    assert outcome.notes == ("halved", "halved") and set(outcome.artifacts) == {"teacher", *"abcde"}


def test_a_curation_is_kept_under_its_causes(tmp_path: Path):
    steps = halve("half"), count("a", rung="last")
    run(tmp_path, *steps)
    outcome, said = run(tmp_path, *steps)
    assert len(Halve.run) == len(Count.seen) == 1
    assert said[0].startswith("[1/2] half: found in ") and outcome.notes == ("halved",)
    data = tiny_dataset()
    assert data.train is not None
    run(tmp_path, *steps, data=replace(data, train=data.train.select(range(10))))
    assert len(Halve.run) == len(Count.seen) == 2
    (file, *_) = sorted((tmp_path / "work" / "steps").glob("half-*/data.json"))
    file.write_text(file.read_text().replace("halved", "halfed"))
    _, first = run(tmp_path, *steps)
    _, second = run(tmp_path, *steps, data=replace(data, train=data.train.select(range(10))))
    assert len(Halve.run) == 3 and any("damaged" in line for line in (*first, *second))


def test_what_is_kept_is_the_data_to_the_byte(tmp_path: Path):
    data = tiny_dataset()
    assert data.train is not None
    data = replace(data, train=data.train.select([0, 1, 0, *range(40)]))
    step = RecipeStep("curate.duplicates", Duplicates(), "clean")
    _, first = run(tmp_path, step, count("a", rung="last"), data=data)
    _, second = run(tmp_path, step, count("b", rung="last"), data=data)
    after = Duplicates()(data, make_context(tmp_path, tiny_artifact(tmp_path / "t")))
    assert "found" not in first[0] and "found" in second[0]
    assert Count.hashes == [after.training_hash] * 2 and after.training_hash != data.training_hash


def test_a_curation_that_changes_dev_is_refused(tmp_path: Path):
    with pytest.raises(RecipeError, match=r"curate\.spoil: a curation changes train and unlabelled texts alone"):
        run(tmp_path, RecipeStep("curate.spoil", Spoil(), "spoilt"), count("a", rung="last"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{step: export.onnx, data: clear, rung: a}", "data 'clear', which is no curation before it; there are clean"),
        ("{step: export.onnx, uses: clean, rung: a}", "uses 'clean', which is no step before it"),
        ("{step: curate.duplicates, name: again, rung: a}", "curates data, so it has no `uses:`, `rung:` or `after:`"),
        ("{step: export.onnx, name: clean, rung: a}", "two artifacts are called 'clean'"),
        ("{step: export.onnx, data: 3, rung: a}", "`data:` must be text, not 3"),
    ],
)
def test_a_wrong_recipe_is_refused(line: str, said: str, tmp_path: Path):
    path = tmp_path / "recipe.yaml"
    path.write_text(f"steps:\n- {{step: curate.duplicates, name: clean}}\n- {line}\n")
    with pytest.raises(RecipeError) as caught:
        read_recipe(path)
    assert said in str(caught.value)


def test_data_survive_the_recipes_json(tmp_path: Path):
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "steps:\n- {step: curate.duplicates, name: clean}\n- {step: export.onnx, rung: a, data: original}\n"
        "- {step: export.int8, rung: b}\n"
    )
    recipe = read_recipe(path)
    written = recipe.to_json()
    assert Recipe.from_json(written) == recipe
    assert [step.get("data") for step in written["steps"]] == [None, "original", None]
    assert "data" not in written["steps"][2], "recipes without curations are stored as they were"


def test_a_curation_by_an_artifact_that_was_left_out_is_left_out_with_what_reads_its_data(tmp_path: Path):
    steps = (
        RecipeStep("compress.fail", Fail(), "judge"),
        RecipeStep("curate.select", Select(by="judge"), "chosen"),
        halve("half-of-it"),
        count("a"),
        count("b", "original", rung="last"),
        RecipeStep("curate.select", Select(), "by-the-teacher", data="original"),
        count("c"),
    )
    outcome, _ = run(tmp_path, *steps)
    assert outcome.left_out == {
        "judge": "not like its source",
        "chosen": "'judge', which it builds on, was left out",
        "half-of-it": "'chosen', which it builds on, was left out",
        "a": "'half-of-it', which it builds on, was left out",
    }
    train = tiny_dataset().train
    assert train is not None and Count.seen == [len(train), len(train) // 2]
    assert set(outcome.artifacts) == {"teacher", "b", "c"}
