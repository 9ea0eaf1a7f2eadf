"""Artifacts of a work folder are taken up if they are whole, and removed and told of if they are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leanformer.recipe.made import CHECK, find_made, note_made
from tests.making.tiny import tiny_artifact


def test_a_whole_artifact_is_taken_up_silently(tmp_path: Path):
    made, said = tiny_artifact(tmp_path / "a"), list[str]()
    note_made(made.path)
    found = find_made(made.path, said.append)
    assert found is not None and found.content_hash == made.content_hash and said == []
    assert find_made(tmp_path / "none", said.append) is None and said == []


def test_one_without_the_record_is_verified_and_gets_it(tmp_path: Path):
    made, said = tiny_artifact(tmp_path / "a"), list[str]()
    assert find_made(made.path, said.append) is not None and (made.path / CHECK).is_file() and said == []


@pytest.mark.parametrize("damage", ["weights", "manifest", "no manifest", "weights, no record"])
def test_a_damaged_one_is_told_of_and_removed(damage: str, tmp_path: Path):
    made, said = tiny_artifact(tmp_path / "a"), list[str]()
    if not damage.endswith("no record"):
        note_made(made.path)
    weights, manifest = made.path / "model.safetensors", made.path / "leanformer.json"
    if damage.startswith("weights"):
        content = bytearray(weights.read_bytes())
        content[-1] ^= 1
        weights.write_bytes(content)
    elif damage == "manifest":
        # Valid as JSON, and no file's hash in it is touched.
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"max_tokens": 16}), encoding="utf-8")
    else:
        manifest.unlink()
    assert find_made(made.path, said.append) is None
    assert not made.path.exists() and len(said) == 1 and "made again" in said[0]
