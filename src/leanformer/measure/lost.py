"""Labels that a reference model finds and another does not: what an average over all texts hides."""

from __future__ import annotations

import numpy as np

from leanformer.answers.forms import form_of
from leanformer.metrics.binomial import at_most
from leanformer.task import Task

# The reference must find a label so often before its loss means anything.
_FEWEST = 3
# Of a label that is found less than half as often: chance at most that the two models are equally good at it.
_CHANCE = 0.01


def lost_labels(answers: np.ndarray, reference: np.ndarray, targets: np.ndarray, task: Task) -> tuple[str, ...]:
    """The labels (of tags: types of entity) that the reference finds and the answers do not, or hardly.

    None of those that the reference finds at least three times, or less than half of them where that is no chance.
    Each is told with its counts. Arguments are as `answers.forms.decide` and `Examples.targets` give them.
    """
    form = form_of(task)
    (names, ours), (_, theirs) = (form.found(given, targets, task) for given in (answers, reference))
    said = []
    for number, name in enumerate(names):
        mine, other = ours[:, number], theirs[:, number]
        before, now = int(other.sum()), int(mine.sum())
        lost, gained = int(np.maximum(other - mine, 0).sum()), int(np.maximum(mine - other, 0).sum())
        hardly = 2 * now < before and at_most(gained, lost + gained, 0.5) <= _CHANCE
        if before >= _FEWEST and (now == 0 or hardly):
            said.append(f"{name} ({now} found where the teacher finds {before})")
    return tuple(said)
