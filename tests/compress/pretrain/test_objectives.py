"""What a student learns on raw text: TinyBERT's general stage by its formula, answers, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from leanformer.artifact import Artifact
from leanformer.compress.pretrain import objectives, pretrain
from leanformer.compress.pretrain.pretrain import Pretrain
from leanformer.errors import RecipeError
from leanformer.models.classifier import Classifier
from leanformer.shapes.encoder import LayerShape
from leanformer.task import Task
from leanformer.train.feeds.batches import TrainingSet, to_batches
from leanformer.train.online_teacher import OnlineTeacher
from tests.making.graphs import make_context
from tests.making.tiny import TASK, tiny_artifact, tiny_classifier, tiny_config, tiny_texts

CPU = torch.device("cpu")
TEACHER = tiny_classifier(tiny_config(layers=(LayerShape(4, 48),) * 4), seed=5)
NARROW = tiny_config(hidden=16, head_size=4)
ROWS = [np.arange(5, 5 + length, dtype=np.int32) for length in (6, 3, 8)]


def loss_of(name: str, student: Classifier) -> tuple[Any, float]:
    objective, _ = objectives.OBJECTIVES[name](Pretrain(), OnlineTeacher(TEACHER, CPU), student.config, TASK)
    [batch] = to_batches(TrainingSet(ROWS, np.full(3, -1), 0), np.arange(3), token_budget=100, device=CPU)
    with torch.no_grad():
        return objective, float(objective(student, batch))


def test_the_table_has_the_names_of_the_option() -> None:
    assert tuple(objectives.OBJECTIVES) == pretrain.OBJECTIVES


def inner(model: Classifier, row: np.ndarray) -> tuple[list[Tensor], list[Tensor]]:
    """Embeddings and hidden states `[S, H]`, and scores QK' / sqrt(d) of each layer `[heads, S, S]`, of one text."""
    ids, states, scores = torch.from_numpy(row.astype(np.int64))[None], [], []
    x = model.encoder.embeddings(ids)
    encoded = model.encoder(ids, torch.ones_like(ids))
    for layer, x in zip(model.encoder.layers, encoded.hidden_states, strict=False):
        attention, size = layer.attention, model.config.head_size
        query, key = attention.query(x)[0], attention.key(x)[0]
        heads = [slice(i * size, (i + 1) * size) for i in range(layer.shape.heads)]
        scores.append(torch.stack([query[:, own] @ key[:, own].T / size**0.5 for own in heads]))
    states = [state[0] for state in encoded.hidden_states]
    return states, scores


@pytest.mark.parametrize("config", [NARROW, tiny_config()], ids=["narrow", "as wide"])
def test_the_general_stage_of_tinybert_is_the_papers_formula(config: Any) -> None:
    """MSE(E_S W, E_T), MSE(H_S W, H_T) and MSE(A_S, A_T), with layer m of 2 after layer 2m of 4, over real tokens."""
    student = tiny_classifier(config, seed=2)
    objective, found = loss_of("tinybert", student)
    hidden, attention = [], []
    with torch.no_grad():
        for row in ROWS:
            (ours, our_scores), (theirs, their_scores) = inner(student, row), inner(TEACHER, row)
            if config is NARROW:
                ours = [objective.projections(state) for state in ours]
            hidden.append(np.mean([float((ours[m] - theirs[2 * m]).pow(2).mean()) for m in (0, 1, 2)]))
            attention.append(np.mean([float((our_scores[m] - their_scores[2 * m + 1]).pow(2).mean()) for m in (0, 1)]))
    assert found == pytest.approx(np.mean(hidden) + np.mean(attention), rel=1e-4)
    assert (objective.projections is None) == (config is not NARROW)
    assert len(list(objective.parameters())) == (2 if config is NARROW else 0), "one projection for all layers"


def test_a_copy_has_no_loss_in_the_general_stage() -> None:
    assert loss_of("tinybert", tiny_classifier(TEACHER.config, seed=5))[1] == pytest.approx(0, abs=1e-6)


def test_answers_are_the_teachers_soft_ones() -> None:
    student = tiny_classifier(NARROW, seed=2)
    expected = []
    for row in ROWS:
        ids = torch.from_numpy(row.astype(np.int64))[None]
        with torch.no_grad():
            p, q = (torch.softmax(model(ids, torch.ones_like(ids)), dim=-1) for model in (TEACHER, student))
        expected.append(-float((p * q.log()).sum()))
    assert loss_of("logits", student)[1] == pytest.approx(np.mean(expected), rel=1e-4)


@pytest.fixture
def teacher(tmp_path: Path) -> Artifact:
    return tiny_artifact(tmp_path / "teacher", model=TEACHER)


@pytest.mark.slow
@pytest.mark.parametrize("objective", ["tinybert", "logits"])
def test_a_student_learns_by_it(objective: str, tmp_path: Path, teacher: Artifact) -> None:
    (tmp_path / "a.txt").write_text("\n".join(tiny_texts(100, seed=8)[0]), encoding="utf-8")
    step = Pretrain(
        shape="2x16", steps=40, batch_size=16, learning_rate=5e-3, texts=str(tmp_path / "a.txt"), objective=objective
    )
    result = step(teacher, make_context(tmp_path, teacher), tmp_path / "start").history[-1]["result"]
    assert result["loss"] < 0.9 * result["loss_before"]


def test_what_cannot_be_compared_is_refused_and_the_remedy_works() -> None:
    narrow = tiny_config(hidden=16, head_size=8, layers=(LayerShape(2, 48),) * 2)
    with pytest.raises(
        RecipeError, match=r"the student has 2 heads, the input 4\n  remedy: heads: 4; or objective: rel"
    ):
        loss_of("tinybert", tiny_classifier(narrow))
    assert loss_of("tinybert", tiny_classifier(NARROW))[1] > 0 and loss_of("relations", tiny_classifier(narrow))[1] > 0
    with pytest.raises(RecipeError, match="a multiple of the student's"):
        loss_of("tinybert", tiny_classifier(tiny_config(layers=(LayerShape(4, 48),) * 3)))


@pytest.mark.parametrize(
    "task", [Task("embedding", (), width=32), Task("pair", ("a", "b")), Task("tokens", ("O", "B-x"))]
)
def test_answers_need_a_classifier_of_single_texts(task: Task) -> None:
    with pytest.raises(RecipeError, match=f"a model of kind {task.kind} has no answers to single raw texts"):
        objectives.logits(Pretrain(), OnlineTeacher(TEACHER, CPU), NARROW, task)
    assert objectives.logits(Pretrain(), OnlineTeacher(TEACHER, CPU), NARROW, TASK)
