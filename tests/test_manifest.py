"""The manifest's schema: wrong types, sizes that cannot be and texts that are none end when an artifact is opened."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leanformer.artifact import MANIFEST, Artifact, open_artifact, write_manifest
from leanformer.errors import ArtifactError
from leanformer.task import Task

_HASH = "0" * 64
_LABELS = {"kind": "classification", "labels": ["no", "yes"]}
_TAGS = {"kind": "tokens", "labels": ["O", "B-X"]}


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    folder = tmp_path / "artifact"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"graph")
    return write_manifest(
        folder, format="onnx", task=Task("classification", ("no", "yes")), max_tokens=64,
        history=({"step": "import", "options": {"source": "x"}, "parent": None},), properties={"padding_id": 0},
    )  # fmt: skip


# Written as JSON, so that what Python would not write can stand there too.
WRONG: dict[str, tuple[str, str]] = {
    "a boolean for the version": ("format_version", "true"),
    "a format with capitals": ("format", '"ONNX"'),
    "a format in a list": ("format", '["onnx"]'),
    "infinite tokens": ("max_tokens", "Infinity"),
    "tokens below zero": ("max_tokens", "-1"),
    "no tokens": ("max_tokens", "0"),
    "tokens as a boolean": ("max_tokens", "true"),
    "tokens as a text": ("max_tokens", '"64"'),
    "half a token": ("max_tokens", "64.5"),
    "endless digits": ("max_tokens", "9" * 400),
    "a kind that is not built": ("task", '{"kind": "span", "labels": ["a"]}'),
    "labels that are null": ("task", '{"kind": "classification", "labels": null}'),
    "labels in one text": ("task", '{"kind": "classification", "labels": "no"}'),
    "no labels": ("task", '{"kind": "classification", "labels": []}'),
    "a label that is a number": ("task", '{"kind": "classification", "labels": ["a", 1]}'),
    "half a letter in a label": ("task", '{"kind": "classification", "labels": ["a", "\\ud800"]}'),
    "a threshold that is none": ("task", '{"kind": "multilabel", "labels": ["a"], "thresholds": [NaN]}'),
    "a scale that is infinite": ("task", '{"kind": "regression", "labels": [], "scale": [0, 1e400]}'),
    "a scale beyond arithmetic": ("task", '{"kind": "regression", "labels": [], "scale": [0, 1e300]}'),
    "a scale of booleans": ("task", '{"kind": "regression", "labels": [], "scale": [false, true]}'),
    "a width below zero": ("task", '{"kind": "embedding", "labels": [], "width": -4}'),
    "a width as a boolean": ("task", '{"kind": "embedding", "labels": [], "width": true}'),
    "transitions of another shape": ("task", json.dumps(_TAGS | {"transitions": [[0, 0], [0, 0]]})),
    "transitions that are texts": ("task", json.dumps(_TAGS | {"transitions": ["ab", "cd", "ef"]})),
    "a size that is a boolean": ("files", f'{{"model.onnx": {{"sha256": "{_HASH}", "bytes": true}}}}'),
    "a size below zero": ("files", f'{{"model.onnx": {{"sha256": "{_HASH}", "bytes": -5}}}}'),
    "a hash that is none": ("files", '{"model.onnx": {"sha256": "xyz", "bytes": 5}}'),
    "a name with a null": ("files", f'{{"a\\u0000b": {{"sha256": "{_HASH}", "bytes": 5}}}}'),
    "a name that is too long": ("files", f'{{"{"a" * 300}": {{"sha256": "{_HASH}", "bytes": 5}}}}'),
    "a name without letters": ("files", f'{{"": {{"sha256": "{_HASH}", "bytes": 5}}}}'),
    "a step that is a text": ("history", '["import"]'),
    "a step without a name": ("history", "[{}]"),
    "a step with options in a list": ("history", '[{"step": "import", "options": []}]'),
    "parity of another shape": ("history", '[{"step": "import", "parity": 3}]'),
    "figures of dev that are texts": ("history", '[{"step": "train", "result": {"dev_accuracy": "high"}}]'),
    "figures of dev that are null": ("history", '[{"step": "train", "result": {"dev_accuracy": [null]}}]'),
    "splits of another shape": ("history", '[{"step": "train", "data": {"splits": 1}}]'),
    "a label that is no tag": ("task", '{"kind": "tokens", "labels": ["O", "encoder", "I-PER"]}'),
    "padding as a text": ("properties", '{"padding_id": "0"}'),
    "padding below zero": ("properties", '{"padding_id": -1}'),
    "layers that are one number": ("properties", '{"layers": 12}'),
    "layers of three": ("properties", '{"layers": [[4, 48, 1]]}'),
    "a head without size": ("properties", '{"head_size": 0}'),
    "instruction sets in one text": ("properties", '{"checked_on": "avx2"}'),
    "parameters in words": ("properties", '{"parameters": "many", "parameters_without_embeddings": 1}'),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_manifest_is_checked_when_it_is_opened(artifact: Artifact, what: str):
    path, (name, written) = artifact.path / MANIFEST, WRONG[what]
    manifest = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(manifest | {name: "HERE"}).replace('"HERE"', written), encoding="utf-8")
    with pytest.raises(ArtifactError) as caught:
        open_artifact(artifact.path)
    assert str(caught.value).startswith(f"{path}: not a valid manifest (")
    assert "\n  remedy: " in str(caught.value)
    assert len(str(caught.value)) < 600, "what is shown of a value is short"


@pytest.mark.parametrize("name", ["format_version", "format", "task", "max_tokens", "files", "history", "properties"])
def test_no_part_may_be_missing(artifact: Artifact, name: str):
    path = artifact.path / MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8"))
    del manifest[name]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ArtifactError, match=f"has no '{name}'"):
        open_artifact(artifact.path)


def test_depth_is_refused_in_a_sentence(artifact: Artifact):
    path = artifact.path / MANIFEST
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"source": "x"', '"source": ' + "[" * 9000 + "]" * 9000), encoding="utf-8")
    with pytest.raises(ArtifactError, match="nested too deeply"):
        open_artifact(artifact.path)


def test_a_loop_of_links_is_refused_in_a_sentence(artifact: Artifact):
    (artifact.path / "model.onnx").unlink()
    (artifact.path / "model.onnx").symlink_to(artifact.path / "other")
    (artifact.path / "other").symlink_to(artifact.path / "model.onnx")
    with pytest.raises(ArtifactError, match="remedy"):
        open_artifact(artifact.path)


def test_names_that_a_later_version_may_write_are_passed_over(artifact: Artifact):
    path = artifact.path / MANIFEST
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest |= {"more": [1], "task": _LABELS | {"more": {}}, "properties": {"padding_id": 0, "more": "x"}}
    path.write_text(json.dumps(manifest), encoding="utf-8")
    assert open_artifact(artifact.path).content_hash == artifact.content_hash
