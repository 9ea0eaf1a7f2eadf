"""A cascade is one whole folder: written, opened, moved, and refused where anything in it is not what it was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from leanformer.artifact import MANIFEST, Artifact, open_artifact
from leanformer.cascade.plan import Plan
from leanformer.cascade.store import MEMBERS, check_members, read_cascade, write_cascade
from leanformer.compress.distil.distil import Distil
from leanformer.errors import ArtifactError, LeanformerError
from leanformer.export.standard import write_standard_onnx
from leanformer.files import sha256_file
from leanformer.loading import open_predictor
from leanformer.runtime.predictor import LightPredictor
from leanformer.task import Task
from tests.making.cascades import PLAN, make_members
from tests.making.tiny import tiny_artifact


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> list[Artifact]:
    return make_members(tmp_path_factory.mktemp("members"))


@pytest.fixture
def cascade(members: list[Artifact], tmp_path: Path) -> Artifact:
    return write_cascade(members, PLAN, tmp_path / "cascade", entry={"calibration": {"rows": 1}})


def test_it_comes_back_as_it_was_written(members: list[Artifact], cascade: Artifact, tmp_path: Path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(cascade.path, moved)
    opened = open_artifact(moved)
    assert opened.content_hash == cascade.content_hash
    plan, found = read_cascade(opened)
    assert plan == PLAN and [member.content_hash for member in found] == [member.content_hash for member in members]
    assert opened.task == members[0].task and opened.max_tokens == members[0].max_tokens
    assert opened.properties["parameters"] == sum(member.properties["parameters"] for member in members)
    assert opened.bytes >= sum(member.bytes for member in members)
    assert opened.history[-1]["step"] == "cascade" and opened.history[-1]["calibration"] == {"rows": 1}
    assert opened.history[:-1] == (*members[1].history, *(x for x in members[0].history if x not in members[1].history))


def test_the_road_is_not_hashed_and_the_thresholds_are(members: list[Artifact], cascade: Artifact, tmp_path: Path):
    other = write_cascade(members, PLAN, tmp_path / "other", entry={"calibration": {"rows": 2}})
    assert other.content_hash == cascade.content_hash
    stricter = write_cascade(members, Plan("margin", (1.5,), (0.3,)), tmp_path / "stricter")
    assert stricter.content_hash != cascade.content_hash


def test_what_was_tuned_for_a_member_goes_with_it(members: list[Artifact], tmp_path: Path):
    shutil.copytree(members[0].path, tmp_path / "tuned")
    (tmp_path / "tuned" / "tuning").mkdir()
    (tmp_path / "tuned" / "tuning" / "some-machine.json").write_text("{}", encoding="utf-8")
    tuned = open_artifact(tmp_path / "tuned")
    made = write_cascade([tuned, members[1]], PLAN, tmp_path / "cascade")
    assert (made.path / MEMBERS / "0" / "tuning" / "some-machine.json").is_file()
    assert made.content_hash == write_cascade(members, PLAN, tmp_path / "plain").content_hash


def refused(folder: Path, said: str) -> None:
    with pytest.raises(ArtifactError, match=said):
        open_predictor(folder, threads=1)


@pytest.mark.parametrize("name", ["cascade.json", "members/0/model.onnx", "members/1/tokenizer.json"])
def test_a_changed_file_is_refused(cascade: Artifact, name: str):
    with open(cascade.path / name, "ab") as handle:
        handle.write(b" ")
    refused(cascade.path, "content differs")


def test_a_changed_manifest_of_a_member_is_refused(cascade: Artifact):
    """Its properties are in no content hash, and tell how the graph is run."""
    path = cascade.path / MEMBERS / "0" / MANIFEST
    value = json.loads(path.read_text(encoding="utf-8"))
    value["properties"]["padding_id"] = 3
    path.write_text(json.dumps(value), encoding="utf-8")
    refused(cascade.path, "not what the cascade was made with")


def test_a_missing_member_is_refused(cascade: Artifact):
    shutil.rmtree(cascade.path / MEMBERS / "1")
    refused(cascade.path, "missing")


def test_swapped_members_are_refused(cascade: Artifact):
    """Each is whole, and in the wrong place."""
    inside = cascade.path / MEMBERS
    (inside / "0").rename(inside / "x")
    (inside / "1").rename(inside / "0")
    (inside / "x").rename(inside / "1")
    refused(cascade.path, "content differs")


def rewrite(cascade: Artifact, **changes: object) -> None:
    """Change cascade.json, with its hash put right, as somebody would who can write the whole folder."""
    path = cascade.path / "cascade.json"
    value = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps(value), encoding="utf-8")
    manifest = json.loads((cascade.path / MANIFEST).read_text(encoding="utf-8"))
    manifest["files"]["cascade.json"] = {"sha256": sha256_file(path), "bytes": path.stat().st_size}
    (cascade.path / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format_version": 2}, "upgrade"),
        ({"thresholds": [2.0]}, "not a valid plan"),
        ({"thresholds": ["x"]}, "not a valid plan"),
        ({"temperatures": None}, "not a valid plan"),
        ({"measure": "guess"}, "not a valid plan"),
        ({"members": ["0" * 64, "1" * 64]}, "is not the model"),
        ({"members": ["0" * 64]}, "not a valid plan"),
        ({"thresholds": [0.5, 0.5], "temperatures": [1.0, 1.0]}, "not a valid plan"),
    ],
)
def test_a_plan_that_is_none_is_refused(cascade: Artifact, changes: dict[str, object], said: str):
    rewrite(cascade, **changes)
    refused(cascade.path, said)


def test_nothing_outside_the_folder_is_read(cascade: Artifact, members: list[Artifact]):
    """A link in place of a member, and one in place of its manifest."""
    place = cascade.path / MEMBERS / "0"
    manifest = (place / MANIFEST).read_bytes()
    (place / MANIFEST).unlink()
    outside = cascade.path.parent / "outside.json"
    outside.write_bytes(manifest)
    (place / MANIFEST).symlink_to(outside)
    refused(cascade.path, "outside")
    shutil.rmtree(place)
    place.symlink_to(members[0].path, target_is_directory=True)
    refused(cascade.path, "outside")


def with_task(artifact: Artifact, folder: Path, **changes: object) -> Artifact:
    shutil.copytree(artifact.path, folder)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8")) | changes
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return open_artifact(folder)


def test_models_that_make_no_cascade_are_refused(members: list[Artifact], cascade: Artifact, tmp_path: Path):
    labels = list(reversed(members[0].task.labels))
    other = with_task(members[0], tmp_path / "other", task=Task("classification", tuple(labels)).to_json())
    shorter = with_task(members[0], tmp_path / "shorter", max_tokens=16)
    several = with_task(members[0], tmp_path / "several", task=Task("multilabel", tuple(labels)).to_json())
    score = with_task(members[0], tmp_path / "score", task=Task("regression", ()).to_json())
    tags = with_task(members[0], tmp_path / "tags", task=Task("tokens", ("O", "B-x", "I-x")).to_json())
    for given, said in [
        ([members[0]], "2 to 8 models"),
        ([members[0], members[0]], "twice"),
        ([other, members[1]], "labels in the same order"),
        ([shorter, members[1]], "reads"),
        ([several, several], "no cascade"),
        ([score, score], "no cascade"),
        ([tags, tags], "no cascade"),
        ([cascade, members[1]], "a cascade itself"),
    ]:
        with pytest.raises(LeanformerError, match=said):
            check_members(given)


def test_a_failure_leaves_nothing(members: list[Artifact], tmp_path: Path):
    with pytest.raises(ValueError, match="a plan for"):
        write_cascade(members, Plan("margin", (1.0, 1.0), (0.5, 0.5)), tmp_path / "cascade")
    changed = open_artifact(shutil.copytree(members[0].path, tmp_path / "changed"))
    (changed.path / "model.onnx").write_bytes(b"")
    with pytest.raises(ArtifactError):
        write_cascade([changed, members[1]], PLAN, tmp_path / "cascade")
    assert [path.name for path in tmp_path.iterdir()] == ["changed"]


def test_what_takes_no_cascade_says_so(cascade: Artifact, tmp_path: Path):
    with pytest.raises(ArtifactError, match=r"leanformer\.load"):
        LightPredictor(cascade)
    with pytest.raises(ArtifactError, match="no single graph"):
        write_standard_onnx(cascade, tmp_path / "graph.onnx")
    assert "cascade" not in Distil.consumes


def test_a_member_of_another_format(members: list[Artifact], tmp_path: Path):
    large = tiny_artifact(tmp_path / "encoder", seed=5)
    made = write_cascade([members[0], large], PLAN, tmp_path / "cascade")
    assert [member.format for member in read_cascade(made)[1]] == ["onnx", "encoder"]
    assert len(open_predictor(made, threads=1).infer([]).shape) == 2


@pytest.mark.parametrize("kind", ["somebody's folder", "a file of theirs in it", "a file"])
def test_from_python_nothing_of_somebody_elses_is_replaced(kind: str, members: list[Artifact], tmp_path: Path):
    place = tmp_path / "place"
    if kind == "a file of theirs in it":
        write_cascade(members, PLAN, place)
    if kind == "a file":
        place.write_text("mine", encoding="utf-8")
        mine = place
    else:
        mine = place / "thesis.txt"
        mine.parent.mkdir(exist_ok=True)
        mine.write_text("mine", encoding="utf-8")
    with pytest.raises(LeanformerError, match="will not be overwritten"):
        write_cascade(members, PLAN, place)
    assert mine.read_text(encoding="utf-8") == "mine"
    mine.unlink()
    assert write_cascade(members, PLAN, place).content_hash == write_cascade(members, PLAN, place).content_hash
