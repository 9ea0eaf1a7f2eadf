"""The relation loss of MiniLMv2 against a slow reference written from the paper's formula."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from leanformer.shapes.encoder import LayerShape
from leanformer.train.feeds.batches import Batch, TrainingSet, to_batches
from leanformer.train.objectives.relations import Relations, relation_distance, usual_heads, usual_layer
from leanformer.train.online_teacher import OnlineTeacher, projections_at
from tests.making.tiny import tiny_classifier, tiny_config

CPU = torch.device("cpu")
LENGTHS = (7, 3, 5, 9)
TEACHER = tiny_classifier(tiny_config(layers=(LayerShape(4, 48),) * 4), seed=5)
# Another width, other numbers of heads and layers.
NARROW = tiny_config(hidden=24, head_size=12, layers=(LayerShape(2, 40),))


def batches(*sizes: int, padding: int = 0) -> list[Batch]:
    """Rows of different lengths, in blocks of these sizes."""
    drawn = np.random.default_rng(3)
    rows = [drawn.integers(5, 60, size=length).astype(np.int32) for length in LENGTHS]
    data, start, result = TrainingSet(rows, np.full(len(rows), -1), 0), 0, []
    for size in sizes:
        [batch] = to_batches(data, np.arange(start, start + size), token_budget=10_000, device=CPU)
        wide = {name: F.pad(getattr(batch, name), (0, padding)) for name in ("ids", "mask")}
        result.append(replace(batch, share=size / len(rows), **wide))
        start += size
    return result


def by_formula(student: Tensor, teacher: Tensor, lengths: list[int], heads: int) -> float:
    """The mean over texts, heads a and tokens t of KL(R_T[a, t] || R_S[a, t]), with R = softmax(X X' / d^.5)."""

    def relations(vectors: Tensor, length: int, head: int) -> list[list[float]]:
        size = vectors.shape[1] // heads
        part = vectors[:length, head * size : (head + 1) * size].tolist()
        table = []
        for first in part:
            scores = [sum(a * b for a, b in zip(first, second, strict=True)) / math.sqrt(size) for second in part]
            powers = [math.exp(score - max(scores)) for score in scores]
            table.append([power / sum(powers) for power in powers])
        return table

    total = 0.0
    for row, length in enumerate(lengths):
        for head in range(heads):
            ours, theirs = (relations(vectors[row].double(), length, head) for vectors in (student, teacher))
            for p, q in zip(theirs, ours, strict=True):
                divergence = sum(a * (math.log(a) - math.log(b)) for a, b in zip(p, q, strict=True))
                total += divergence / (length * heads * len(lengths))
    return total


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_it_is_the_papers_formula_for_any_number_of_heads(heads: int) -> None:
    [batch] = batches(4, padding=2)
    student = tiny_classifier(NARROW, seed=2)
    with torch.no_grad():
        ours, theirs = projections_at(student, batch, 0), projections_at(TEACHER, batch, 3)
        lengths = batch.mask.sum(dim=1).tolist()
        expected = [by_formula(*pair, lengths, heads) for pair in zip(ours, theirs, strict=True)]
        for pair, value in zip(zip(ours, theirs, strict=True), expected, strict=True):
            assert float(relation_distance(*pair, batch.mask, heads)) == pytest.approx(value, rel=1e-4)
        whole = Relations(OnlineTeacher(TEACHER, CPU), layer=3, heads=heads)(student, batch)
    assert min(expected) > 0.001 and float(whole) == pytest.approx(sum(expected), rel=1e-4)


def test_the_teacher_leads() -> None:
    """KL(teacher || student), and not the reverse: a hand-made pair of relations of two tokens."""
    sure, unsure = torch.tensor([[[3.0], [0.0]]]), torch.tensor([[[1.0], [0.0]]])
    mask = torch.ones(1, 2)
    q = [1 / (1 + math.exp(-1)), 1 / (1 + math.exp(1))]
    p = [1 / (1 + math.exp(-9)), 1 / (1 + math.exp(9))]
    expected = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)) / 2  # the second token's relations are even
    assert float(relation_distance(unsure, sure, mask, 1)) == pytest.approx(expected, rel=1e-5)
    assert float(relation_distance(sure, unsure, mask, 1)) != pytest.approx(expected, rel=0.1)


def gradients(student: Any, objective: Relations, blocks: list[Batch]) -> list[Tensor]:
    student.zero_grad()
    for block in blocks:
        (objective(student, block) * block.share).backward()
    return [parameter.grad.clone() for parameter in student.parameters() if parameter.grad is not None]


def test_neither_padding_nor_the_split_of_a_step_changes_the_gradient() -> None:
    objective = Relations(OnlineTeacher(TEACHER, CPU), layer=2, heads=2)
    student = tiny_classifier(NARROW, seed=2)
    reference = gradients(student, objective, batches(4))
    for blocks in (batches(4, padding=6), batches(1, 3), batches(2, 1, 1)):
        for found, expected in zip(gradients(student, objective, blocks), reference, strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_a_copy_has_no_loss_and_another_shape_learns() -> None:
    [batch] = batches(4)
    objective = Relations(OnlineTeacher(TEACHER, CPU), layer=3, heads=2)
    with torch.no_grad():
        assert float(objective(tiny_classifier(TEACHER.config, seed=5), batch)) == pytest.approx(0, abs=1e-6)
    student = tiny_classifier(NARROW, seed=2).train()
    optimizer = torch.optim.Adam(student.parameters(), lr=1e-2)
    losses = []
    for _ in range(40):
        loss = objective(student, batch)
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.3 * losses[0]


def test_only_what_is_below_the_relations_is_trained() -> None:
    student = tiny_classifier(replace(NARROW, layers=(LayerShape(2, 40),) * 2), seed=2)
    [batch] = batches(4)
    Relations(OnlineTeacher(TEACHER, CPU), layer=3, heads=2)(student, batch).backward()
    trained = {name for name, parameter in student.named_parameters() if parameter.grad is not None}
    assert {"encoder.layers.0.ffn.down.weight", "encoder.layers.1.attention.value.weight"} <= trained
    assert not any(
        name.startswith(("head.", "encoder.layers.1.ffn", "encoder.layers.1.attention.output")) for name in trained
    )
    assert all(parameter.grad is None for parameter in TEACHER.parameters())


@pytest.mark.parametrize(("depth", "layer"), [(1, 1), (6, 6), (12, 12), (24, 21)])
def test_the_layer_is_that_of_the_paper(depth: int, layer: int) -> None:
    assert usual_layer(tiny_config(layers=(LayerShape(4, 48),) * depth)) == layer - 1


@pytest.mark.parametrize(
    ("student", "teacher", "heads"),
    [(384, 768, 48), (384, 1024, 64), (384, 384, 24), (256, 384, 16), (312, 384, 24), (25, 384, 1), (4, 8, 1)],
)
def test_the_heads_are_those_of_the_paper_where_both_widths_allow_it(student: int, teacher: int, heads: int) -> None:
    assert usual_heads(student, teacher) == heads
    assert student % heads == 0 and teacher % heads == 0
