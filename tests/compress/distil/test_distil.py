"""Distillation as a step: students of every shape, controls, errors, and taking a killed run up again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from leanformer.artifact import Artifact
from leanformer.compress.distil.distil import Distil
from leanformer.data.dataset import Dataset
from leanformer.errors import RecipeError
from leanformer.metrics.probabilities import softmax
from leanformer.models.predictor import TorchPredictor
from leanformer.models.store import read_model
from leanformer.predictor import logits
from leanformer.shapes.encoder import LayerShape
from leanformer.step import Context
from leanformer.train.fit import encoder_hash
from tests.making.tiny import tiny_artifact, tiny_classifier, tiny_config, tiny_dataset

# For the contract tests: options that run in a second, options that are refused, version and hash of the defaults.
QUICK = {"layers": 1, "epochs": 1, "batch_size": 32}
BAD = ({"temperature": 0}, {"layers": "all"})
DEFAULTS = "1 135ddac2af6a"

DEEP = tiny_config(layers=(LayerShape(4, 48),) * 4)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return tiny_artifact(tmp_path_factory.mktemp("teacher") / "teacher", config=DEEP)


def context(teacher: Artifact, folder: Path, data: Dataset | None = None, say: Any = lambda line: None) -> Context:
    return Context(
        data=data or replace(tiny_dataset(), test=None), artifacts={"teacher": teacher}, work=folder / "work",
        cache=folder / "cache", device="cpu", threads=1, say=say,
    )  # fmt: skip


def distilled(teacher: Artifact, folder: Path, data: Dataset | None = None, **options: Any) -> Artifact:
    step = Distil(**{"layers": 2, "epochs": 1, "batch_size": 16, **options})
    return step(teacher, context(teacher, folder, data), folder / "student")


def distance(student: Artifact, teacher: Artifact) -> float:
    """Mean KL(teacher || student) on texts that neither was trained on."""
    texts = tiny_dataset().test.texts  # type: ignore[union-attr]
    ours, theirs = (softmax(logits(TorchPredictor(artifact), texts)) for artifact in (student, teacher))
    return float((theirs * np.log(theirs / ours)).sum(axis=1).mean())


@pytest.mark.slow
def test_a_student_learns_the_teachers_answers(teacher: Artifact, tmp_path: Path) -> None:
    options = {"layers": (1, 3), "learning_rate": 1e-2, "warmup": 0.1}
    untrained = distilled(teacher, tmp_path / "a", **options | {"learning_rate": 1e-12})
    student = distilled(teacher, tmp_path / "b", epochs=12, **options)
    assert distance(student, teacher) < 0.3 * distance(untrained, teacher)
    assert student.history[-1]["step"] == "compress.distil"
    assert student.history[-1]["parent"] == teacher.content_hash
    assert len(student.history[-1]["result"]["dev_accuracy"]) == 12


@pytest.mark.slow
def test_few_texts_are_read_more_often(teacher: Artifact, tmp_path: Path) -> None:
    data = tiny_dataset()
    steps = -(-(len(data.train or ()) + len(data.unlabelled or ())) // 16)
    for least, epochs in ((0, 2), (2 * steps, 2), (2 * steps + 1, 3)):
        student = distilled(teacher, tmp_path / str(least), epochs=2, least_steps=least)
        assert len(student.history[-1]["result"]["dev_accuracy"]) == epochs


def test_labels_play_no_part_without_a_hard_share(teacher: Artifact, tmp_path: Path) -> None:
    data = replace(tiny_dataset(), test=None)
    assert data.train is not None
    assert data.train.labels is not None
    turned = replace(data, train=replace(data.train, labels=tuple((i + 1) % 3 for i in data.train.labels)))
    first, second = (distilled(teacher, tmp_path / name, dataset) for name, dataset in (("a", data), ("b", turned)))
    assert first.content_hash == second.content_hash


def test_unlabelled_text_alone_is_enough(teacher: Artifact, tmp_path: Path) -> None:
    data = replace(tiny_dataset(), test=None, train=None)
    assert distilled(teacher, tmp_path, data).format == "encoder"
    with pytest.raises(RecipeError, match="no training text has a label"):
        distilled(teacher, tmp_path / "hard", data, hard=0.5)


def test_hard_one_is_training_without_the_teacher(teacher: Artifact, tmp_path: Path) -> None:
    """Another teacher, the same student to start from: with labels alone the result is the same."""
    other = tiny_artifact(tmp_path / "other", config=DEEP, seed=7)
    results = []
    for name, artifact in (("a", teacher), ("b", other)):
        step = Distil(layers=(1, 2), epochs=1, hard=1.0)
        results.append(step(teacher, context(artifact, tmp_path / name), tmp_path / name / "student").content_hash)
    assert results[0] == results[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"layers": (2, 4)}, ((4, 48), (4, 48))),
        ({"layers": 3}, ((4, 48),) * 3),
        ({"layers": 2, "ffn": 20, "heads": 3}, ((3, 20), (3, 20))),
        ({"layers": 2, "hidden": 16}, ((4, 64), (4, 64))),
        ({"layers": 3, "hidden": 24, "heads": 2, "ffn": 40}, ((2, 40),) * 3),
        ({"shape": "3x16"}, ((4, 64),) * 3),
    ],
)
def test_shapes(teacher: Artifact, tmp_path: Path, options: dict[str, Any], shape: tuple[tuple[int, int], ...]) -> None:
    config = read_model(distilled(teacher, tmp_path, **options)).config
    assert tuple((layer.heads, layer.ffn) for layer in config.layers) == shape
    assert config.hidden == (16 if "shape" in options else options.get("hidden", 32))


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"hidden_weight": 0.1}, marks=pytest.mark.slow),  # the last two have it as well
        {"hidden_weight": 0.1, "hidden_kind": "cosine"},
        pytest.param({"attention_weight": 1.0}, marks=pytest.mark.slow),
        {"hidden_weight": 0.1, "attention_weight": 1.0, "attention_map": ((0, 0), (1, 3)), "hidden_map": ((1, 2),)},
        {"hidden": 16, "hidden_weight": 0.1, "projection": True},
    ],
)
def test_inner_losses_train(teacher: Artifact, tmp_path: Path, options: dict[str, Any]) -> None:
    plain = distilled(teacher, tmp_path / "plain", **({"hidden": 16} if "hidden" in options else {}))
    assert distilled(teacher, tmp_path / "inner", **options).content_hash != plain.content_hash


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 5}, "has only 4"),
        ({"layers": (0, 1)}, "rising numbers from 1 to 4"),
        ({"layers": (2, 1)}, "rising numbers"),
        ({"hidden": 16, "hidden_weight": 0.1}, "projection: true"),
        ({"layers": 3, "attention_weight": 1.0}, "multiple of the student's"),
        ({"heads": 2, "attention_weight": 1.0}, "equal head counts"),
        ({"hidden_weight": 0.1, "hidden_map": ((9, 0),)}, "past the last layer"),
        ({"ffn": 500}, "only shrink"),
        ({"hidden": 30}, "not a multiple of 4 heads"),
    ],
)
def test_impossible_students_are_refused(
    teacher: Artifact, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        distilled(teacher, tmp_path, **options)


@pytest.mark.parametrize(
    "options",
    [
        {"hard": 1.5},
        {"temperature": 0.0},
        {"hidden_kind": "l1"},
        {"epochs": 0},
        {"layers": 0},
        {"precision": "fp16"},
        {"heads": 0},
        {"token_budget": 0},
        {"least_steps": -1},
        {"warmup": 1.0},
        {"learning_rate": 0.0},
        {"hidden_weight": -1.0},
        {"shape": "4 by 312"},
        {"shape": "4x312", "hidden": 312},
        {"layers": (1, 2), "hidden": 16},
    ],
)
def test_bad_options_are_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=r"compress\.distil"):
        Distil(**options)


def test_a_start_with_fewer_positions_takes_shorter_texts(teacher: Artifact, tmp_path: Path) -> None:
    start = tiny_artifact(tmp_path / "start", config=tiny_config(positions=6), max_tokens=6, seed=9)
    student = distilled(teacher, tmp_path / "a", start=str(start.path), layers=1)
    assert (teacher.max_tokens, student.max_tokens) == (32, 6)


def test_started_from_another_encoder(teacher: Artifact, tmp_path: Path) -> None:
    """The teacher's tokenizer and shape may differ; then only whole-text losses are possible."""
    start = tiny_artifact(tmp_path / "start", config=tiny_config(hidden=16, head_size=4), seed=9)
    student = distilled(teacher, tmp_path / "a", start=str(start.path), layers=1)
    assert read_model(student).config.hidden == 16


