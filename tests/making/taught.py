"""Tiny teachers that have learnt a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import leanformer
from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset
from leanformer.finetune.fine_tune import fine_tune
from leanformer.train.settings import FitSettings
from tests.making.commands import write_lines
from tests.making.tiny import tiny_artifact, tiny_dataset


def make_teacher(folder: Path) -> Artifact:
    """It is written to `folder`/teacher."""
    made = taught_by(tiny_dataset(), folder)
    assert max(made.history[-1]["result"]["dev_accuracy"]) > 0.8, "a teacher that knows nothing would prove nothing"
    return made


def taught_by(data: Dataset, folder: Path, *, epochs: int = 6, max_tokens: int = 32, **options: Any) -> Artifact:
    """A tiny model trained on the data; it is written to `folder`/teacher."""
    tiny_artifact(folder / "start")
    settings = FitSettings(epochs=epochs, batch_size=12, learning_rate=3e-3, precision="fp32")
    return fine_tune(
        str(folder / "start"), data, folder / "teacher", settings,
        max_tokens=max_tokens, work=folder / "work", device="cpu", say=lambda line: None, **options,
    )  # fmt: skip


def write_splits(
    folder: Path, question: Callable[[np.random.Generator], dict[str, Any]], sizes: Mapping[str, int]
) -> Dataset:
    """Write splits of generated rows, each from a seed of its own; those of `unlabelled` lose their label."""
    for seed, (split, count) in enumerate(sizes.items()):
        generator = np.random.default_rng(seed)
        rows = [question(generator) | {"id": f"{split}-{number}"} for number in range(count)]
        for row in rows if split == "unlabelled" else ():
            del row["label"]
        write_lines(folder / f"{split}.jsonl", rows)
    return leanformer.open_dataset(str(folder))
