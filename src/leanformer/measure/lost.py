"""Labels that a reference model finds and another model misses: an average over all texts hides them."""

from __future__ import annotations

import numpy as np

from leanformer.answers.forms import form_of
from leanformer.metrics.binomial import at_most
from leanformer.task import Task

# The reference must find a label at least this many times for its loss to mean anything.
_FEWEST = 3
# For a label found less than half as often: highest p-value of the hypothesis that both models are equally good at it.
_CHANCE = 0.01


def lost_labels(answers: np.ndarray, reference: np.ndarray, targets: np.ndarray, task: Task) -> tuple[str, ...]:
    """The labels (for tags: types of entity) that the reference finds and the answers miss, or almost miss.

    Lost is a label that the reference finds at least three times and the answers never, or less than half as often if
    that is not due to chance. Each is reported with its counts. `answers` and `reference` are as from
    `answers.forms.decide`, `targets` as `Examples.targets`.
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
