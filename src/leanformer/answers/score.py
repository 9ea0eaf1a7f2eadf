"""A score: a number on the scale of the training data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from leanformer.answers.form import NEAR, OfNumbers, with_interval
from leanformer.answers.labels_check import Label, check_score
from leanformer.answers.prediction import Prediction
from leanformer.metrics.correlation import mean_absolute_error, pearson, spearman
from leanformer.metrics.estimates import Estimate, error_estimate, rank_estimate
from leanformer.task import Task, Text


class Score(OfNumbers):
    """Answers and targets are numbers `[n]`, float64; labels are `float`."""

    def decide(self, values: np.ndarray, task: Task) -> np.ndarray:
        offset, unit = task.scale or (0.0, 1.0)
        return np.asarray(offset + unit * values[:, 0].astype(np.float64))

    def predictions(self, values: np.ndarray, asked: Sequence[Any], task: Task) -> list[Prediction]:
        return [Prediction(None, {}, score=float(number)) for number in self.decide(values, task)]

    @property
    def metric(self) -> str:
        return "Spearman correlation"

    def score(self, task: Task) -> Callable[[np.ndarray, np.ndarray], float]:
        return spearman

    def estimates(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> dict[str, Estimate]:
        return {self.metric: rank_estimate(answers, targets), "mean absolute error": error_estimate(answers, targets)}

    def further(
        self, answers: np.ndarray, targets: np.ndarray, task: Task, languages: Sequence[str] | None
    ) -> dict[str, Any]:
        scores = {"Pearson correlation": pearson, "mean absolute error": mean_absolute_error}
        return {"scores": {name: with_interval(score, answers, targets) for name, score in scores.items()}}

    def beaten_by(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> str | None:
        score = spearman(answers, targets)
        # NaN if one of the two is constant.
        if score > 0 or np.ptp(targets) == 0:
            return None
        return f"its {self.metric} with the scores of {len(targets)} rows is {score:.3f}, and guessing has 0"

    def found(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> tuple[tuple[str, ...], np.ndarray]:
        return (), np.zeros((len(targets), 0), dtype=np.int64)

    def same(self, answers: np.ndarray, reference: np.ndarray) -> float:
        """Pearson correlation."""
        return pearson(answers, reference)

    def clearly_changed(self, logits: np.ndarray, reference: np.ndarray, task: Task) -> np.ndarray:
        """Where scores differ by more than the share `NEAR` of their range."""
        ours, theirs = self.decide(logits, task), self.decide(reference, task)
        return np.asarray(np.abs(ours - theirs) > NEAR * max(np.ptp(theirs), 1e-9))

    def check(self, labels: Sequence[Label], texts: Sequence[str], names: int) -> None:
        check_score(labels)

    def targets(self, labels: Sequence[Label], names: int, inputs: Sequence[Text] = ()) -> np.ndarray:
        return np.asarray(labels, dtype=np.float64)

    def labels(self, answers: np.ndarray) -> tuple[Label, ...]:
        return tuple(float(number) for number in answers)

    def renumbered(self, labels: Sequence[Label], old: Task, new: Task, numbers: Sequence[int] | None) -> list[Label]:
        return list(labels)

    def the_only(self, labels: Sequence[Label], names: Sequence[str]) -> str:
        return f"the score {labels[0]:g}" if len(set(labels)) == 1 else ""

    def strata(self, targets: np.ndarray, names: Sequence[str], languages: Sequence[str] | None) -> tuple[int, ...]:
        """The bin of each score, of five with equal numbers of scores."""
        edges = np.quantile(targets, np.arange(1, _BINS) / _BINS)
        return tuple(int(number) for number in np.searchsorted(edges, targets))

    def learnt(self, targets: np.ndarray, task: Task) -> np.ndarray:
        """Targets on the task's scale, float32."""
        offset, unit = task.scale or (0.0, 1.0)
        return np.asarray((targets - offset) / unit, dtype=np.float32)

    def unknown(self, texts: Sequence[str], task: Task) -> np.ndarray:
        return np.full(len(texts), np.nan, dtype=np.float32)

    def before_training(self, task: Task, targets: np.ndarray) -> Task:
        """The task with (mean, standard deviation) as its scale.

        The loss is then 1 for a model that always predicts the mean, whatever the scale of the data.
        """
        spread = float(targets.std())
        return replace(task, scale=(float(targets.mean()), spread if spread > 0 else 1.0))

    def after_training(self, task: Task, logits: np.ndarray, targets: np.ndarray) -> Task:
        return task

    def draw(self, logits: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Samples from a normal distribution around the score, with the standard deviation of the training scores."""
        return np.asarray(logits[:, 0].astype(np.float64) + generator.standard_normal(len(logits)), dtype=np.float32)


_BINS = 5  # with equal numbers of scores

SCORE = Score(
    name="score", route="predict", function=None, card="Answer: a score", per_word=False, taught=True, exclusive=False
)
