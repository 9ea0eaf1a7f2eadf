"""What pre-training begins with."""

from __future__ import annotations

import pytest
import torch

from leanformer.compress.pretrain.start import first_student
from leanformer.errors import RecipeError
from leanformer.models.classifier import Classifier
from leanformer.models.heads import vector_head
from leanformer.shapes.encoder import LayerShape
from tests.making.tiny import tiny_classifier, tiny_config

TEACHER = tiny_classifier(tiny_config(layers=(LayerShape(4, 48),) * 6))


def test_with_the_teachers_widths_it_has_layers_of_the_teacher() -> None:
    student, origin = first_student(TEACHER, 3, 32, heads=None, ffn=None, afresh=False)
    assert origin == "layers 2, 4, 6 of 6"
    for ours, theirs in zip(student.encoder.layers, (1, 3, 5), strict=True):
        for name, value in TEACHER.encoder.layers[theirs].state_dict().items():
            assert torch.equal(ours.state_dict()[name], value)


@pytest.mark.parametrize(
    ("layers", "hidden", "options", "heads", "ffn"),
    [
        (3, 32, {"afresh": True}, 4, 48),
        (7, 32, {}, 4, 48),
        (2, 16, {}, 4, 64),
        (2, 32, {"heads": 2}, 2, 48),
        (2, 24, {"heads": 3, "ffn": 20}, 3, 20),
    ],
)
def test_other_shapes_are_random_but_for_the_word_table(
    layers: int, hidden: int, options: dict[str, int], heads: int, ffn: int
) -> None:
    chosen = {"heads": None, "ffn": None, "afresh": False} | options
    student, origin = first_student(TEACHER, layers, hidden, **chosen)  # type: ignore[arg-type]
    assert origin == "random weights, word table by SVD"
    assert [(layer.heads, layer.ffn) for layer in student.config.layers] == [(heads, ffn)] * layers
    assert student.config.hidden == hidden == heads * student.config.head_size
    ours, theirs = (model.encoder.embeddings.word.weight.detach() for model in (student, TEACHER))
    # Distances between words are kept as far as the width allows, up to a factor.
    near = torch.corrcoef(torch.stack([torch.cdist(table, table).flatten() for table in (ours, theirs)]))[0, 1]
    assert near > 0.8


def test_vectors_have_the_students_width() -> None:
    teacher = Classifier(vector_head(TEACHER.config, "mean"))
    student, _ = first_student(teacher, 2, 16, heads=None, ffn=None, afresh=False)
    assert student.config.labels == 16 and student.config.head.gives_vectors


def test_a_width_that_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(RecipeError, match="hidden 30 is not a multiple of 4 heads\n  remedy: heads: 3"):
        first_student(TEACHER, 2, 30, heads=None, ffn=None, afresh=False)
    assert first_student(TEACHER, 2, 30, heads=3, ffn=None, afresh=False)[0].config.head_size == 10
