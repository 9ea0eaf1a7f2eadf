"""Labels in the form of a model's outputs, the losses on them, and what is learnt beside the weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from leanformer.spans.best import NOWHERE
from leanformer.train.objectives.answers import (
    LOSSES,
    is_labelled,
    raw_logit_distance,
    soft_binary_cross_entropy,
    soft_cross_entropy,
)
from leanformer.train.targets import labels_of, with_scale, with_thresholds
from tests.making.tiny import tiny_kind_dataset

KINDS = ("pair", "multilabel", "similarity", "regression")


@pytest.mark.parametrize("kind", KINDS)
def test_unlabelled_rows_cost_nothing_and_leave_no_hole(kind: str) -> None:
    data = tiny_kind_dataset(kind, sizes=(6, 6, 6, 6))
    assert data.train is not None and data.unlabelled is not None
    labels = torch.from_numpy(np.concatenate([labels_of(data.train), labels_of(data.unlabelled)]))
    assert is_labelled(labels).tolist() == [True] * 6 + [False] * 6
    logits = torch.randn(12, data.task.outputs, requires_grad=True)
    each = LOSSES[data.task.answer].hard(logits, labels)
    assert each.shape == (12,) and bool(each.isfinite().all())
    (each * is_labelled(labels)).sum().backward()
    assert logits.grad is not None
    assert bool(logits.grad.isfinite().all()) and not logits.grad[6:].any() and bool(logits.grad[:6].any())


def test_hard_losses_are_those_of_pytorch() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(7, 4, generator=generator)
    classes, several = torch.arange(7) % 4, torch.randint(0, 2, (7, 4), generator=generator)
    scores = torch.randn(7, generator=generator)
    assert LOSSES["label"].hard(logits, classes).mean() == pytest.approx(F.cross_entropy(logits, classes).item())
    expected = F.binary_cross_entropy(torch.sigmoid(logits), several.float()).item()
    assert LOSSES["labels"].hard(logits, several).mean().item() == pytest.approx(expected, rel=1e-5)
    assert LOSSES["score"].hard(logits[:, :1], scores).mean() == pytest.approx(F.mse_loss(logits[:, 0], scores).item())


@pytest.mark.parametrize("answer", LOSSES)
@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_gradient_is_that_of_finite_differences_and_the_teacher_is_the_minimum(
    answer: str, temperature: float
) -> None:
    generator = torch.Generator().manual_seed(1)
    shape = (3, 4, 2) if LOSSES[answer].positions else (3, 2)
    teacher = torch.randn(shape, generator=generator, dtype=torch.float64)
    student = torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)
    soft = LOSSES[answer].soft
    assert torch.autograd.gradcheck(lambda x: soft(x, teacher, temperature), (student,))
    at = teacher.clone().requires_grad_()
    soft(at, teacher, temperature).sum().backward()
    assert at.grad is not None and float(at.grad.abs().max()) < 1e-12
    assert bool((soft(student, teacher, temperature) > soft(teacher, teacher, temperature)).all())


def test_raw_logits_are_not_compared_where_no_token_of_the_teacher_starts_or_ends() -> None:
    student, teacher = torch.zeros(1, 3, 2), torch.ones(1, 3, 2)
    teacher[0, 1, 0] = NOWHERE
    assert raw_logit_distance(student, teacher).tolist() == [[1.0, 0.5, 1.0]]


def test_two_classes_and_one_label_are_the_same_question() -> None:
    """Softmax over (x, 0) is the sigmoid of x, so the two soft losses must agree there."""
    x, y = torch.randn(5, 1, dtype=torch.float64), torch.randn(5, 1, dtype=torch.float64)
    zero = torch.zeros(5, 1, dtype=torch.float64)
    two = soft_cross_entropy(torch.cat([x, zero], 1), torch.cat([y, zero], 1), 2.0)
    assert soft_binary_cross_entropy(x, y, 2.0).tolist() == pytest.approx(two.tolist())


def test_scores_are_standardised_and_come_back() -> None:
    train = tiny_kind_dataset("similarity").train
    assert train is not None
    task = with_scale(train.task, train)
    scaled = labels_of(replace(train, task=task))
    assert scaled.dtype == np.float32
    assert (scaled.mean(), scaled.std()) == (pytest.approx(0, abs=1e-5), pytest.approx(1, abs=1e-5))
    assert task.scale is not None
    assert task.scale[0] + task.scale[1] * scaled == pytest.approx(train.targets, abs=1e-5)
    constant = replace(train, labels=(3.0,) * len(train))
    assert with_scale(train.task, constant).scale == (3.0, 1.0)
    other = replace(train.task, kind="pair")
    assert with_scale(other, train) == other


def test_thresholds_are_chosen_from_the_logits_on_dev() -> None:
    dev = tiny_kind_dataset("multilabel").dev
    assert dev is not None
    # All logits are low, and those of labels that apply are a little less low.
    logits = -4.0 + 2.0 * dev.targets
    task = with_thresholds(dev.task, logits, dev)
    middle = (1 / (1 + np.exp(4)) + 1 / (1 + np.exp(2))) / 2
    assert task.thresholds == (pytest.approx(middle, abs=1e-6),) * 3
    assert with_thresholds(replace(dev.task, kind="pair"), logits, dev).thresholds is None
