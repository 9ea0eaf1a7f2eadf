"""Cascades of tiny real graphs, and made-up members with a known truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from leanformer.artifact import MANIFEST, Artifact, open_artifact
from leanformer.cascade.plan import Plan
from leanformer.files import sha256_file
from tests.making.graphs import make_onnx

PLAN = Plan("margin", (1.5,), (0.2,))


def make_members(folder: Path) -> list[Artifact]:
    """Two tiny graphs of the same task with different weights."""
    return [make_onnx(folder / f"model{seed}", seed=seed)[1] for seed in (11, 14)]


def other_tokenizer(artifact: Artifact) -> Artifact:
    """Give an artifact in place a tokenizer with the same ids whose file differs, so that it counts as another."""
    path = artifact.path / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")), indent=1), encoding="utf-8")
    manifest = json.loads((artifact.path / MANIFEST).read_text(encoding="utf-8"))
    manifest["files"]["tokenizer.json"] = {"sha256": sha256_file(path), "bytes": path.stat().st_size}
    (artifact.path / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return open_artifact(artifact.path)


def population(
    rows: int, seed: int, *, easy: float = 0.7, small_right: float = 0.75, large_right: float = 0.9
) -> tuple[list[np.ndarray], np.ndarray]:
    """Logits `[rows, 3]` of a small and a large member, and the labels.

    On easy rows both are right and the small one is mostly sure; on the others each is right by a coin of its own, and
    the small one's confidence tells little of whether it is.
    """
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, rows)
    easy_rows = generator.random(rows) < easy
    values = []
    for right, sure in ((small_right, generator.normal(2.0, 1.5, rows)), (large_right, np.full(rows, 4.0))):
        is_right = easy_rows | (generator.random(rows) < right)
        answers = np.where(is_right, labels, (labels + generator.integers(1, 3, rows)) % 3)
        height = np.abs(np.where(easy_rows, sure + 2, sure)) + 0.01
        one = np.zeros((rows, 3), dtype=np.float32)
        one[np.arange(rows), answers] = height
        values.append(one)
    return values, labels
