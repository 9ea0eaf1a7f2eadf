"""Quality of a model on labelled texts, with bootstrap intervals, and its agreement with a reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from leanformer.metrics.agreement import probability_agreement, same_answers
from leanformer.metrics.bootstrap import interval
from leanformer.metrics.classification import confusion, f1_scores, macro_f1, matthews, recalls
from leanformer.metrics.correlation import mean_absolute_error, pearson
from leanformer.metrics.multilabel import label_recalls, mean_label_f1, subset_accuracy
from leanformer.metrics.primary import of_rows
from leanformer.metrics.tagging import CORRECT, GOLD, PREDICTED, entity_counts, f1
from leanformer.predictor import decide
from leanformer.tagging.schemes import types_of
from leanformer.task import Task


@dataclass(frozen=True)
class Quality:
    """Scores on one split; see `report.Rung` for what each means and which are None for which kind of task."""

    quality: float
    quality_low: float
    quality_high: float
    drop: float
    drop_low: float
    drop_high: float
    agreement: float
    probability_agreement: float | None
    macro_f1: float | None = None
    macro_f1_low: float | None = None
    macro_f1_high: float | None = None
    matthews: float | None = None
    matthews_low: float | None = None
    matthews_high: float | None = None
    worst_class: str | None = None
    worst_class_recall: float | None = None
    scores: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)


def measure_quality(
    logits: np.ndarray,
    targets: np.ndarray,
    reference: np.ndarray,
    task: Task,
    reference_task: Task | None = None,
    *,
    languages: Sequence[str] | None = None,
) -> Quality:
    """Scores of logits `[n, outputs]` against targets (see `Examples.targets`) and against a reference model's logits.

    `reference_task` is that of the reference model, whose thresholds may be others; None: the same. Where words are
    tagged and the `languages` of the rows are known, there are scores for each, their mean and standard deviation.
    """
    ours, theirs = decide(logits, task), decide(reference, reference_task or task)
    n = len(targets)
    score, their_score = of_rows(task, ours, targets), of_rows(task, theirs, targets)

    def lost(rows: np.ndarray) -> float:
        return their_score(rows) - score(rows)

    low, high = interval(score, n)
    drop_low, drop_high = interval(lost, n)
    further = _FURTHER[task.answer](ours, targets, task)
    if task.answer == "tags" and languages is not None:
        further["scores"] |= of_languages(entity_counts(ours, targets, task.labels).sum(axis=1), languages)
    return Quality(
        quality=score(np.arange(n)),
        quality_low=low,
        quality_high=high,
        drop=lost(np.arange(n)),
        drop_low=drop_low,
        drop_high=drop_high,
        agreement=same_answers(ours, theirs, task),
        probability_agreement=probability_agreement(logits, reference, task.answer),
        **further,
    )


def _of_label(ours: np.ndarray, targets: np.ndarray, task: Task) -> dict[str, Any]:
    classes = len(task.labels)

    def counted(score: Callable[[np.ndarray], float]) -> tuple[float, float, float]:
        return _with_interval(lambda a, b: score(confusion(a, b, classes)), ours, targets)

    further = _worst(recalls(confusion(ours, targets, classes)), task)
    further |= _named("macro_f1", counted(macro_f1)) | _named("matthews", counted(matthews))
    if classes == 2:
        # Papers give the F1 of "the positive class"; which of the two it is, is not for us to say.
        further["scores"] = {f"F1 of {name}": counted(_f1_of(i)) for i, name in enumerate(task.labels)}
    return further


def _f1_of(index: int) -> Callable[[np.ndarray], float]:
    return lambda counts: float(f1_scores(counts)[index])


def _of_labels(ours: np.ndarray, targets: np.ndarray, task: Task) -> dict[str, Any]:
    return {
        **_worst(label_recalls(ours, targets), task),
        **_named("macro_f1", _with_interval(mean_label_f1, ours, targets)),
        "scores": {"subset accuracy": _with_interval(subset_accuracy, ours, targets)},
    }


def _of_score(ours: np.ndarray, targets: np.ndarray, task: Task) -> dict[str, Any]:
    further = {"Pearson correlation": pearson, "mean absolute error": mean_absolute_error}
    return {"scores": {name: _with_interval(score, ours, targets) for name, score in further.items()}}


def _of_tags(ours: np.ndarray, targets: np.ndarray, task: Task) -> dict[str, Any]:
    counts = entity_counts(ours, targets, task.labels)
    n = len(counts)

    def counted(score: Callable[[np.ndarray], float], counts: np.ndarray) -> tuple[float, float, float]:
        low, high = interval(lambda rows: score(counts[rows].sum(axis=0)), n)
        return score(counts.sum(axis=0)), low, high

    whole = counts.sum(axis=1)
    scores = {
        "precision": counted(lambda one: float(one[CORRECT] / max(one[PREDICTED], 1)), whole),
        "recall": counted(lambda one: float(one[CORRECT] / max(one[GOLD], 1)), whole),
    }
    for index, name in enumerate(types_of(task.labels)):
        if counts[:, index, GOLD].any():
            scores[f"F1 of {name}"] = counted(lambda one: float(f1(one)), counts[:, index])
    return {"scores": scores}


def of_languages(counts: np.ndarray, languages: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """Entity F1 of each language, their mean and standard deviation, each with its interval; of counts `[n, 3]`."""
    names = sorted(set(languages))
    number = np.array([names.index(one) for one in languages])

    def each(rows: np.ndarray) -> np.ndarray:
        at = number[rows]
        return f1(np.stack([np.bincount(at, counts[rows, k], minlength=len(names)) for k in range(3)], axis=1))

    everything = np.arange(len(counts))
    scores: dict[str, tuple[float, float, float]] = {}
    for index, name in enumerate(names):
        scores[f"F1 in {name}"] = _summed_f1(counts[number == index])
    for kind, summary in (("mean", np.mean), ("standard deviation", np.std)):
        low, high = interval(_after(each, summary), len(counts))
        scores[f"{kind} of F1 over {len(names)} languages"] = float(summary(each(everything))), low, high
    return scores


def _summed_f1(counts: np.ndarray) -> tuple[float, float, float]:
    """F1 of the counts `[n, 3]` of sentences, and its interval."""
    low, high = interval(lambda rows: float(f1(counts[rows].sum(axis=0))), len(counts))
    return float(f1(counts.sum(axis=0))), low, high


def _after(first: Callable[[np.ndarray], np.ndarray], then: Callable[..., Any]) -> Callable[[np.ndarray], float]:
    return lambda rows: float(then(first(rows)))


_FURTHER: dict[str, Callable[[np.ndarray, np.ndarray, Task], dict[str, Any]]] = {
    "label": _of_label,
    "labels": _of_labels,
    "score": _of_score,
    "tags": _of_tags,
}


def _worst(found: np.ndarray, task: Task) -> dict[str, Any]:
    """The label found least often, of those that occur."""
    if not np.isfinite(found).any():
        return {}
    worst = int(np.nanargmin(found))
    return {"worst_class": task.labels[worst], "worst_class_recall": float(found[worst])}


def _named(name: str, found: tuple[float, float, float]) -> dict[str, Any]:
    return dict(zip((name, f"{name}_low", f"{name}_high"), found, strict=True))


def _with_interval(
    score: Callable[[np.ndarray, np.ndarray], float], ours: np.ndarray, targets: np.ndarray
) -> tuple[float, float, float]:
    """A score of answers and targets, and the ends of its interval."""
    low, high = interval(lambda rows: float(score(ours[rows], targets[rows])), len(targets))
    return float(score(ours, targets)), low, high
