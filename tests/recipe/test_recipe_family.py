"""A recipe that delivers a family: the members on the front, each an artifact, and what is written beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import leanformer
from leanformer.artifact import open_artifact
from leanformer.combine.cascade import Cascade
from leanformer.errors import LeanformerError, RecipeError
from leanformer.outputs.ours import theirs
from leanformer.recipe import family as module
from leanformer.recipe.family import make_family
from leanformer.recipe.library import find_recipe
from leanformer.recipe.spec import Recipe, RecipeStep, read_recipe
from leanformer.report import Report
from leanformer.tune import time_model
from leanformer.tune.family import read_family
from tests.making.tiny import tiny_artifact, tiny_dataset

STEPS = """\
family: true
steps:
- {step: export.onnx, name: whole, uses: teacher, rung: fp32}
- {step: compress.supernet, name: supernet, uses: teacher, widths: [1.0, 0.5], depths: [1.0, 0.5], epochs: 1}
- {step: compress.extract, name: wide, uses: supernet, depth: 1.0, width: 0.5}
- {step: export.onnx, name: wide-onnx}
- {step: export.int8, name: wide-int8, rung: wide, max_flips: 1.0, max_mean_share: 10.0}
- {step: compress.extract, name: short, uses: supernet, depth: 0.5, width: 0.5}
- {step: export.onnx, name: short-onnx}
- {step: export.int8, name: short-int8, rung: short, max_flips: 1.0, max_mean_share: 10.0}
"""


def compress(folder: Path, **options: Any) -> leanformer.Compressed:
    return leanformer.compress(
        folder / "teacher", tiny_dataset(), folder / "family", recipe=folder / "recipe.yaml", max_drop=100, threads=1,
        memory=False, allow_weak_teacher=True, allow_lost_classes=True, floor=False, device="cpu",
        speed=leanformer.SpeedSettings(rounds=1, latency_texts=6, seconds=0.01), say=lambda line: None, **options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("family")
    tiny_artifact(folder / "teacher", seed=11)
    (folder / "recipe.yaml").write_text(STEPS, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time_model, "SHAPES", 3)
        patch.setattr(time_model, "ROUNDS", 1)
        compress(folder)
        compress(folder)  # again, in the place of the first
    return folder


@pytest.mark.slow
def test_the_members_are_those_that_no_other_beats(made: Path):
    family, report = read_family(made / "family"), Report.read(made / "family" / "report.json")
    rungs = {rung.name: rung for rung in report.rungs if rung.name in ("fp32", "wide", "short")}
    assert {member.name for member in family.members} | {other["name"] for other in family.dominated} == set(rungs)
    for rung in rungs.values():
        beaten = any(
            other.dev_quality >= rung.dev_quality and other.latency_ms_p50 < rung.latency_ms_p50
            for other in rungs.values()
        )
        assert beaten == (rung.name in {other["name"] for other in family.dominated})
    assert [m.latency_ms for m in family.members] == sorted(m.latency_ms for m in family.members)
    assert family.n == 40 and family.teacher_quality == report.rungs[0].dev_quality and len(family.tokens) == 32


@pytest.mark.slow
def test_each_member_is_an_artifact_as_it_was_measured(made: Path):
    family, report = read_family(made / "family"), Report.read(made / "family" / "report.json")
    layers = {"fp32": ((4, 48),) * 2, "wide": ((2, 24),) * 2, "short": ((2, 24),)}
    for member in family.members:
        [rung] = [rung for rung in report.rungs if rung.name == member.name]
        artifact = open_artifact(made / "family" / member.folder)
        assert artifact.content_hash == member.content_hash == rung.content_hash and artifact.bytes == member.bytes
        assert member.layers == layers[member.name] and (made / "family" / member.folder / "used_texts.bin").is_file()
        assert member.quality == rung.dev_quality
        assert member.drop == pytest.approx(100 * (family.teacher_quality - member.quality))
        if artifact.properties["precision"] == "int8 mixed":
            assert member.predicted_ms is not None and member.predicted_ms > rung.tokenizer_ms_p50
    assert list((made / "family" / "tuning").glob("time-*.json"))


def test_the_folder_is_that_of_the_chosen_model(made: Path):
    report = Report.read(made / "family" / "report.json")
    assert report.choice is not None
    [chosen] = [rung.content_hash for rung in report.rungs if rung.name == report.choice["rung"]]
    assert open_artifact(made / "family").content_hash == chosen
    assert theirs(made / "family") == []


def test_a_rung_that_lost_labels_is_no_member(made: Path, tmp_path: Path):
    report = Report.read(made / "family" / "report.json")
    artifact = open_artifact(made / "family")
    lost = replace(report, rungs=[replace(rung, lost=("fog",)) for rung in report.rungs])
    entries, said = [SimpleNamespace(artifact=artifact)] * len(report.rungs), []
    recipe, given = read_recipe(made / "recipe.yaml"), {"threads": 1, "say": said.append}
    assert make_family(recipe, lost, entries, artifact, tiny_dataset(), tmp_path, **given) is None
    assert said == [
        "note: no family is delivered: of the recipe's rungs none is a Transformer that may be chosen on dev"
    ]


def test_a_cascade_beside_a_family_is_refused():
    cascade = RecipeStep("export.cascade", Cascade(), "cascade", rung="both")
    with pytest.raises(RecipeError, match=r"both keep models in the folder `members`\n  remedy: leave `family: true`"):
        Recipe("mine", (cascade,), family=True)
    assert not Recipe("mine", (cascade,)).family


def test_a_copy_of_the_chosen_model_has_nothing_of_the_members(made: Path):
    names = open_artifact(made / "family").names_to_copy
    assert "leanformer.json" in names and not any(name.startswith("members/") for name in names)


def test_a_recipe_says_whether_it_makes_one(tmp_path: Path):
    recipe = find_recipe("family")
    assert recipe.family and Recipe.from_json(recipe.to_json()).family and recipe.with_options({}).family
    assert "family" not in find_recipe("quick").to_json()
    assert 6 <= sum(step.technique == "compress.extract" for step in recipe.steps) <= 8
    (tmp_path / "recipe.yaml").write_text(STEPS.replace("family: true", "family: perhaps"), encoding="utf-8")
    with pytest.raises(RecipeError, match="`family:` is true or false, not 'perhaps'"):
        read_recipe(tmp_path / "recipe.yaml")


def test_a_family_is_delivered_without_a_model_of_time_where_none_can_be_made(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def failing(*arguments: Any, **options: Any) -> None:
        raise LeanformerError("no engine")

    monkeypatch.setattr(module, "time_model", failing)
    said: list[str] = []
    teacher = open_artifact(made / "teacher")
    graph = open_artifact(made / "family" / read_family(made / "family").members[0].folder)
    assert module._model_of_time([graph], teacher, tmp_path, 1, said.append) == (None, ())
    assert said == ["note: latencies are not predicted: no engine"]
