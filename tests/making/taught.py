"""A tiny teacher that has learnt the tiny task."""

from __future__ import annotations

from pathlib import Path

from leanformer.artifact import Artifact
from leanformer.finetune.fine_tune import fine_tune
from leanformer.train.settings import FitSettings
from tests.making.tiny import tiny_artifact, tiny_dataset


def make_teacher(folder: Path) -> Artifact:
    """It is written to `folder`/teacher."""
    tiny_artifact(folder / "start")
    settings = FitSettings(epochs=6, batch_size=12, learning_rate=3e-3, precision="fp32")
    made = fine_tune(
        str(folder / "start"), tiny_dataset(), folder / "teacher", settings,
        max_tokens=32, work=folder / "work", device="cpu", say=lambda line: None,
    )  # fmt: skip
    assert max(made.history[-1]["result"]["dev_accuracy"]) > 0.8, "a teacher that knows nothing would prove nothing"
    return made
