"""Quality by the number of training rows, and what more labels would give: a fitted power law."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from leanformer.answers.forms import form_of
from leanformer.curate.active.head import STRENGTH
from leanformer.curate.dense_fits import DENSE_FITS
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError, LeanformerError
from leanformer.inputs.kinds import input_of
from leanformer.linear.features import learn_features
from leanformer.linear.fit import FITS, MOST_WEIGHTS, Fit, need_sklearn, sparse_rows
from leanformer.metrics.power_law import PowerLaw, fit_power_laws

SIZES, SMALLEST, FEWEST = 7, 0.05, 3
RESAMPLES = 1000
# Rows of train -> the quality on dev of a model trained on these alone, at most 1.
Quality = Callable[[np.ndarray], float]
Figure = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """Measured qualities, and the power law of their errors.

    Attributes:
        metric: what was measured. rows: the number of rows of train.
        sizes: numbers of training rows, ascending, `[sizes]`.
        scores: quality on dev of each draw at each size, `[draws, sizes]`, at most 1.
    """

    metric: str
    rows: int
    sizes: tuple[int, ...]
    scores: np.ndarray
    seed: int = 13

    @property
    def means(self) -> np.ndarray:
        """The mean over draws at each size."""
        return np.asarray(self.scores.mean(axis=0))

    @cached_property
    def _laws(self) -> tuple[PowerLaw, PowerLaw]:
        """The law of the means, and those of bootstrap samples of the draws."""
        sizes, draws = np.array(self.sizes, dtype=float), len(self.scores)
        drawn = np.random.default_rng(self.seed).integers(0, draws, (RESAMPLES, draws))
        return fit_power_laws(sizes, 1 - self.means[None]), fit_power_laws(sizes, 1 - self.scores[drawn].mean(axis=1))

    def at(self, size: int) -> Figure:
        """The fitted quality with `size` rows, and its 95 % interval (bootstrap over draws)."""
        return _figure(*(1 - law.at(size) for law in self._laws))

    def gain(self, more: int) -> Figure:
        """How much higher it is with `more` rows than with all of train, and the interval of the difference."""
        return _figure(*(law.at(self.rows) - law.at(self.rows + more) for law in self._laws))

    def advice(self, more: int, worth: float) -> str:
        """What the interval of the gain says: "label" (at least `worth`), "compress" (less) or "unclear"."""
        _, low, high = self.gain(more)
        return "label" if low >= worth else "compress" if high < worth else "unclear"

    def to_json(self, more: int, worth: float) -> dict[str, Any]:
        law = self._laws[0]
        return {
            "metric": self.metric, "rows": self.rows, "sizes": list(self.sizes), "scores": self.scores.tolist(),
            "law": {
                "limit": float(law.limit[0]), "factor": float(law.factor[0]), "exponent": float(law.exponent[0])
            },
            "now": self.at(self.rows), "more": more, "then": self.at(self.rows + more), "gain": self.gain(more),
            "worth": worth, "advice": self.advice(more, worth),
        }  # fmt: skip


def _figure(value: np.ndarray, resampled: np.ndarray) -> Figure:
    low, high = np.percentile(resampled, [2.5, 97.5])
    return float(value[0]), float(low), float(high)


def learning_curve(
    quality: Quality,
    metric: str,
    rows: int,
    *,
    sizes: Sequence[int] = (),
    draws: int = 5,
    seed: int = 13,
    say: Callable[[str], None] = lambda line: None,
) -> LearningCurve:
    """Measure the quality of models trained on `draws` random parts of train of each size.

    The parts of a draw contain one another, so that a curve compares like with like. All of train is a part only once.

    Args:
        quality: see `Quality`; `ngram_quality` and `vector_quality` make one. metric: its name. rows: of train.
        sizes: default: `default_sizes`.

    Raises `LeanformerError` for fewer than three sizes, or one that train does not have.
    """
    sizes = sorted(set(sizes)) or default_sizes(rows)
    if len(sizes) < FEWEST or sizes[0] < 2:
        raise LeanformerError(
            f"a curve needs {FEWEST} sizes of 2 rows or more, and there are {', '.join(map(str, sizes))}\n  remedy: "
            + (f"--sizes {rows // 4},{rows // 2},{rows}" if rows >= 8 else "label more rows of train first, 8 or more")
        )
    if sizes[-1] > rows:
        raise LeanformerError(
            f"a size of {sizes[-1]:,} rows, and train has {rows:,}\n  remedy: sizes of at most {rows:,}"
        )
    scores = np.empty((draws, len(sizes)))
    for draw in range(draws):
        order = np.random.default_rng((seed, draw)).permutation(rows)
        for place, size in enumerate(sizes):
            whole = size == rows and draw > 0
            scores[draw, place] = scores[0, place] if whole else quality(np.sort(order[:size]))
        say(f"draw {draw + 1} of {draws} measured")
    return LearningCurve(metric, rows, tuple(sizes), scores, seed)


def default_sizes(rows: int) -> list[int]:
    """Up to seven sizes from a twentieth of train to all of it, by the same factor; of 2 rows or more."""
    return sorted({max(2, round(rows * SMALLEST ** (1 - step / (SIZES - 1)))) for step in range(SIZES)})


def ngram_quality(data: Dataset, *, seed: int = 13) -> Quality:
    """Of linear models on n-grams (`linear.fit`, with both kinds and C = 1), whose vocabulary is that of all of train.

    Raises `DataError` without train and dev, `LeanformerError` for a form of answer that is not supported, and
    `MissingExtraError` without scikit-learn.
    """
    fit = FITS[data.task.answer]
    need_sklearn()
    train, dev = need_splits(data)
    pairs = input_of(data.task).paired
    most = MOST_WEIGHTS // data.task.outputs // (2 if pairs else 1)
    features = learn_features(train.inputs, pairs, least=2, most=max(1, most))
    return _quality(data, fit, sparse_rows(features, train.inputs), sparse_rows(features, dev.inputs), 1.0, seed)


def vector_quality(data: Dataset, embed: Callable[[Examples], np.ndarray], *, seed: int = 13) -> Quality:
    """Of logistic regression on the vectors that `embed` gives, such as an encoder's (`curate.embeddings`).

    Raises as `ngram_quality`.
    """
    fit = DENSE_FITS[data.task.answer]
    need_sklearn()
    known, asked = (_with_bias(embed(part)) for part in need_splits(data))
    return _quality(data, fit, known, asked, STRENGTH, seed)


def _with_bias(vectors: np.ndarray) -> np.ndarray:
    return np.concatenate([np.ones((len(vectors), 1), dtype=vectors.dtype), vectors], axis=1)


def _quality(data: Dataset, fit: Fit, known: Any, asked: Any, strength: float, seed: int) -> Quality:
    """Models trained by `fit` on rows of `known` and measured on `asked`, the features of train and of dev."""
    train, dev = need_splits(data)
    form = form_of(data.task)
    task = form.before_training(data.task, train.targets)
    targets, score = form.learnt(train.targets, task), form.score(task)

    def quality(rows: np.ndarray) -> float:
        weights = fit(known[rows], targets[rows], task.outputs, strength, seed)
        return float(score(form.decide(asked @ weights, task), dev.targets))

    return quality


def need_splits(data: Dataset) -> tuple[Examples, Examples]:
    """The labelled train and dev splits. Raises `DataError` where there is none."""
    if data.train is None or data.dev is None:
        split = "dev" if data.dev is None and data.train is not None else "train"
        raise DataError(
            f"no {split} split, and a curve is measured on dev with parts of train", path=data.name,
            remedy=f"add {split}.jsonl to the folder, or name a file of it: --split {split}=FILE",
        )  # fmt: skip
    return data.train, data.dev
