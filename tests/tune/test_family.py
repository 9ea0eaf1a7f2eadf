"""A family's file: read as written, refused if it is not one of ours or the members are others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from leanformer.errors import LeanformerError
from leanformer.tune.family import FILE, Family, FamilyMember, read_family
from tests.making.tiny import tiny_artifact

MEMBER = FamilyMember("small", "members/0", "0" * 64, 0.8, 1.5, 1000, 4000, ((2, 16), (2, 16)), 0.1, 9000.0, 0.11)


def written(folder: Path, *members: FamilyMember) -> Family:
    family = Family(folder, "family on tiny", "accuracy", 40, 0.815, (5, 9), members or (MEMBER,))
    folder.mkdir(exist_ok=True)
    (folder / FILE).write_text(json.dumps(family.to_json()), encoding="utf-8")
    return family


def test_it_is_read_as_it_was_written(tmp_path: Path):
    family = written(tmp_path, MEMBER, replace(MEMBER, name="large", folder="members/1", predicted_ms=None))
    assert read_family(tmp_path) == family


def test_a_folder_without_one_is_told_how_to_make_it(tmp_path: Path):
    with pytest.raises(
        LeanformerError, match=r"no family of models: there is no family.json\n  remedy: .*--recipe family"
    ):
        read_family(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format_version": 2}, "format version is 2"), ({"tokens": []}, "tokens has 0 entries"),
        ({"members": [json.loads(json.dumps(MEMBER.__dict__)) | {"folder": "members/../../x"}]}, "not a folder mem"),
        ({"members": [{"name": "x"}]}, "has no 'folder'"), ({"n": "many"}, "n is 'many'"),
    ],
    ids=["version", "tokens", "outside", "member", "number"],
)  # fmt: skip
def test_a_file_that_is_not_ours_is_refused(change: dict[str, object], said: str, tmp_path: Path):
    value = written(tmp_path).to_json() | change
    (tmp_path / FILE).write_text(json.dumps(value), encoding="utf-8")
    with pytest.raises(LeanformerError, match=f"cannot be read .*{said}"):
        read_family(tmp_path)


def test_a_member_that_is_another_model_is_refused(tmp_path: Path):
    artifact = tiny_artifact(tmp_path / "members" / "0")
    member = replace(MEMBER, content_hash=artifact.content_hash)
    assert written(tmp_path, member).open(member).content_hash == artifact.content_hash
    with pytest.raises(LeanformerError, match=r"members/0: not the model that .* describes"):
        written(tmp_path).open(MEMBER)
