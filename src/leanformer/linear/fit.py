"""Training a linear model on n-grams with scikit-learn; kinds of n-grams and regularisation are chosen on dev."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from leanformer.answers.form import FormTable
from leanformer.answers.forms import form_of, score_logits
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError, MissingExtraError
from leanformer.inputs.kinds import input_of
from leanformer.linear.features import BIAS, Features, learn_features
from leanformer.linear.ngrams import CHARACTERS, WORDS
from leanformer.linear.predictor import LinearPredictor
from leanformer.metrics.calibration import fit_temperature
from leanformer.predictor import chunked
from leanformer.task import Task, Text

# Ties go to the first.
CHOICES = ((WORDS,), (CHARACTERS,), (WORDS, CHARACTERS))
# C: the first value tried, and those tried after it, downwards and upwards.
_FIRST, _WAYS = 1.0, ((0.3, 0.1, 0.03), (3.0, 10.0))
# The maximum number of training texts used for making choices; the final model is trained on all of them.
CHOSEN_WITH = 20_000
MOST_CHARACTERS = 10_000_000  # of train, and of dev; more would take gigabytes
# Most weights of a model: 800 MB during training. With hundreds of classes, fewer n-grams have weights.
MOST_WEIGHTS = 100_000_000
# From this number of texts on, n-grams that occur in only one text are left out.
_MANY = 10_000
NEVER = -10.0  # a margin far below that of any class with texts
# Sparse matrix of the training texts, targets, number of outputs, C and seed -> weights `[columns, outputs]`.
Fit = Callable[[Any, np.ndarray, int, float, int], np.ndarray]


@dataclass(frozen=True)
class Fitted:
    """A trained model and the choices made on dev: kinds of n-grams, inverse regularisation C, quality on dev."""

    predictor: LinearPredictor
    kinds: tuple[str, ...]
    strength: float
    dev_quality: float


def can_fit(task: Task) -> bool:
    """Whether linear models support the form of the task's answer."""
    return task.answer in FITS


def need_sklearn() -> None:
    """Raise `MissingExtraError` if scikit-learn is not installed."""
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("training a linear model on n-grams (scikit-learn)", "train") from error


def fit_linear(data: Dataset, *, seed: int = 13) -> Fitted:
    """Train on train and choose on dev (at most `MOST_CHARACTERS` of each, drawn by seed); test is not used.

    Raises `DataError` without labelled train and dev splits, `MissingExtraError` without scikit-learn, and
    `LeanformerError` for a form of answer that is not supported.
    """
    fit = FITS[data.task.answer]
    need_sklearn()
    train, dev = (_labelled(data, split) for split in ("train", "dev"))
    generator = np.random.default_rng(seed)
    train, dev = _bounded(train, generator), _bounded(dev, generator)
    form = form_of(data.task)
    task = form.before_training(data.task, train.targets)
    pairs, least = input_of(task).paired, 2 if len(train) >= _MANY else 1
    most = MOST_WEIGHTS // task.outputs // (2 if pairs else 1)
    features = learn_features(train.inputs, pairs, least=least, most=max(1, most))
    targets = form.learnt(train.targets, task)
    train_rows, dev_rows = (sparse_rows(features, examples.inputs) for examples in (train, dev))
    order = generator.permutation(len(train))

    def trained(kinds: tuple[str, ...], strength: float, texts: int) -> tuple[np.ndarray, np.ndarray]:
        """Weights trained on `texts` of the texts, and their logits for dev."""
        columns, chosen = features.columns(kinds), np.sort(order[:texts])
        matrix = train_rows[chosen][:, columns]
        weights = fit(matrix, targets[chosen], task.outputs, strength, seed).astype(np.float32)
        return weights, dev_rows[:, columns] @ weights

    # Weights are large, so those of candidates are not kept.
    @cache
    def quality(kinds: tuple[str, ...], strength: float) -> float:
        logits = trained(kinds, strength, min(CHOSEN_WITH, len(train)))[1]
        return score_logits(logits, dev.targets, form.after_training(task, logits, dev.targets))

    kinds = max(CHOICES, key=lambda kinds: quality(kinds, _FIRST))
    strength = _climbed(lambda strength: quality(kinds, strength))
    weights, logits = trained(kinds, strength, len(train))
    if form.exclusive:  # scale margins so that probabilities are calibrated
        temperature = np.float32(fit_temperature(logits, dev.targets))
        weights, logits = weights / temperature, logits / temperature
    task = form.after_training(task, logits, dev.targets)
    predictor = LinearPredictor(task, features.restricted(kinds), weights)
    return Fitted(predictor, kinds, strength, score_logits(logits, dev.targets, task))


