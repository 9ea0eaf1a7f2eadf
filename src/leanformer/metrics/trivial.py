"""What an answer that reads no text is worth: the figure that a model must beat to have learnt anything of its task."""

from __future__ import annotations

import numpy as np

from leanformer.metrics.assignment import assign
from leanformer.metrics.primary import metric_name, metric_of
from leanformer.tagging.ragged import flat
from leanformer.tagging.schemes import split_tag, types_of
from leanformer.task import Task


def beaten_by(answers: np.ndarray, targets: np.ndarray, task: Task) -> str | None:
    """Which answer that reads no text is at least as good as a model's, in words; None where none is.

    Of one label that is the most frequent one; any number of labels must be right at least as often as the same ones
    given by chance; a score must go with the labels at all; tags must be right for more words of entities than chance.

    Args:
        answers: as `predictor.decide` gives them. targets: as `Examples.targets`.
    """
    return _FORMS[task.answer](answers, targets, task) if task.answer in _FORMS and len(targets) else None


def _of_label(answers: np.ndarray, targets: np.ndarray, task: Task) -> str | None:
    counts = np.bincount(targets, minlength=len(task.labels))
    most, right = int(counts.argmax()), int((answers == targets).sum())
    if np.count_nonzero(counts) < 2 or right >= counts[most]:
        return None
    found = (
        f"it is right for {100 * right / len(targets):.1f} % of {len(targets)} rows, and always saying "
        f"{task.labels[most]!r} would be for {100 * counts[most] / len(targets):.1f} %"
    )
    numbers = np.arange(len(task.labels))
    other = assign(targets[:, None] == numbers, answers[:, None] == numbers)
    if other.columns != tuple(numbers) and other.right > counts[most]:
        moved = [
            f"{task.labels[column]!r} were {task.labels[i]!r}" for i, column in enumerate(other.columns) if i != column
        ]
        found += f"; it would be right for {100 * other.right / len(targets):.1f} % if {' and '.join(moved[:3])}"
        found += " and so on" if len(moved) > 3 else ""
    return found


def _of_labels(answers: np.ndarray, targets: np.ndarray, task: Task) -> str | None:
    given, true = answers.astype(bool), targets.astype(bool)
    right, wanted = int((given & true).sum()), int(true.sum())
    chance = float((given.sum(axis=0) * true.sum(axis=0)).sum() / len(true))
    score = metric_of(task)(answers, targets)
    if not wanted or (score > 0 and right >= chance - 1e-9):
        return None
    return (
        f"its {metric_name(task)} on {len(targets)} rows is {100 * score:.1f} %; it gives {right} of {wanted} that "
        f"apply, and labels given as often by chance would be {chance:.0f}"
    )


def _of_score(answers: np.ndarray, targets: np.ndarray, task: Task) -> str | None:
    score = metric_of(task)(answers, targets)
    # Not a number where one of the two never changes.
    if score > 0 or np.ptp(targets) == 0:
        return None
    return f"its {metric_name(task)} with the scores of {len(targets)} rows is {score:.3f}, and guessing has 0"


def _of_tags(answers: np.ndarray, targets: np.ndarray, task: Task) -> str | None:
    types = types_of(task.labels)
    kind = np.array([types.index(one) if (one := split_tag(name)[1]) else len(types) for name in task.labels])
    numbers = np.arange(len(types))
    true = kind[flat(targets).astype(np.int64)][:, None] == numbers
    given = kind[flat(answers).astype(np.int64)][:, None] == numbers
    right, entity_words = int((true & given).sum()), int(true.sum())
    chance = float((true.sum(axis=0) * given.sum(axis=0)).sum() / max(len(true), 1))
    score = metric_of(task)(answers, targets)
    if not entity_words or (score > 0 and right > chance):
        return None
    return (
        f"its {metric_name(task)} on {len(targets)} sentences is {100 * score:.1f} %; of {entity_words} words of "
        f"entities {right} have the right type, and by chance it would be {chance:.0f}"
    )


_FORMS = {"label": _of_label, "labels": _of_labels, "score": _of_score, "tags": _of_tags}
