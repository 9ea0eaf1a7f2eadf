"""A linear model in a work folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leanformer.errors import LeanformerError
from leanformer.linear.fit import fit_linear
from leanformer.linear.store import DESCRIPTION, describe_linear, find_linear, open_linear, store_linear
from leanformer.predictor import logits
from tests.making.tiny import tiny_dataset, tiny_kind_dataset

FACTS = {"options": {"C": 1.0}, "energy": None}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store_linear(fit_linear(tiny_dataset()).predictor, tmp_path / "floor", FACTS)
    return tmp_path / "floor"


def test_it_comes_back_as_it_was(folder: Path):
    data = tiny_dataset()
    assert data.test is not None
    first, second = fit_linear(data).predictor, open_linear(folder, threads=2)
    assert np.array_equal(logits(first, data.test.inputs), logits(second, data.test.inputs))
    assert second.task == first.task and find_linear(folder, print) == FACTS


def test_a_rung_knows_its_size_and_content(folder: Path, tmp_path: Path):
    described = describe_linear(folder)
    files = [path for path in folder.iterdir() if path.name != DESCRIPTION]
    assert described.bytes == sum(path.stat().st_size for path in files)
    assert described.properties["parameters"] == open_linear(folder).weights.size
    assert described.history[0]["options"] == FACTS["options"]
    store_linear(fit_linear(tiny_dataset()).predictor, tmp_path / "again", FACTS)
    assert describe_linear(tmp_path / "again").content_hash == described.content_hash
    store_linear(fit_linear(tiny_kind_dataset("multilabel")).predictor, tmp_path / "other", FACTS)
    assert describe_linear(tmp_path / "other").content_hash != described.content_hash


@pytest.mark.parametrize("name", ["weights.npy", "words.idf.npy", DESCRIPTION])
def test_damage_is_seen(folder: Path, name: str):
    content = bytearray((folder / name).read_bytes())
    content[-9] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(LeanformerError, match="damaged"):
        open_linear(folder)
    said: list[str] = []
    assert find_linear(folder, said.append) is None
    assert "trained again" in said[0] and not folder.exists()


def test_where_there_is_none(tmp_path: Path):
    assert find_linear(tmp_path / "nowhere", print) is None
    with pytest.raises(LeanformerError, match="no linear model"):
        open_linear(tmp_path)
