"""What a work folder keeps is taken up as it was written, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leanformer.kept import described, differing, keep, kept
from tests.making.damage import DAMAGES

VALUE = {"quality": 0.1 + 0.2, "names": ["café", "\u2028", "x"], "none": None, "inner": {"7": [1, 2.0, True]}}


def test_what_was_kept(tmp_path: Path):
    keep(tmp_path / "a" / "value.json", VALUE | {"tuple": (1, 2)})
    said: list[str] = []
    assert kept(tmp_path / "a" / "value.json", said.append, again="again") == VALUE | {"tuple": [1, 2]}
    assert kept(tmp_path / "none.json", said.append, again="again") is None
    assert said == []


def test_any_bit_that_is_turned_over_is_seen(tmp_path: Path):
    path = tmp_path / "value.json"
    keep(path, VALUE)
    content = path.read_bytes()
    for place in range(8 * len(content)):
        wrong = bytearray(content)
        wrong[place // 8] ^= 1 << place % 8
        path.write_bytes(wrong)
        said: list[str] = []
        assert kept(path, said.append, again="made again") is None
        assert said == [f"warning: {path}: damaged, or of an earlier version; made again"]


@pytest.mark.parametrize("content", ["", "{", "[]", "7", "null", "{}", '{"sha256": 3}', "[" * 10_000, "\ud800x"])
def test_whatever_else_is_there(content: str, tmp_path: Path):
    (tmp_path / "value.json").write_bytes(content.encode("utf-8", "surrogatepass"))
    said: list[str] = []
    assert kept(tmp_path / "value.json", said.append, again="made again") is None
    assert len(said) == 1


@pytest.mark.parametrize("name", DAMAGES)
def test_a_folder_of_files(name: str, tmp_path: Path):
    for file in ("a", "b"):
        (tmp_path / file).write_bytes(bytes(range(1, 200)))
    files = json.loads(json.dumps(described(tmp_path)))
    assert differing(tmp_path, files) is None
    DAMAGES[name](tmp_path / "b")
    assert differing(tmp_path, files) == tmp_path / "b"
    (tmp_path / "a").unlink()
    assert differing(tmp_path, files) == tmp_path / "a"
