"""Models with early exits, made by the real steps, for the tests of several rooms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from leanformer.artifact import Artifact
from leanformer.compress.distil.exits import TrainExits
from leanformer.data.examples import Examples
from leanformer.exits import ExitHead, Exits
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.shapes.encoder import LayerShape
from leanformer.task import Task
from tests.making.commands import write_lines
from tests.making.graphs import make_context
from tests.making.taught import make_teacher
from tests.making.tiny import LABELS, tiny_artifact, tiny_config, tiny_texts

# Widths that are no multiple of 16, and layers that differ.
SHAPES = (LayerShape(4, 48), LayerShape(3, 40), LayerShape(4, 32), LayerShape(2, 56))
LOOSE = {"max_flips": 1.0, "max_mean_share": 10.0}


def encoder_with_exits(folder: Path, *, epochs: int = 1, **changes: Any) -> tuple[Artifact, Artifact]:
    """A random encoder of four layers with three exits, and the encoder without; `changes` as for `tiny_config`."""
    encoder = tiny_artifact(folder / "encoder", seed=11, config=tiny_config(**{"layers": SHAPES} | changes))
    context = replace(make_context(folder, encoder), work=folder / "exits-work")
    return TrainExits(epochs=epochs)(encoder, context, folder / "exits"), encoder


def taught_with_exits(folder: Path) -> Artifact:
    """The int8 graph of a model of two layers that has learnt the task of `tiny_texts`, and its exit that task too."""
    teacher = make_teacher(folder)
    step = TrainExits(epochs=4, learning_rate=3e-3)
    return int8_of(step(teacher, make_context(folder, teacher), folder / "exits"), folder / "made")


def fresh_examples(count: int = 400) -> Examples:
    """Texts of the same task that no model was made with."""
    texts, labels = tiny_texts(count, seed=77)
    return Examples(Task("classification", LABELS), texts, labels)


def write_examples(examples: Examples, folder: Path) -> str:
    """The path of a new file with the texts and their labels."""
    assert examples.labels is not None
    pairs = zip(examples.texts, examples.labels, strict=True)
    write_lines(folder / "fresh.jsonl", [{"text": text, "label": LABELS[int(label)]} for text, label in pairs])
    return str(folder / "fresh.jsonl")


def int8_of(artifact: Artifact, folder: Path) -> Artifact:
    """The int8 graph of an encoder, for the native engine."""
    context = make_context(folder, artifact)
    return Int8(method="per_token", **LOOSE)(Onnx()(artifact, context, folder / "onnx"), context, folder / "int8")


def random_exits(layers: tuple[int, ...] = (1, 3), hidden: int = 40, labels: int = 3, seed: int = 0) -> Exits:
    """Exits with random heads, not calibrated."""
    generator = np.random.default_rng(seed)

    def drawn(*shape: int) -> np.ndarray:
        return generator.normal(size=shape).astype(np.float32) * 0.3

    heads = [ExitHead(drawn(hidden, hidden), drawn(hidden), drawn(hidden, labels), drawn(labels)) for _ in layers]
    return Exits(layers, tuple(heads))
