"""A task with a rare class that a teacher knows, and a search whose smaller model does not: its words are trimmed."""

from __future__ import annotations

from pathlib import Path

from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from tests.making.knowing import knowing
from tests.making.tiny import TASK, tiny_artifact

WORDS = ("song", "goal", "rain")
# Train has so few texts of rain that a model which keeps the pieces seen 20 times or more loses that word.
SPACE = """\
name: rare
goals:
  minimise: bytes
  max_drop: 10
steps:
  - {step: compress.trim_vocabulary, name: trimmed, min_count: {choose: [1, 20]}}
  - {step: export.onnx, max_difference: 0.01}
"""
LOST = "weather (0 found where the teacher finds 4)"


def knowing_teacher(folder: Path) -> Artifact:
    return tiny_artifact(folder, model=knowing([[word] for word in WORDS]))


def rare_examples(rare: int, seed: int) -> Examples:
    """30 texts of each of two classes, and a few of the third; `seed` makes texts of another split differ."""
    numbers = [0] * 30 + [1] * 30 + [2] * rare
    texts = [f"{WORDS[label]} {'the ' * (1 + row % 7)}{'.' * seed}" for row, label in enumerate(numbers)]
    return Examples(TASK, tuple(texts), tuple(numbers), source=f"seed {seed}")


def rare_dataset() -> Dataset:
    splits = {split: rare_examples(4, seed) for seed, split in enumerate(("train", "dev", "test"), start=1)}
    return Dataset(task=TASK, name="rare", **splits)
