"""Artifacts of models on n-grams: what is written is read, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.artifact import Artifact, open_artifact, write_manifest
from leanformer.errors import ArtifactError
from leanformer.linear.predictor import LinearPredictor
from leanformer.tiny import store
from leanformer.tiny.model import NetworkHead, NgramModel
from leanformer.tiny.rows import CharacterTokenizer
from leanformer.tiny.store import DESCRIPTION, HEAD, read_ngrams, write_linear, write_ngrams
from tests.making.ngrams import linear_artifact, random_group, random_model, tiny_fitted
from tests.making.tiny import TASK, tiny_dataset, tiny_texts


def test_what_is_written_is_read(tmp_path: Path):
    groups = [
        random_group("words", (1, 2), 3, seed=1), random_group("characters", (3, 4), 3, seed=2, dtype=np.int16),
        random_group("characters", (1, 1), 3, seed=3, hashed=20),
    ]  # fmt: skip
    model = random_model(groups)
    artifact = write_ngrams(model, tmp_path, task=TASK, max_tokens=8, history=[])
    again, rows = read_ngrams(open_artifact(tmp_path)), CharacterTokenizer().encode(tiny_texts(30, seed=1)[0])
    assert np.array_equal(again.logits(rows), model.logits(rows))
    assert artifact.properties["precision"] == "int16"
    assert artifact.properties["parameters"] == sum(group.table.size for group in groups) + 6
    assert sorted(artifact.files) == [
        "0.hashes", "0.idf", "0.table", "1.hashes", "1.idf", "1.table", "2.table", HEAD, DESCRIPTION,
    ]  # fmt: skip


def test_a_network_is_read_as_it_was_written(tmp_path: Path):
    kinds = ("characters", "words")
    groups = [random_group(kind, (1, 1), 4, seed=rows, hashed=rows) for rows, kind in enumerate(kinds, start=20)]
    generator = np.random.default_rng(1)
    sizes = ((2,), (8, 5), (5,), (5, 3), (3,))
    head = NetworkHead(*(generator.standard_normal(size).astype(np.float32) * 0.1 for size in sizes))
    model = NgramModel(tuple(groups), head)
    artifact = write_ngrams(model, tmp_path, task=TASK, max_tokens=8, history=[])
    again, rows = read_ngrams(artifact), CharacterTokenizer().encode(tiny_texts(30, seed=1)[0])
    assert np.array_equal(again.logits(rows), model.logits(rows)) and again.logits(rows).shape == (30, 3)
    (tmp_path / HEAD).write_bytes((tmp_path / HEAD).read_bytes()[:-4])
    with pytest.raises(ArtifactError, match="a network of"):
        read_ngrams(write_manifest(tmp_path, format="ngrams", task=TASK, max_tokens=8))


def test_weights_are_in_8_bits_unless_that_loses_something_on_dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert linear_artifact(tmp_path / "eight").properties["precision"] == "int8"
    rough = store.in_whole_numbers

    def spoilt(predictor: LinearPredictor, bits: int) -> Any:
        model = rough(predictor, bits)
        if bits == 8:
            for group in model.groups:
                group.table[:] = 0
        return model

    monkeypatch.setattr(store, "in_whole_numbers", spoilt)
    dev = tiny_dataset().dev
    assert dev is not None
    made = write_linear(tiny_fitted().predictor, tmp_path, dev, max_tokens=8, history=[])
    assert made.properties["precision"] == "int16"


def described(change: dict[str, Any], group: dict[str, Any] | None = None) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        told = json.loads((folder / DESCRIPTION).read_text())
        told |= change
        told["groups"][0] |= group or {}
        (folder / DESCRIPTION).write_text(json.dumps(told))

    return damage


def changed(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "another version": described({"format_version": 2}),
    "another head": described({"head": "forest"}),
    "another width": described({"width": 4}),
    "no group": described({"groups": [{}]}),
    "another kind": described({}, {"kind": "syllables"}),
    "lengths in no order": described({}, {"least": 5, "most": 2}),
    "nine bits": described({}, {"bits": 9}),
    "more rows": described({}, {"rows": 10**8}),
    "no JSON": lambda folder: (folder / DESCRIPTION).write_text("{"),
    "a table that is cut": changed("0.table", lambda content: content[:-1]),
    "hashes in no order": changed("0.hashes", lambda content: content[4:8] + content[:4] + content[8:]),
    "a large IDF": changed("0.idf", lambda content: b"\xff\xff" + content[2:]),
    "a head that is cut": changed(HEAD, lambda content: content[:-4]),
    "a head that is not finite": changed(HEAD, lambda content: b"\x00\x00\xc0\x7f" + content[4:]),
    "no table": lambda folder: (folder / "0.table").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_files_from_anywhere_are_checked(damage: str, tmp_path: Path):
    artifact = linear_artifact(tmp_path / "model")
    DAMAGES[damage](artifact.path)
    written: Artifact = write_manifest(artifact.path, format="ngrams", task=TASK, max_tokens=8)
    with pytest.raises(ArtifactError, match=r"not a valid model on n-grams|has no file") as caught:
        read_ngrams(written)
    assert "remedy: " in str(caught.value) and str(artifact.path) in str(caught.value)
