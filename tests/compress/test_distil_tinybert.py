"""TinyBERT's task stage as steps of a recipe: inner states by the even map, scores before the softmax, then answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from leanformer.artifact import Artifact
from leanformer.compress.distil.distil import Distil
from leanformer.errors import RecipeError
from leanformer.models.store import read_model
from leanformer.shapes.encoder import LayerShape
from leanformer.train.feeds.batches import TrainingSet, to_batches
from leanformer.train.objectives.distillation import Distillation, LossWeights, even_maps
from leanformer.train.online_teacher import OnlineTeacher
from tests.compress.distil.test_distil import DEEP, context
from tests.making.tiny import tiny_artifact, tiny_classifier, tiny_config

INNER: dict[str, Any] = {
    "shape": "1x16", "heads": 4, "projection": True, "shared_projection": True, "soft_weight": 0.0,
    "hidden_weight": 1.0, "attention_weight": 1.0, "attention_kind": "scores", "layer_map": "even", "batch_size": 16,
    "epochs": 6, "learning_rate": 5e-3,
}  # fmt: skip


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return tiny_artifact(tmp_path_factory.mktemp("teacher") / "teacher", config=DEEP)


def made(
    teacher: Artifact, folder: Path, source: Artifact | None = None, name: str = "inner", **options: Any
) -> Artifact:
    return Distil(**options)(source or teacher, context(teacher, folder), folder / name)


def test_every_layer_and_the_embeddings_have_their_teacher() -> None:
    three, six = (tiny_config(layers=(LayerShape(4, 48),) * count) for count in (3, 6))
    assert even_maps(three, six) == (((0, 0), (1, 2), (2, 4), (3, 6)), ((0, 1), (1, 3), (2, 5)))


def test_the_two_stages_follow_each_other(teacher: Artifact, tmp_path: Path) -> None:
    inner = made(teacher, tmp_path, **INNER)
    losses = inner.history[-1]["result"]["dev_loss"]
    assert losses[-1] < 0.9 * losses[0]
    student = made(teacher, tmp_path, inner, "student", layers=None, epochs=1)
    assert [entry["step"] for entry in student.history[-2:]] == ["compress.distil"] * 2
    assert read_model(student).config.hidden == 16


def test_it_is_repeatable_and_stores_no_states_of_the_teacher(teacher: Artifact, tmp_path: Path) -> None:
    first, again = (made(teacher, tmp_path / name, **INNER | {"epochs": 1}) for name in "ab")
    assert first.content_hash == again.content_hash
    stored = {path.name.split(".")[0] for path in (tmp_path / "a").rglob("outputs-*/*")}
    assert not any(name.startswith(("hidden", "attention")) for name in stored) and "logits" in stored


def test_answers_and_inner_states_may_be_learnt_together(teacher: Artifact, tmp_path: Path) -> None:
    student = made(teacher, tmp_path, **INNER | {"soft_weight": 1.0, "epochs": 1})
    assert "dev_accuracy" in student.history[-1]["result"]


def test_scores_beyond_the_rows_own_tokens_do_not_count() -> None:
    teacher, student = tiny_classifier(tiny_config(), seed=5), tiny_classifier(tiny_config(), seed=2)
    weights = LossWeights(soft=0.0, attention=1.0, attention_kind="scores")
    objective = Distillation(
        None, weights, online=OnlineTeacher(teacher, torch.device("cpu")), attention_map=((0, 0), (1, 1))
    )
    rows = [np.arange(5, 9, dtype=np.int32), np.arange(5, 15, dtype=np.int32)]
    data = TrainingSet(rows, np.full(2, -1), 0)

    def loss(budget: int) -> float:
        blocks = to_batches(data, np.arange(2), token_budget=budget, device=torch.device("cpu"))
        return sum(objective(student, block).item() * block.share for block in blocks)

    assert loss(1) == pytest.approx(loss(1000), rel=1e-5), "alone, and padded with a longer one"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer_map": "odd"}, "layer_map is one of even"),
        ({"inner_layers": 1}, "give `inner_layers`, `layer_map` or maps, not both"),
        ({"hidden_map": ((0, 0),)}, "not both"),
        ({"projection": False}, "shared_projection needs `projection: true`"),
    ],
)
def test_bad_options_are_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Distil(**INNER | options)


def test_without_the_new_options_records_are_those_of_before(teacher: Artifact, tmp_path: Path) -> None:
    options = made(teacher, tmp_path, layers=1, epochs=1).history[-1]["options"]
    assert not {"layer_map", "shared_projection"} & options.keys()
