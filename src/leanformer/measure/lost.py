"""Labels that a reference model finds and another does not: what an average over all texts hides."""

from __future__ import annotations

import numpy as np

from leanformer.metrics.binomial import at_most
from leanformer.metrics.tagging import CORRECT, entity_counts
from leanformer.tagging.schemes import types_of
from leanformer.task import Task

ANSWERS = ("label", "labels", "tags")
"""Forms of answer that have labels which can be lost; see `task.Task.answer`."""
# The reference must find a label so often before its loss means anything.
_FEWEST = 3
# Of a label that is found less than half as often: chance at most that the two models are equally good at it.
_CHANCE = 0.01


def lost_labels(answers: np.ndarray, reference: np.ndarray, targets: np.ndarray, task: Task) -> tuple[str, ...]:
    """The labels (of tags: types of entity) that the reference finds and the answers do not, or hardly.

    None of those that the reference finds at least three times, or less than half of them where that is no chance.
    Each is told with its counts. Arguments are as `predictor.decide` and `Examples.targets` give them.
    """
    if task.answer not in ANSWERS:
        return ()
    names = types_of(task.labels) if task.answer == "tags" else task.labels
    ours, theirs = (_found(one, targets, task) for one in (answers, reference))
    said = []
    for number, name in enumerate(names):
        mine, other = ours[:, number], theirs[:, number]
        before, now = int(other.sum()), int(mine.sum())
        lost, gained = int(np.maximum(other - mine, 0).sum()), int(np.maximum(mine - other, 0).sum())
        hardly = 2 * now < before and at_most(gained, lost + gained, 0.5) <= _CHANCE
        if before >= _FEWEST and (now == 0 or hardly):
            said.append(f"{name} ({now} found where the teacher finds {before})")
    return tuple(said)


def _found(answers: np.ndarray, targets: np.ndarray, task: Task) -> np.ndarray:
    """How often each row has each label, and was given it, `[n, labels]`."""
    if task.answer == "tags":
        return np.asarray(entity_counts(answers, targets, task.labels)[..., CORRECT])
    if task.answer == "labels":
        return np.asarray(answers.astype(bool) & targets.astype(bool)).astype(np.int64)
    numbers = np.arange(len(task.labels))
    return np.asarray((answers[:, None] == numbers) & (targets[:, None] == numbers)).astype(np.int64)
