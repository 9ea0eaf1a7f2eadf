"""The answers of a model in memory."""

from __future__ import annotations

from pathlib import Path

from leanformer.finetune.tuned import Tuned
from leanformer.models.predictor import TorchPredictor
from leanformer.models.store import read_model
from leanformer.predictor import logits
from tests.making.tiny import tiny_artifact, tiny_dataset


def test_answers_are_those_of_the_artifact(tmp_path: Path):
    artifact, data = tiny_artifact(tmp_path / "a"), tiny_dataset()
    assert data.dev is not None
    made = Tuned(read_model(artifact).train(), artifact.file("tokenizer.json"), 32, artifact.task, {})
    expected = logits(TorchPredictor(artifact), data.dev.inputs).argmax(axis=1)
    assert (made.answers(data.dev, "cpu") == expected).all()
