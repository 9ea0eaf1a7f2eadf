"""Distillation of vectors: distances by hand, and a student that comes nearer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from leanformer.artifact import Artifact
from leanformer.compress.pretrain.pretrain import Pretrain
from leanformer.errors import RecipeError
from leanformer.export.onnx import Onnx
from leanformer.loading import open_predictor
from leanformer.measure.vectors import check_index, embed
from leanformer.train.objectives.vectors import relation_distance, vector_distance
from tests.making.graphs import make_context, make_embedder
from tests.making.tiny import tiny_artifact, tiny_texts

TEXTS = tiny_texts(150, seed=8)[0]


def test_distances_by_hand():
    ours, theirs = torch.tensor([[2.0, 0], [0, 3.0]]), torch.tensor([[0.0, 1], [0, 1.0]])
    assert vector_distance(ours, theirs) == pytest.approx(0.5)
    assert relation_distance(ours, theirs) == pytest.approx(1.0), "cosines 0 and 1"
    assert relation_distance(ours, torch.tensor([[1.0, 0, 0], [0, 0, 9.0]])) == 0, "another width"
    assert relation_distance(ours[:1], theirs[:1]) == 0


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return make_embedder(tmp_path_factory.mktemp("teacher"))[0]


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["1", "2x16"])
def test_a_student_comes_nearer_to_the_teachers_index(teacher: Artifact, tmp_path: Path, shape: str):
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))
    context = make_context(tmp_path, teacher)
    asked = {
        "shape": shape,
        "objective": "vectors",
        "batch_size": 16,
        "learning_rate": 5e-3,
        "texts": str(tmp_path / "texts.txt"),
    }
    first, student = (
        Pretrain(**asked, steps=steps)(teacher, context, tmp_path / f"student-{steps}") for steps in (0, 40)
    )
    assert student.task == teacher.task, "vectors of the teacher's width, whatever the student's"
    check_index(student, teacher)
    theirs, before, after = (embed(open_predictor(model, threads=1), TEXTS) for model in (teacher, first, student))
    assert (after * theirs).sum(axis=1).mean() > (before * theirs).sum(axis=1).mean() + 0.02
    graph = Onnx()(student, context, tmp_path / "onnx")
    np.testing.assert_allclose(embed(open_predictor(graph, threads=1), TEXTS[:9]), after[:9], atol=1e-4)


def test_a_classifier_has_no_vectors(tmp_path: Path):
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS))
    teacher = tiny_artifact(tmp_path / "teacher")
    step = Pretrain(objective="vectors", texts=str(tmp_path / "texts.txt"))
    with pytest.raises(RecipeError, match="gives no vectors that could be learnt"):
        step(teacher, make_context(tmp_path, teacher), tmp_path / "student")
