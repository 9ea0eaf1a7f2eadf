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
from leanformer.errors import DataError, LeanformerError, MissingExtraError
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
_LEAST_SHARE = 0.1  # of a text's probability, for a label to be learnt; the most probable one always is
_SOFT_STEPS = 20  # passes over the texts
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


@dataclass(frozen=True)
class Taught:
    """Texts to train on, with a teacher's probabilities `[n, labels]` in place of labels."""

    inputs: Sequence[Text]
    probabilities: np.ndarray


def can_fit(task: Task) -> bool:
    """Whether linear models support the form of the task's answer."""
    return task.answer in FITS


def check_task(task: Task) -> None:
    """Raise `LeanformerError` for a task that no delivered model on n-grams does: pairs, tags, choices, spans."""
    if not can_fit(task) or input_of(task).paired:
        raise LeanformerError(
            f"models on n-grams answer single texts with a label, any labels or a score, and this task is of kind "
            f"{task.kind!r}\n  remedy: fine-tune an encoder (leanformer train), and compress it with the recipe distil"
        )


def need_sklearn(extra: str = "train") -> None:
    """Raise `MissingExtraError`, naming an extra that has it, if scikit-learn is not installed."""
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("training a linear model on n-grams (scikit-learn)", extra) from error


def fit_linear(data: Dataset, *, seed: int = 13, taught: Taught | None = None) -> Fitted:
    """Train on train and choose on dev (at most `MOST_CHARACTERS` of each, drawn by seed); test is not used.

    With `taught`, for tasks with one label a text, those texts are trained on in place of train. All choices are made
    with the most probable label of each; the final model learns these labels or the probabilities, whichever is better.

    Raises `DataError` without labelled train and dev splits, `MissingExtraError` without scikit-learn, and
    `LeanformerError` for a form of answer that is not supported.
    """
    fit = FITS[data.task.answer]
    need_sklearn()
    form, task = form_of(data.task), data.task
    generator = np.random.default_rng(seed)
    if taught is None:
        train = _bounded(_labelled(data, "train"), generator)
        task = form.before_training(task, train.targets)
        inputs, targets = train.inputs, form.learnt(train.targets, task)
    else:
        drawn = _drawn([len(text) for text in taught.inputs], generator)
        inputs, shares = tuple(taught.inputs[i] for i in drawn), taught.probabilities[drawn]
        targets = shares.argmax(axis=1)
    dev = _bounded(_labelled(data, "dev"), generator)
    pairs, least = input_of(task).paired, 2 if len(inputs) >= _MANY else 1
    most = MOST_WEIGHTS // task.outputs // (2 if pairs else 1)
    features = learn_features(inputs, pairs, least=least, most=max(1, most))
    train_rows, dev_rows = (sparse_rows(features, texts) for texts in (inputs, dev.inputs))
    order = generator.permutation(len(inputs))

    def trained(kinds: tuple[str, ...], strength: float, texts: int) -> tuple[np.ndarray, np.ndarray]:
        """Weights trained on `texts` of the texts, and their logits for dev."""
        columns, chosen = features.columns(kinds), np.sort(order[:texts])
        matrix = train_rows[chosen][:, columns]
        weights = fit(matrix, targets[chosen], task.outputs, strength, seed).astype(np.float32)
        return weights, dev_rows[:, columns] @ weights

    # Weights are large, so those of candidates are not kept.
    @cache
    def quality(kinds: tuple[str, ...], strength: float) -> float:
        logits = trained(kinds, strength, min(CHOSEN_WITH, len(inputs)))[1]
        return score_logits(logits, dev.targets, form.after_training(task, logits, dev.targets))

    kinds = max(CHOICES, key=lambda kinds: quality(kinds, _FIRST))
    strength = _climbed(lambda strength: quality(kinds, strength))
    weights, logits = trained(kinds, strength, len(inputs))
    if taught is not None:
        columns = features.columns(kinds)
        softer = _soft_label(train_rows[:, columns], shares, task.outputs, strength, seed).astype(np.float32)
        values = dev_rows[:, columns] @ softer
        if score_logits(values, dev.targets, task) > score_logits(logits, dev.targets, task):
            weights, logits = softer, values
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
    seconds = examples.pairs or ("",) * len(examples)
    sizes = [len(text) + len(second) for text, second in zip(examples.texts, seconds, strict=True)]
    drawn = _drawn(sizes, generator)
    return examples if len(drawn) == len(examples) else examples.select(drawn)


def _drawn(sizes: Sequence[int], generator: np.random.Generator) -> list[int]:
    """Indices of as many texts of these sizes, in order, as have at most `MOST_CHARACTERS` together; at least one."""
    if sum(sizes) <= MOST_CHARACTERS:
        return list(range(len(sizes)))
    order = generator.permutation(len(sizes))
    drawn = int(np.count_nonzero(np.cumsum(np.array(sizes)[order]) <= MOST_CHARACTERS))
    return [int(i) for i in np.sort(order[: max(1, drawn)])]


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


def _separated(
    matrix: Any, targets: np.ndarray, strength: float, seed: int, shares: np.ndarray | None = None
) -> np.ndarray:
    """Weights `[columns, distinct targets]` of linear support vector machines, one against the rest.

    Two classes share one margin, with opposite signs; a single class has only the bias. `shares` weigh the rows.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    if len(np.unique(targets)) == 1:
        weights = np.zeros((matrix.shape[1], 1))
        weights[BIAS] = 1.0
        return weights
    # The bias is an ordinary column.
    # Texts with several labels cannot be separated, and the last steps towards the optimum take most of the time.
    steps = 1000 if shares is None else _SOFT_STEPS
    machine = LinearSVC(C=strength, fit_intercept=False, dual=True, tol=1e-2, max_iter=steps, random_state=seed)
    with warnings.catch_warnings():
        # A solution that has not fully converged loses no quality that is visible on dev.
        warnings.simplefilter("ignore", ConvergenceWarning)
        machine.fit(matrix, targets, sample_weight=shares)
    weights = machine.coef_.T
    return np.asarray(np.concatenate([-weights, weights], axis=1) if weights.shape[1] == 1 else weights)


def _one_label(matrix: Any, targets: np.ndarray, outputs: int, strength: float, seed: int) -> np.ndarray:
    """Weights for one label per text; a class without texts is never predicted."""
    weights = np.zeros((matrix.shape[1], outputs))
    weights[BIAS] = NEVER
    weights[:, np.unique(targets)] = _separated(matrix, targets, strength, seed)
    return weights


def _soft_label(matrix: Any, targets: np.ndarray, outputs: int, strength: float, seed: int) -> np.ndarray:
    """Weights for one label per text, learnt from probabilities `[n, outputs]`.

    A text stands once for each label that has at least `_LEAST_SHARE` of its probability, with that weight.
    """
    kept = np.where(targets >= np.minimum(_LEAST_SHARE, targets.max(axis=1, keepdims=True)), targets, 0)
    rows, labels = np.nonzero(kept)
    shares = (kept / kept.sum(axis=1, keepdims=True))[rows, labels]
    weights = np.zeros((matrix.shape[1], outputs))
    weights[BIAS] = NEVER
    weights[:, np.unique(labels)] = _separated(matrix[rows], labels, strength, seed, shares)
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
