"""What the library is made of: every source is compiled, and every byte of it counts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from leanformer.runtime.native import sources
from leanformer.runtime.native.levels import LEVELS


def test_every_source_is_compiled_for_every_level():
    parts = sources.units("x86_64")
    compiled = {source for source, *_ in parts.values()} | {sources.FIRST}
    assert compiled == {path.name for path in sources.FOLDER.glob("*.cpp")}
    assert len(parts) == len(LEVELS) * 2 + 1, "sums over n-grams are one unit"
    assert list(parts)[:3] == ["ngrams.o", "encoder-generic.o", "recurrent-generic.o"], "which must run on every CPU"
    assert set(sources.units("aarch64")) == set(list(parts)[:3])


def test_the_hash_is_of_all_sources_and_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    before = sources.sources_hash()
    assert before == sources.sources_hash()
    copy = tmp_path / "native"
    shutil.copytree(sources.FOLDER, copy)
    monkeypatch.setattr(sources, "FOLDER", copy)
    assert sources.sources_hash() == before
    found = {before}
    for path in sorted([*copy.glob("*.cpp"), *copy.glob("*.h")]):
        path.write_bytes(path.read_bytes() + b"\n")
        found.add(sources.sources_hash())
    (copy / "weights.py").write_text("")
    assert sources.sources_hash() in found
    monkeypatch.setattr(sources, "FLAGS", (*sources.FLAGS, "-O1"))
    found.add(sources.sources_hash())
    assert len(found) == 2 + len([*copy.glob("*.cpp"), *copy.glob("*.h")])
