"""Task transfer: a student that was distilled on one task starts another, with the commands that every task has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from leanformer.artifact import Artifact
from leanformer.compress.distil.distil import Distil
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.finetune.fine_tune import fine_tune
from leanformer.models.classifier import Classifier
from leanformer.models.predictor import TorchPredictor
from leanformer.models.store import read_model
from leanformer.predictor import logits
from leanformer.task import Task
from leanformer.train.settings import FitSettings
from tests.making.graphs import make_context
from tests.making.tiny import TASK, tiny_artifact, tiny_config, tiny_dataset, tiny_texts

TARGET = Task("classification", ("indoors", "outdoors"))


def target_examples(count: int, seed: int) -> Examples:
    """Music is indoors, sport and weather are outdoors: another question about texts of the same kind."""
    texts, labels = tiny_texts(count, seed)
    return Examples(TARGET, texts, tuple(int(TASK.labels[label] != "music") for label in labels), source=str(seed))


def test_a_student_of_one_task_starts_another(tmp_path: Path) -> None:
    settings = FitSettings(epochs=8, batch_size=16, learning_rate=3e-3, precision="fp32")
    start = tiny_artifact(tmp_path / "start")
    source = replace(tiny_dataset(), test=None)
    teacher = fine_tune(
        str(start.path), source, tmp_path / "teacher", settings, work=tmp_path / "w", device="cpu", max_tokens=32
    )
    step = Distil(layers=(1,), epochs=6, batch_size=16, learning_rate=3e-3, precision="fp32")
    student = step(teacher, make_context(tmp_path, teacher, data=source), tmp_path / "student")

    few = FitSettings(epochs=4, batch_size=6, learning_rate=1e-3, precision="fp32")
    data = Dataset(task=TARGET, train=target_examples(12, 21), dev=target_examples(40, 22), name="target")
    test = target_examples(90, 23)
    right = {}
    for name, begin in (("transfer", student), ("none", _untrained(tmp_path / "fresh"))):
        made = fine_tune(
            str(begin.path), data, tmp_path / name, few, work=tmp_path / f"{name}.w", device="cpu", max_tokens=32
        )
        assert made.task.labels == TARGET.labels and len(read_model(made).config.layers) == 1
        right[name] = float((logits(TorchPredictor(made), test.texts).argmax(axis=1) == test.targets).mean())
    assert right["transfer"] > 0.9
    assert right["transfer"] > right["none"] + 0.1


def _untrained(folder: Path) -> Artifact:
    """A model of the student's shape that has learnt nothing."""
    torch.manual_seed(1)
    config = replace(tiny_config(), layers=tiny_config().layers[:1])
    return tiny_artifact(folder, model=Classifier(config).eval())
