"""Early exits as files of an artifact: what is written is read, damage is found, and what is off stays off."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.artifact import MANIFEST, Artifact, open_artifact, write_manifest
from leanformer.errors import ArtifactError
from leanformer.exits import DESCRIPTION, HEADS, Exits, copy_exits, exits_to_ask, has_exits, read_exits, write_exits
from tests.making.exits import random_exits
from tests.making.tiny import tiny_artifact


def stored(folder: Path, exits: Exits) -> Artifact:
    artifact = tiny_artifact(folder)
    write_exits(exits, folder)
    return again(artifact)


def again(artifact: Artifact) -> Artifact:
    """The artifact with its files as they are now."""
    (artifact.path / MANIFEST).unlink()
    write_manifest(
        artifact.path, format=artifact.format, task=artifact.task, max_tokens=artifact.max_tokens,
        properties=artifact.properties,
    )  # fmt: skip
    return open_artifact(artifact.path)


def test_what_is_written_is_read(tmp_path: Path):
    exits = random_exits().asking((1.5, 0.25), (None, 0.875))
    artifact = stored(tmp_path / "one", exits)
    found = read_exits(artifact)
    assert has_exits(artifact) and found.calibrated
    assert (found.layers, found.temperatures, found.thresholds) == ((1, 3), (1.5, 0.25), (None, 0.875))
    for ours, theirs in zip(found.heads, exits.heads, strict=True):
        for name in ("dense", "dense_bias", "classifier", "bias"):
            assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name
    other = tiny_artifact(tmp_path / "other")
    copy_exits(artifact, other.path)
    assert read_exits(again(other)).thresholds == found.thresholds
    copy_exits(tiny_artifact(tmp_path / "none"), tmp_path / "nothing")  # has none, so nothing is written


def test_a_head_is_dense_tanh_and_the_logits():
    head = random_exits(hidden=2, labels=2).heads[0]
    x = np.array([[0.5, -1.0]], np.float32)
    inner = [np.tanh(0.5 * head.dense[0, i] - head.dense[1, i] + head.dense_bias[i]) for i in range(2)]
    expected = [sum(inner[i] * head.classifier[i, c] for i in range(2)) + head.bias[c] for c in range(2)]
    assert np.allclose(head.logits(x), [expected], atol=1e-6)


def test_exits_are_asked_only_where_they_are_calibrated_and_wanted(tmp_path: Path):
    raw = random_exits()
    calibrated = raw.asking((1.0, 1.0), (0.5, 0.5))
    plain, loose, ready = (
        tiny_artifact(tmp_path / "plain"), stored(tmp_path / "raw", raw), stored(tmp_path / "ready", calibrated)
    )  # fmt: skip
    assert exits_to_ask(plain, True) is None and exits_to_ask(loose, True) is None
    assert exits_to_ask(ready, False) is None and exits_to_ask(loose, raw) is None
    found = exits_to_ask(ready, True)
    assert found is not None and found.thresholds == (0.5, 0.5)
    assert exits_to_ask(plain, calibrated) is calibrated
    assert raw.only(1).thresholds == (None, 0.0)


@pytest.mark.parametrize(
    "change",
    [
        {"layers": [3, 1]}, {"layers": [1, 1]}, {"layers": [0, 1]}, {"layers": []}, {"labels": 4}, {"hidden": 41},
        {"thresholds": [0.5, 1.5]}, {"thresholds": [0.5]}, {"temperatures": [0, 1]}, {"layers": [1, 2, 3]},
        {"format_version": 2}, {"hidden": "40"},
    ],
)  # fmt: skip
def test_a_description_that_fits_nothing_is_refused(change: dict[str, Any], tmp_path: Path):
    artifact = stored(tmp_path / "one", random_exits().asking((1.0, 1.0), (0.5, 0.5)))
    path = artifact.path / DESCRIPTION
    path.write_text(json.dumps(json.loads(path.read_text()) | change), encoding="utf-8")
    with pytest.raises(ArtifactError, match="no valid early exits"):
        read_exits(again(artifact))


@pytest.mark.parametrize("damage", ["short", "nan"])
def test_heads_that_are_damaged_are_refused(damage: str, tmp_path: Path):
    artifact = stored(tmp_path / "one", random_exits())
    values = np.fromfile(artifact.path / HEADS, "<f4")
    if damage == "nan":
        values[7] = np.nan
    (values[:-1] if damage == "short" else values).tofile(artifact.path / HEADS)
    with pytest.raises(ArtifactError, match=r"exits\.f32"):
        read_exits(again(artifact))


def test_values_that_do_not_fit_together_are_refused():
    exits = random_exits()
    with pytest.raises(ValueError, match="rising"):
        Exits((3, 1), exits.heads)
    with pytest.raises(ValueError, match="heads"):
        Exits((1,), exits.heads)
    head = exits.heads[0]
    for part, value in {
        "dense": head.dense[:32], "dense_bias": head.dense_bias[:32], "bias": np.zeros(4, np.float32)
    }.items():  # fmt: skip
        with pytest.raises(ValueError, match="parts of shapes"):  # the engine would read past their ends
            Exits((1,), (replace(head, **{part: value}),))
    with pytest.raises(ValueError, match="thresholds"):
        exits.asking((1.0,), (0.5,))
