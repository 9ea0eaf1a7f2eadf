"""Suspected label errors in train: confident learning on out-of-fold probabilities of linear models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from leanformer.answers.form import FormTable
from leanformer.curate.confident import likeliest_other, normalised_margin, self_confidence, suspected
from leanformer.curate.curation import need_train, place
from leanformer.curate.findings import Cluster, LabelCheck, Suspect
from leanformer.curate.out_of_fold import FOLDS, Features, deal_folds, out_of_fold
from leanformer.curate.word_features import word_lines
from leanformer.data.carving import strata
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.inputs.kinds import input_of
from leanformer.linear.dense import DENSE_FITS
from leanformer.linear.features import learn_features
from leanformer.linear.fit import CHOSEN_WITH, FITS, MOST_WEIGHTS, need_sklearn, sparse_rows
from leanformer.linear.ngrams import WORDS
from leanformer.metrics.calibration import fit_temperature, scaled_probabilities
from leanformer.tagging.ragged import flat
from leanformer.task import Task, Text

NGRAMS = "n-grams"
# Labels of fewer rows are left out: a model that has hardly seen a label calls its rows wrong.
LEAST_ROWS = 2 * FOLDS
# Inverse regularisation of support vector machines on n-grams, and of logistic regression on vectors. Regularisation is
# stronger than is best for a model, so that single rows with a wrong label are not fitted.
_STRENGTH, _DENSE_STRENGTH = 0.3, 1.0


def can_check(task: Task) -> bool:
    """Whether labels of the task's form can be checked: those that are names."""
    return task.answer in _CHECKS


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
    suspects, checked, rare = check(_Rows(train, folds, vectors, seed))
    return LabelCheck(tuple(suspects), checked, rare, features, train.content_hash)


@dataclass(frozen=True)
class _Rows:
    """The train split, the fold of each row, and how its features are made."""

    train: Examples
    folds: np.ndarray
    vectors: np.ndarray | None
    seed: int

    def logits(self, targets: np.ndarray, form: str, owners: np.ndarray | None = None) -> np.ndarray:
        """Out-of-fold logits `[n, outputs]` of models for targets `[n]` or `[n, outputs]`.

        `owners` are the rows that the targets belong to, if they are those of words.
        """
        generator, count = np.random.default_rng(self.seed), len(self.train)
        drawn = np.zeros(count, dtype=bool)
        drawn[generator.permutation(count)[:CHOSEN_WITH]] = True
        trained = np.flatnonzero(drawn if owners is None else drawn[owners])
        folds = self.folds if owners is None else self.folds[owners]
        outputs = len(self.train.task.labels)
        if self.vectors is None:
            features, fit, strength = self._ngrams(trained, owners, outputs), FITS[form], _STRENGTH
        else:
            features, fit, strength = self._dense(self.vectors), DENSE_FITS[form], _DENSE_STRENGTH
        return out_of_fold(features, targets, folds, trained, fit, outputs, strength, self.seed)

    def _ngrams(self, trained: np.ndarray, owners: np.ndarray | None, outputs: int) -> Features:
        inputs: Sequence[Text] = self.train.inputs if owners is None else word_lines(self.train.texts)
        pairs = input_of(self.train.task).paired
        most = max(1, MOST_WEIGHTS // (FOLDS * outputs * (2 if pairs else 1)))
        learnt = learn_features([inputs[row] for row in trained], pairs, least=2, most=most).restricted((WORDS,))
        return lambda rows: sparse_rows(learnt, [inputs[row] for row in rows])

    def _dense(self, vectors: np.ndarray) -> Features:
        matrix = np.concatenate([np.ones((len(vectors), 1), dtype=np.float32), vectors], axis=1)
        return lambda rows: matrix[rows]


_Checked = tuple[list[Suspect], int, tuple[str, ...]]


def _one_label(rows: _Rows) -> _Checked:
    train, names = rows.train, rows.train.task.labels
    ranked, checked, rare = _ranked(rows.logits(train.targets, "label"), train.targets, names)
    suspects = [
        Suspect(place(train, "train", row), names[given], names[other], *scores) for row, given, other, scores in ranked
    ]
    return suspects, checked, rare


def _tags(rows: _Rows) -> _Checked:
    """Every word is looked at, and sentences are ranked by their most suspect word (Wang and Mueller 2022)."""
    train, names = rows.train, rows.train.task.labels
    lengths = [len(tags) for tags in train.targets]
    owners, words = np.repeat(np.arange(len(train)), lengths), np.concatenate([np.arange(size) for size in lengths])
    targets = flat(train.targets).astype(np.int64)
    ranked, checked, rare = _ranked(rows.logits(targets, "label", owners), targets, names)
    first: dict[int, int] = {}
    suspects = []
    for rank, (at, given, other, scores) in enumerate(ranked):
        row = int(owners[at])
        first.setdefault(row, rank)
        suspects.append(Suspect(place(train, "train", row), names[given], names[other], *scores, int(words[at])))
    return sorted(suspects, key=lambda suspect: first[suspect.place.row]), checked, rare


def _any_labels(rows: _Rows) -> _Checked:
    """Each label is a question of yes and no; a row is as suspect as the most suspect of its answers."""
    train, names, targets = rows.train, rows.train.task.labels, rows.train.targets.astype(np.int64)
    logits = rows.logits(targets, "labels")
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
    found = suspected(probabilities, targets)
    found = found[common[found]]
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


_CHECKS: FormTable[Callable[[_Rows], _Checked]] = FormTable(
    "leanformer/curate/label_errors.py", {"label": _one_label, "labels": _any_labels, "tags": _tags}
)