@pytest.mark.parametrize(
    "killed_at", [pytest.param(1, marks=pytest.mark.slow), 2, pytest.param(3, marks=pytest.mark.slow)]
)
def test_killed_and_taken_up_again(teacher: Artifact, tmp_path: Path, killed_at: int) -> None:
    whole = distilled(teacher, tmp_path / "whole", epochs=3)

    class KilledError(Exception):
        pass

    epochs = 0

    def kill(line: str) -> None:
        nonlocal epochs
        if "  dev " in line:
            epochs += 1
            if epochs == killed_at:
                raise KilledError

    step, folder = Distil(layers=2, epochs=3, batch_size=16), tmp_path / "killed"
    with pytest.raises(KilledError):
        step(teacher, context(teacher, folder, say=kill), folder / "student")
    assert not (folder / "student").exists()
    again = step(teacher, context(teacher, folder), folder / "student")
    assert again.content_hash == whole.content_hash


def test_the_hash_covers_weights_and_shape() -> None:
    model = tiny_classifier()
    before = encoder_hash(model)
    assert before == encoder_hash(tiny_classifier())
    with torch.no_grad():
        model.head.classifier.bias[0] += 1e-3
    assert encoder_hash(model) != before
    assert np.isfinite(model.head.classifier.bias.detach().numpy()).all()
