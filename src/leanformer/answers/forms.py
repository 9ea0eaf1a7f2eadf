"""The forms of answer that there are, and what the rest of the house asks of whichever a task has."""

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
from leanformer.answers.tags import TAGS
from leanformer.answers.vector import VECTOR
from leanformer.task import Task

FORMS: FormTable[Form] = FormTable(
    "leanformer/answers/forms.py",
    {form.name: form for form in (ONE_LABEL, ANY_LABELS, SCORE, TAGS, VECTOR, CHOICE)},
)


def form_of(task: Task) -> Form:
    """The form of the task's answer. Raises `LeanformerError` for one that is not built."""
    return FORMS[task.answer]


def decide(values: np.ndarray, task: Task) -> np.ndarray:
    """The answers that logits `[n, outputs]` stand for.

    Returns class indices `[n]` for one label, whether each label applies `[n, labels]` for any number of them, scores
    `[n]`, float64, on the scale of the training data, and for tags, of a ragged array `[n]` of `[words, labels]`, one
    `[n]` of tag indices `[words]`, the best legal sequence in the model's own scheme; of vectors these with length 1.
    """
    return form_of(task).decide(values, task)


def to_predictions(values: np.ndarray, task: Task, asked: Any = ()) -> list[Prediction]:
    """Logits `[texts, outputs]` to one `Prediction` per text; `asked` is what `Form.read` gives, where it is needed."""
    return form_of(task).predictions(values, asked, task)


def metric_name(task: Task) -> str:
    """What the task's one figure is called. Raises `LeanformerError` for vectors, of which no data say what is right.

    It is the figure by which models of a task are compared: what a choice looks at and what a bound is set on
    (docs/decisions/0010-one-figure-for-each-kind.md, and 0017 for tags).
    """
    return form_of(task).metric


def metric_of(task: Task) -> Callable[[np.ndarray, np.ndarray], float]:
    """The figure as a function of answers (see `decide`) and targets (see `Examples.targets`)."""
    return form_of(task).score(task)


def score_logits(logits: np.ndarray, targets: np.ndarray, task: Task) -> float:
    """The figure of logits as `predictor.logits` gives them; at most 1, higher is better."""
    form = form_of(task)
    return form.score(task)(form.decide(logits, task), targets)


def beaten_by(answers: np.ndarray, targets: np.ndarray, task: Task) -> str | None:
    """Which answer that reads no text is at least as good as a model's, in words; None where none is.

    Of one label that is the most frequent one; any number of labels must be right at least as often as the same ones
    given by chance; a score must go with the labels at all; tags must be right for more words of entities than chance.

    Args:
        answers: as `decide` gives them. targets: as `Examples.targets`.
    """
    return form_of(task).beaten_by(answers, targets, task) if len(targets) else None


def changed(logits: np.ndarray, reference: np.ndarray, task: Task) -> np.ndarray:
    """Whether each row's answer is another one `[n]`: another label, or a threshold crossed; of tags, each word's.

    Never for scores and vectors: each differs a little and none flips.
    """
    return form_of(task).changed(logits, reference, task)


def changed_answers(logits: np.ndarray, reference: np.ndarray, task: Task) -> float:
    """Share of rows whose answer is another one and was no near tie: what no rounding explains.

    A label changed where the reference's first two probabilities differ by more than `form.NEAR`; one of several
    labels, where its probability is farther than that from its threshold; a score by more than that share of their
    range. Rows that are not finite count as changed. Where words are tagged a row is a sentence.
    """
    different = form_of(task).clearly_changed(logits, reference, task)
    finite = np.array([np.isfinite(row).all() for row in logits], dtype=bool)
    return float((different | ~finite).mean())


def probability_agreement(logits: np.ndarray, reference: np.ndarray, task: Task) -> float | None:
    """Mean of 1 - sqrt(Jensen-Shannon divergence in bits) over rows, or words (probability loyalty, Xu et al. 2021).

    Where any number of labels may apply, over rows and labels, each of which applies or does not. None where there are
    no probabilities: of scores and vectors.
    """
    form = form_of(task)
    p, q = form.distributions(reference), form.distributions(logits)
    if p is None or q is None:
        return None
    middle = (p + q) / 2

    def divergence(a: np.ndarray) -> np.ndarray:
        ratio = np.where(a > 0, a / np.where(middle > 0, middle, 1), 1)
        return np.asarray((a * np.log2(ratio)).sum(axis=-1))

    distance = np.sqrt(np.clip((divergence(p) + divergence(q)) / 2, 0, 1))
    return float((1 - distance).mean())
