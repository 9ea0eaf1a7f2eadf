"""The linear models that labels are checked with: on n-grams, or on vectors of an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leanformer.curate.dense_fits import DENSE_FITS
from leanformer.curate.out_of_fold import FOLDS, Features, out_of_fold
from leanformer.curate.word_features import word_lines
from leanformer.data.examples import Examples
from leanformer.inputs.kinds import input_of
from leanformer.linear.features import learn_features
from leanformer.linear.fit import CHOSEN_WITH, FITS, MOST_WEIGHTS, Fit, sparse_rows
from leanformer.linear.ngrams import WORDS
from leanformer.task import Text

# Inverse regularisation of support vector machines on n-grams, and of logistic regression on vectors. Regularisation is
# stronger than is best for a model, so that single rows with a wrong label are not fitted.
_STRENGTH, _DENSE_STRENGTH = 0.3, 1.0


@dataclass(frozen=True)
class LabelModels:
    """Models of the train split.

    Attributes:
        folds: the fold of each row, int64 `[n]` (`out_of_fold.deal_folds`).
        vectors: of the rows, or of all their words, `[n, width]`; None: n-grams.
    """

    train: Examples
    folds: np.ndarray
    vectors: np.ndarray | None
    seed: int

    @property
    def drawn(self) -> np.ndarray:
        """The rows that models are trained on, unless they are of the fold left out; bool `[n]`."""
        drawn = np.zeros(len(self.train), dtype=bool)
        drawn[np.random.default_rng(self.seed).permutation(len(drawn))[:CHOSEN_WITH]] = True
        return drawn

    def logits(self, targets: np.ndarray, form: str, owners: np.ndarray | None = None) -> np.ndarray:
        """Out-of-fold logits `[n, outputs]` of models for targets `[n]` or `[n, outputs]`.

        They are trained on at most `CHOSEN_WITH` rows. `owners` are the rows of the targets, if these are tags.
        """
        drawn = self.drawn
        trained = np.flatnonzero(drawn if owners is None else drawn[owners])
        folds = self.folds if owners is None else self.folds[owners]
        fit, strength = self.fit(form)
        outputs = len(self.train.task.labels)
        features = self.features(trained, owners is not None)
        return out_of_fold(features, targets, folds, trained, fit, outputs, strength, self.seed)

    def fit(self, form: str) -> tuple[Fit, float]:
        """How models of a form of answer are trained, and their inverse regularisation."""
        return (FITS[form], _STRENGTH) if self.vectors is None else (DENSE_FITS[form], _DENSE_STRENGTH)

    def features(self, trained: np.ndarray, of_words: bool = False) -> Features:
        """What the models see of rows, or of words; n-grams are those of the rows or words to train on."""
        if self.vectors is not None:
            matrix = np.concatenate([np.ones((len(self.vectors), 1), dtype=np.float32), self.vectors], axis=1)
            return lambda rows: matrix[rows]
        inputs: Sequence[Text] = word_lines(self.train.texts) if of_words else self.train.inputs
        pairs = input_of(self.train.task).paired
        most = max(1, MOST_WEIGHTS // (FOLDS * len(self.train.task.labels) * (2 if pairs else 1)))
        learnt = learn_features([inputs[row] for row in trained], pairs, least=2, most=most).restricted((WORDS,))
        return lambda rows: sparse_rows(learnt, [inputs[row] for row in rows])
