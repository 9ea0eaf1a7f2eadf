"""Suspected label errors in train: confident learning on out-of-fold probabilities of linear models."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from leanformer.answers.form import FormTable
from leanformer.curate.confident import likeliest_other, normalised_margin, self_confidence, suspected
from leanformer.curate.curation import need_train, place
from leanformer.curate.findings import Cluster, LabelCheck, Suspect
from leanformer.curate.label_models import LabelModels
from leanformer.curate.out_of_fold import FOLDS, deal_folds
from leanformer.data.carving import strata
from leanformer.data.dataset import Dataset
from leanformer.linear.fit import need_sklearn
from leanformer.metrics.calibration import fit_temperature, scaled_probabilities
from leanformer.tagging.ragged import flat
from leanformer.task import Task

NGRAMS = "n-grams"
# Labels of fewer rows are left out: a model that has hardly seen a label calls its rows wrong.
LEAST_ROWS = 2 * FOLDS


def can_check(task: Task) -> bool:
    """Whether labels of the task's form can be checked: those that are names."""
    return _CHECKS.get(task.answer) is not None


def label_errors(
    data: Dataset,
    clusters: Sequence[Cluster],
    *,
    vectors: np.ndarray | None = None,
    features: str = NGRAMS,
    seed: int = 13,
) -> LabelCheck:
    """Find the labels of train that are probably wrong.

    Linear models on n-grams, or on vectors of an encoder, are trained in cross-validation; duplicates are in one fold.

    Args:
        data: as in `curation.find`. clusters: the duplicates in train.
        vectors: of the rows, or of all their words, `[n, width]` (`embeddings.embed`); None: n-grams.
        features: the name of what the models saw, for the report.

    Raises `MissingExtraError` without scikit-learn and `LeanformerError` for labels that cannot be checked.
    """
    check = _CHECKS[data.task.answer]
    need_sklearn()
    train = need_train(data)
    groups = np.arange(len(train))
    for cluster in clusters:
        groups[[row.row for row in cluster.places]] = cluster.places[0].row
    folds = deal_folds(np.array(strata(train)), groups, seed)
    if folds.max() == 0:  # all texts are equal: no other text to learn from
        return LabelCheck((), 0, tuple(train.task.labels), features, train.content_hash)
    suspects, checked, rare = check(LabelModels(train, folds, vectors, seed))
    return LabelCheck(tuple(suspects), checked, rare, features, train.content_hash)


_Checked = tuple[list[Suspect], int, tuple[str, ...]]


def _one_label(models: LabelModels) -> _Checked:
    train, names = models.train, models.train.task.labels
    ranked, checked, rare = _ranked(models.logits(train.targets, "label"), train.targets, names)
    suspects = [
        Suspect(place(train, "train", row), names[given], names[other], *scores) for row, given, other, scores in ranked
    ]
    return suspects, checked, rare


def _tags(models: LabelModels) -> _Checked:
    """Every word is looked at, and sentences are ranked by their most suspect word (Wang and Mueller 2022)."""
    train, names = models.train, models.train.task.labels
    lengths = [len(tags) for tags in train.targets]
    owners, words = np.repeat(np.arange(len(train)), lengths), np.concatenate([np.arange(size) for size in lengths])
    targets = flat(train.targets).astype(np.int64)
    ranked, checked, rare = _ranked(models.logits(targets, "label", owners), targets, names)
    first: dict[int, int] = {}
    suspects = []
    for rank, (at, given, other, scores) in enumerate(ranked):
        row = int(owners[at])
        first.setdefault(row, rank)
        suspects.append(Suspect(place(train, "train", row), names[given], names[other], *scores, int(words[at])))
    return sorted(suspects, key=lambda suspect: first[suspect.place.row]), checked, rare


def _any_labels(models: LabelModels) -> _Checked:
    """Each label is a question of yes and no; a row is as suspect as the most suspect of its answers."""
    train, names, targets = models.train, models.train.task.labels, models.train.targets.astype(np.int64)
    logits = models.logits(targets, "labels")
    scores: dict[int, list[tuple[float, float]]] = {}
    suggested = targets.copy()
    checked, rare = 0, []
    for label, name in enumerate(names):
        own = targets[:, label]
        if min(own.sum(), (1 - own).sum()) < LEAST_ROWS:
            rare.append(name)
            continue
        probabilities = _platt(logits[:, label], own)
        checked += len(own)
        confidence, margin = self_confidence(probabilities, own), normalised_margin(probabilities, own)
        for row in suspected(probabilities, own):
            suggested[row, label] = 1 - own[row]
            scores.setdefault(int(row), []).append((float(confidence[row]), float(margin[row])))
    suspects = [
        Suspect(place(train, "train", row), _names(targets[row], names), _names(suggested[row], names), *min(found))
        for row, found in scores.items()
    ]
    return sorted(suspects, key=lambda suspect: suspect.self_confidence), checked, tuple(rare)


def _names(present: np.ndarray, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name, given in zip(names, present, strict=True) if given)


def _ranked(
    logits: np.ndarray, targets: np.ndarray, names: Sequence[str]
) -> tuple[list[tuple[int, int, int, tuple[float, float]]], int, tuple[str, ...]]:
    """The suspects, most suspect first: place, label, likeliest other label, self-confidence and margin.

    Then the number of labels that were looked at, and the labels that are too rare for it.
    """
    probabilities = scaled_probabilities(logits, fit_temperature(logits, targets))
    counts = np.bincount(targets, minlength=len(names))
    common = (counts >= LEAST_ROWS)[targets]
    found = suspected(probabilities, targets, LEAST_ROWS)
    confidence, margin = self_confidence(probabilities, targets), normalised_margin(probabilities, targets)
    others = likeliest_other(probabilities, targets)
    rare = tuple(name for name, count in zip(names, counts, strict=True) if 0 < count < LEAST_ROWS)
    ranked = [
        (int(at), int(targets[at]), int(others[at]), (float(confidence[at]), float(margin[at]))) for at in found
    ]  # fmt: skip
    return ranked, int(common.sum()), rare


def _platt(margins: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Probabilities `[n, 2]` that a label is absent or present, given margins `[n]` (Platt 1999)."""
    from sklearn.linear_model import LogisticRegression

    probabilities = LogisticRegression(C=1e6).fit(margins[:, None], present).predict_proba(margins[:, None])
    return np.asarray(probabilities)


_CHECKS: FormTable[Callable[[LabelModels], _Checked]] = FormTable(
    "leanformer/curate/label_errors.py", {"label": _one_label, "labels": _any_labels, "tags": _tags}
)
