"""Confident learning against the paper's definitions, written out with loops and fractions."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.curate.confident import (
    confident_joint,
    count_errors,
    likeliest_other,
    normalised_margin,
    self_confidence,
    suspected,
)


def made(seed: int, rows: int = 200, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that mostly say the true class, and labels of which a tenth is another one."""
    generator = np.random.default_rng(seed)
    true = generator.integers(0, classes, rows)
    probabilities = generator.dirichlet(np.ones(classes), rows) + 1.2 * np.eye(classes)[true]
    labels = np.where(generator.random(rows) < 0.1, generator.integers(0, classes, rows), true)
    return probabilities / probabilities.sum(axis=1, keepdims=True), labels


def joint_by_loops(probabilities: list[list[float]], labels: list[int], classes: int) -> list[list[int]]:
    """Equation 1 and 2 of the paper: the class of largest probability among those at or over their threshold."""
    thresholds = {}
    for label in set(labels):
        own = [row[label] for row, given in zip(probabilities, labels, strict=True) if given == label]
        thresholds[label] = sum(own) / len(own)
    joint = [[0] * classes for _ in range(classes)]
    for row, given in zip(probabilities, labels, strict=True):
        over = [label for label in thresholds if row[label] >= thresholds[label] - 1e-12]
        if over:
            joint[given][max(over, key=lambda label: row[label])] += 1
    return joint


@pytest.mark.parametrize("seed", range(5))
def test_the_joint_is_that_of_the_definition(seed: int) -> None:
    probabilities, labels = made(seed)
    expected = joint_by_loops(probabilities.tolist(), labels.tolist(), 4)
    assert confident_joint(probabilities, labels).tolist() == expected
    assert 80 < np.sum(expected) < 200, "some rows reach no threshold"


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("seed", range(5))
def test_suspects_are_as_many_as_the_joint_says_those_of_lowest_self_confidence(seed: int, classes: int) -> None:
    """Of two classes the rows of the joint are scaled to the number of rows with the label (equation 3)."""
    probabilities, labels = made(seed, classes=classes)
    joint = joint_by_loops(probabilities.tolist(), labels.tolist(), classes)
    expected = 0.0
    for given in range(classes):
        scale = (labels == given).sum() / sum(joint[given]) if classes == 2 else 1
        expected += scale * sum(joint[given][other] for other in range(classes) if other != given)
    order = sorted(range(200), key=lambda row: probabilities[row][labels[row]])[: round(expected)]
    wrong = [row for row in order if probabilities[row].argmax() != labels[row]]
    assert suspected(probabilities, labels).tolist() == wrong and len(wrong) > 3
    assert count_errors(confident_joint(probabilities, labels), labels) == round(expected)


def test_by_hand() -> None:
    """Class 0 has the threshold .6, class 1 has .7. The third row is labelled 0 and confidently of class 1."""
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.4, 0.6]])
    labels = np.array([0, 0, 0, 1, 1])
    assert confident_joint(probabilities, labels).tolist() == [[2, 1], [0, 1]], "the last row reaches no threshold"
    assert suspected(probabilities, labels).tolist() == [2]
    assert self_confidence(probabilities, labels).tolist() == [0.9, 0.8, 0.1, 0.8, 0.6]
    assert normalised_margin(probabilities, labels) == pytest.approx([0.8, 0.6, -0.8, 0.6, 0.2])
    assert likeliest_other(probabilities, labels).tolist() == [1, 1, 1, 0, 0]


def test_a_class_that_no_row_has_takes_none() -> None:
    probabilities = np.array([[0.3, 0.1, 0.6], [0.2, 0.2, 0.6], [0.1, 0.6, 0.3]])
    joint = confident_joint(probabilities, np.array([0, 0, 1]))
    assert joint[:, 2].sum() == 0
    assert not suspected(probabilities, np.array([0, 0, 1])).size


def test_scores_are_calibrated_by_label_not_by_a_fixed_bound() -> None:
    """A model that is less sure of one class everywhere does not make all its rows suspect."""
    generator = np.random.default_rng(0)
    unsure = np.stack([generator.uniform(0.4, 0.5, 50), np.zeros(50)], axis=1)
    sure = np.stack([np.zeros(50), generator.uniform(0.9, 1, 50)], axis=1)
    probabilities = np.concatenate([unsure, sure])
    probabilities[:50, 1] = 1 - probabilities[:50, 0]
    probabilities[50:, 0] = 1 - probabilities[50:, 1]
    assert not suspected(probabilities, np.repeat([0, 1], 50)).size


@pytest.mark.parametrize("classes", [3, 4])
def test_one_row_of_another_label_does_not_change_the_suspects(classes: int) -> None:
    """Its threshold would be near 0, and most rows would reach it where they reach no other."""
    probabilities, labels = made(1, classes=classes)
    expected = suspected(probabilities, labels).tolist()
    generator = np.random.default_rng(2)
    rare = np.append(generator.uniform(0.001, 0.01, 200), 0.0005)[:, None]
    more = np.concatenate([np.concatenate([probabilities, np.full((1, classes), 1 / classes)]), rare], axis=1)
    with_row = np.append(labels, classes)
    assert suspected(more, with_row, 10).tolist() == expected and len(expected) > 3
    assert len(suspected(more, with_row)) > len(expected), "without the bound they are more"
    joint = confident_joint(more, with_row, 10)
    assert not joint[classes].any() and not joint[:, classes].any()
