"""The Artifact: a folder that says what it is, and that is refused when it is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leanformer.artifact import MANIFEST, Artifact, is_artifact, open_artifact, write_manifest
from leanformer.errors import ArtifactError
from leanformer.task import Task

TASK = Task("classification", ("no", "yes"))


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    folder = tmp_path / "artifact"
    (folder / "deep").mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"graph")
    (folder / "deep" / "more.bin").write_bytes(b"12345678")
    history = ({"step": "import", "options": {"source": "x"}, "parent": None},)
    return write_manifest(
        folder, format="onnx", task=TASK, max_tokens=64, history=history, properties={"parameters": 7}
    )


def rewrite(artifact: Artifact, **changes: Any) -> None:
    manifest = json.loads((artifact.path / MANIFEST).read_text(encoding="utf-8"))
    (artifact.path / MANIFEST).write_text(json.dumps({**manifest, **changes}), encoding="utf-8")


def test_what_is_written_is_read(artifact: Artifact):
    assert open_artifact(artifact.path) == artifact
    assert open_artifact(str(artifact.path)).content_hash == artifact.content_hash
    assert is_artifact(artifact.path)
    assert sorted(artifact.files) == ["deep/more.bin", "model.onnx"]
    assert artifact.bytes == 13
    assert (artifact.task, artifact.max_tokens, artifact.properties) == (TASK, 64, {"parameters": 7})
    assert artifact.history[0]["options"] == {"source": "x"}
    assert artifact.file("model.onnx").read_bytes() == b"graph"


def test_the_hash_covers_what_the_model_computes(artifact: Artifact, tmp_path: Path):
    def again(**changes: Any) -> str:
        fields: dict[str, Any] = {"format": "onnx", "task": TASK, "max_tokens": 64}
        return write_manifest(artifact.path, **(fields | changes)).content_hash

    assert again() == artifact.content_hash, "history and properties are not content"
    others = [again(format="encoder"), again(max_tokens=65), again(task=Task("classification", ("yes", "no")))]
    (artifact.path / "model.onnx").write_bytes(b"grapH")
    assert len({artifact.content_hash, *others, again()}) == 5


def test_files_beside_the_listed_ones_are_no_content(artifact: Artifact):
    (artifact.path / "README.md").write_text("a card")
    assert open_artifact(artifact.path).content_hash == artifact.content_hash
    with pytest.raises(ArtifactError, match=r"no file 'README\.md'"):
        artifact.file("README.md")


@pytest.mark.parametrize("content", [b"grapH", b"graph and more", b""])
def test_a_changed_file_is_named(artifact: Artifact, content: bytes):
    (artifact.path / "model.onnx").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"model\.onnx: content differs"):
        open_artifact(artifact.path)
    assert open_artifact(artifact.path, verify=False).content_hash == artifact.content_hash


def test_a_missing_file_is_named(artifact: Artifact):
    (artifact.path / "deep" / "more.bin").unlink()
    with pytest.raises(ArtifactError, match=r"more\.bin: listed in leanformer\.json but missing"):
        open_artifact(artifact.path)


def escapes(tmp_path: Path) -> list[str]:
    return ["../secret", str(tmp_path / "secret"), "deep/../../secret", "link"]


@pytest.mark.parametrize("which", range(4))
def test_no_file_outside_the_folder_is_read(artifact: Artifact, which: int, tmp_path: Path):
    (tmp_path / "secret").write_bytes(b"secret")
    (artifact.path / "link").symlink_to(tmp_path / "secret")
    name = escapes(tmp_path)[which]
    assert (artifact.path / name).read_bytes() == b"secret", "the way out is a real one"
    rewrite(artifact, files={name: {"sha256": "0" * 64, "bytes": 6}})
    with pytest.raises(ArtifactError, match="outside the artifact"):
        open_artifact(artifact.path)


def test_a_newer_format_says_so(artifact: Artifact):
    rewrite(artifact, format_version=2)
    with pytest.raises(ArtifactError, match=r"(?s)format version 2, but this Leanformer reads version 1.*upgrade"):
        open_artifact(artifact.path)


@pytest.mark.parametrize("text", ["{", "", "[]", "null", '"text"', "{}", '{"format_version": 1}', "\x00"])
def test_a_manifest_that_is_none_is_refused(artifact: Artifact, text: str):
    (artifact.path / MANIFEST).write_text(text)
    with pytest.raises(ArtifactError, match="not a valid manifest"):
        open_artifact(artifact.path)


def test_a_manifest_that_is_not_utf8_is_refused(artifact: Artifact):
    (artifact.path / MANIFEST).write_bytes(b'{"format": "\xff"}')
    with pytest.raises(ArtifactError, match="not a valid manifest"):
        open_artifact(artifact.path)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "pickle"},
        {"task": {"kind": "classification"}},
        {"task": {"kind": "guessing", "labels": ["a", "b"]}},
        {"task": {"kind": "classification", "labels": ["a", "a"]}},
        {"max_tokens": "many"},
        {"files": []},
        {"files": ["model.onnx"]},
        {"files": {"model.onnx": {}}},
        {"files": {"model.onnx": "5"}},
        {"files": {"model.onnx": {"sha256": None, "bytes": 5}}},
        {"history": None},
        {"history": {}},
        {"properties": []},
    ],
    ids=str,
)
def test_a_manifest_of_the_wrong_shape_is_refused(artifact: Artifact, changes: dict[str, Any]):
    rewrite(artifact, **changes)
    with pytest.raises(ArtifactError, match="not a valid manifest"):
        open_artifact(artifact.path)


def test_a_folder_that_is_none_is_told_apart(tmp_path: Path):
    with pytest.raises(ArtifactError, match="no such folder"):
        open_artifact(tmp_path / "nothing")
    with pytest.raises(ArtifactError, match=r"not a Leanformer artifact, leanformer\.json is missing"):
        open_artifact(tmp_path)
    assert not is_artifact(tmp_path)


def test_an_unknown_format_is_not_written(tmp_path: Path):
    with pytest.raises(ArtifactError, match="pickle"):
        write_manifest(tmp_path, format="pickle", task=TASK, max_tokens=8)
    assert list(tmp_path.iterdir()) == []