def _climbed(quality: Callable[[float], float]) -> float:
    """The best strength by hill climbing from 1, downwards or, if that does not improve, upwards.

    Apart from noise, quality has a single maximum in C, so not all values have to be tried.
    """
    best = _FIRST
    for way in _WAYS:
        for strength in way:
            if quality(strength) <= quality(best):
                break
            best = strength
        if best != _FIRST:
            break
    return best


def _labelled(data: Dataset, split: str) -> Examples:
    examples: Examples | None = getattr(data, split)
    if examples is None or examples.labels is None:
        raise DataError(
            f"there is no labelled {split} split to train a linear model with",
            path=data.name,
            remedy=f"add {split}.jsonl to the folder",
        )
    return examples


def _bounded(examples: Examples, generator: np.random.Generator) -> Examples:
    """As many texts, drawn at random, as have at most `MOST_CHARACTERS` together; at least one."""
    sizes = np.array([len(text) for text in examples.texts])
    if examples.pairs is not None:
        sizes += [len(text) for text in examples.pairs]
    if sizes.sum() <= MOST_CHARACTERS:
        return examples
    order = generator.permutation(len(examples))
    drawn = int(np.count_nonzero(np.cumsum(sizes[order]) <= MOST_CHARACTERS))
    return examples.select(np.sort(order[: max(1, drawn)]).tolist())


def sparse_rows(features: Features, inputs: Sequence[Text]) -> Any:
    """The vectors of all inputs as a `scipy.sparse.csr_matrix`, `[n, features.width]`, float64."""
    from scipy.sparse import csr_matrix, vstack

    parts = []
    for chunk in chunked(inputs):
        rows = features.encode(chunk)
        bounds = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
        entries = np.concatenate(rows)
        parts.append(
            csr_matrix((entries[:, 1], entries[:, 0].astype(np.int64), bounds), shape=(len(rows), features.width))
        )
    return vstack(parts, format="csr")


def _separated(matrix: Any, targets: np.ndarray, strength: float, seed: int) -> np.ndarray:
    """Weights `[columns, distinct targets]` of linear support vector machines, one against the rest.

    Two classes share one margin, with opposite signs; a single class has only the bias.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    if len(np.unique(targets)) == 1:
        weights = np.zeros((matrix.shape[1], 1))
        weights[BIAS] = 1.0
        return weights
    # The bias is an ordinary column.
    machine = LinearSVC(C=strength, fit_intercept=False, dual=True, tol=1e-2, random_state=seed)
    with warnings.catch_warnings():
        # A solution that has not fully converged loses no quality that is visible on dev.
        warnings.simplefilter("ignore", ConvergenceWarning)
        machine.fit(matrix, targets)
    weights = machine.coef_.T
    return np.asarray(np.concatenate([-weights, weights], axis=1) if weights.shape[1] == 1 else weights)


def _one_label(matrix: Any, targets: np.ndarray, outputs: int, strength: float, seed: int) -> np.ndarray:
    """Weights for one label per text; a class without texts is never predicted."""
    weights = np.zeros((matrix.shape[1], outputs))
    weights[BIAS] = NEVER
    weights[:, np.unique(targets)] = _separated(matrix, targets, strength, seed)
    return weights


def _any_labels(matrix: Any, targets: np.ndarray, outputs: int, strength: float, seed: int) -> np.ndarray:
    """A classifier per label; a label that all or no texts have always or never applies."""
    weights = np.zeros((matrix.shape[1], outputs))
    for label in range(outputs):
        present = np.unique(targets[:, label])
        found = _separated(matrix, targets[:, label], strength, seed)[:, -1]
        weights[:, label] = found if present[-1] == 1 else NEVER * found
    return weights


def _score(matrix: Any, targets: np.ndarray, outputs: int, strength: float, seed: int) -> np.ndarray:
    """Ridge regression of the standardised scores."""
    from sklearn.linear_model import Ridge

    ridge = Ridge(alpha=1 / strength, fit_intercept=False, solver="sparse_cg", random_state=seed)
    return np.asarray(ridge.fit(matrix, targets).coef_).reshape(-1, 1)


FITS: FormTable[Fit] = FormTable(
    "leanformer/linear/fit.py", {"label": _one_label, "labels": _any_labels, "score": _score}
)
