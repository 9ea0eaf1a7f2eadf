"""The available answer forms, and functions that apply to any task's form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from leanformer.answers.any_labels import ANY_LABELS
from leanformer.answers.choice import CHOICE
from leanformer.answers.form import Form, FormTable
from leanformer.answers.one_label import ONE_LABEL
from leanformer.answers.prediction import Prediction
from leanformer.answers.score import SCORE
from leanformer.answers.span import SPAN
from leanformer.answers.tags import TAGS
from leanformer.answers.vector import VECTOR
from leanformer.metrics.estimates import Estimate, ratio
from leanformer.tagging.ragged import is_ragged
from leanformer.task import Task

FORMS: FormTable[Form] = FormTable(
    "leanformer/answers/forms.py",
    {form.name: form for form in (ONE_LABEL, ANY_LABELS, SCORE, TAGS, VECTOR, CHOICE, SPAN)},
)


def form_of(task: Task) -> Form:
    """The form of the task's answer. Raises `LeanformerError` for an unsupported form."""
    return FORMS[task.answer]


def decide(values: np.ndarray, task: Task) -> np.ndarray:
    """The answers for logits `[n, outputs]`.

    Returns class indices `[n]` for one label; whether each label applies `[n, labels]` for any number of labels; scores
    `[n]`, float64, on the scale of the training data; indices of candidates `[n]` for multiple choice; first characters
    and ends `[n, 2]` for spans of a context; and for vectors the same normalised to length 1. For tags, from a ragged
    array `[n]` of `[words, labels]`, it returns a ragged array `[n]` of tag indices `[words]`, the best legal sequence
    in the model's own scheme.
    """
    return form_of(task).decide(values, task)


def to_predictions(values: np.ndarray, task: Task, asked: Any = ()) -> list[Prediction]:
    """Logits `[texts, outputs]` to one `Prediction` per text; `asked` is the result of `Form.read`, if it is needed."""
    return form_of(task).predictions(values, asked, task)


def metric_name(task: Task) -> str:
    """The name of the task's one figure. Raises `LeanformerError` for vectors, for which no data has the right answers.

    Models of a task are compared by this figure: it is used to choose between them and to set bounds
    (docs/decisions/0010-one-figure-for-each-kind.md, and 0017 for tags).
    """
    return form_of(task).metric


def metric_of(task: Task) -> Callable[[np.ndarray, np.ndarray], float]:
    """The figure as a function of answers (see `decide`) and targets (see `Examples.targets`)."""
    return form_of(task).score(task)


def score_logits(logits: np.ndarray, targets: np.ndarray, task: Task) -> float:
    """The figure for logits as returned by `predictor.logits`; at most 1, higher is better."""
    form = form_of(task)
    return form.score(task)(form.decide(logits, task), targets)


def beaten_by(answers: np.ndarray, targets: np.ndarray, task: Task) -> str | None:
    """A constant or random answer that is at least as good as a model's, in words; None if there is none.

    For one label it is the most frequent one. With any number of labels, at least as many must be right as if the same
    labels were assigned at random; a score must correlate positively with the labels; tags must be right for more words
    of entities than at random.

    Args:
        answers: as returned by `decide`. targets: as in `Examples.targets`.
    """
    return form_of(task).beaten_by(answers, targets, task) if len(targets) else None


def recall_estimates(answers: np.ndarray, targets: np.ndarray, task: Task) -> dict[str, Estimate]:
    """The recall of each label or type of entity, by its name; empty if the form's answers are not named."""
    form = form_of(task)
    (names, found), (_, true) = (form.found(given, targets, task) for given in (answers, targets))
    return {name: ratio(found[:, number], true[:, number], true[:, number]) for number, name in enumerate(names)}


def changed(logits: np.ndarray, reference: np.ndarray, task: Task) -> np.ndarray:
    """Whether each row's answer differs `[n]`: another label, or a threshold crossed; for tags, each word's.

    Always false for scores and vectors, which differ slightly but do not flip.
    """
    return form_of(task).changed(logits, reference, task)


def changed_answers(logits: np.ndarray, reference: np.ndarray, task: Task) -> float:
    """Share of rows whose answer differs and was not a near tie, so that rounding cannot explain it.

    A label changed if the reference's two highest probabilities differ by more than `form.NEAR`; with any number of
    labels, if the probability of one that changed is farther than that from its threshold; a score, if it differs by
    more than that share of the scores' range. Rows that are not finite count as changed. If words are tagged, a row is
    a sentence.
    """
    different = form_of(task).clearly_changed(logits, reference, task)
    finite = np.array([np.isfinite(row).all() for row in logits], dtype=bool)
    return float((different | ~finite).mean())


def probability_agreement(logits: np.ndarray, reference: np.ndarray, task: Task) -> float | None:
    """Mean of 1 - sqrt(Jensen-Shannon divergence in bits) over rows, or words (probability loyalty, Xu et al. 2021).

    With any number of labels, the mean is over rows and labels, each of which applies or not. None without
    probabilities: for scores and vectors.
    """
    form = form_of(task)
    p, q = form.distributions(reference), form.distributions(logits)
    if p is None or q is None:
        return None
    if is_ragged(p):
        return float(1 - np.concatenate([_distances(a, b) for a, b in zip(p, q, strict=True)]).mean())
    return float((1 - _distances(p, q)).mean())


def _distances(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The Jensen-Shannon distances of distributions `[..., n]`, in square roots of bits."""
    middle = (p + q) / 2

    def divergence(a: np.ndarray) -> np.ndarray:
        ratio = np.where(a > 0, a / np.where(middle > 0, middle, 1), 1)
        return np.asarray((a * np.log2(ratio)).sum(axis=-1))

    return np.asarray(np.sqrt(np.clip((divergence(p) + divergence(q)) / 2, 0, 1)))
