"""Any number of labels, each with its own threshold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from leanformer.answers.form import NEAR, OfLabels, OfTexts, named, with_interval, worst
from leanformer.answers.labels_check import Label, check_labels
from leanformer.answers.prediction import Prediction
from leanformer.metrics.estimates import Estimate, f1_estimate
from leanformer.metrics.multilabel import best_thresholds, label_recalls, mean_label_f1, micro_f1, subset_accuracy
from leanformer.metrics.probabilities import sigmoid
from leanformer.task import Task, Text


class AnyLabels(OfTexts, OfLabels):
    """Answers: whether each label applies `[n, labels]`; targets likewise as 0 and 1; labels are ascending indices."""

    def decide(self, values: np.ndarray, task: Task) -> np.ndarray:
        return np.asarray(sigmoid(values.astype(np.float64)) >= _thresholds(task))

    def predictions(self, values: np.ndarray, asked: Sequence[Any], task: Task) -> list[Prediction]:
        shares = sigmoid(values.astype(np.float64)).tolist()
        return [
            Prediction(
                None,
                dict(zip(task.labels, row, strict=True)),
                labels=tuple(name for name, applies in zip(task.labels, applying, strict=True) if applies),
            )
            for row, applying in zip(shares, self.decide(values, task), strict=True)
        ]

    @property
    def metric(self) -> str:
        return "micro-F1"

    def score(self, task: Task) -> Callable[[np.ndarray, np.ndarray], float]:
        return micro_f1

    def estimates(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> dict[str, Estimate]:
        given, true = answers.astype(bool), targets.astype(bool)
        parts = (given & true, given, true)
        return {
            self.metric: f1_estimate(*(part.sum(axis=1) for part in parts)),
            "macro-F1": f1_estimate(*parts),
            **{
                f"F1 of {name}": f1_estimate(*(part[:, number] for part in parts))
                for number, name in enumerate(task.labels)
            },
        }

    def further(
        self, answers: np.ndarray, targets: np.ndarray, task: Task, languages: Sequence[str] | None
    ) -> dict[str, Any]:
        return {
            **worst(label_recalls(answers, targets), task.labels),
            **named("macro_f1", with_interval(mean_label_f1, answers, targets)),
            "scores": {"subset accuracy": with_interval(subset_accuracy, answers, targets)},
        }

    def beaten_by(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> str | None:
        given, true = answers.astype(bool), targets.astype(bool)
        right, wanted = int((given & true).sum()), int(true.sum())
        chance = float((given.sum(axis=0) * true.sum(axis=0)).sum() / len(true))
        score = micro_f1(answers, targets)
        if not wanted or (score > 0 and right >= chance - 1e-9):
            return None
        return (
            f"its {self.metric} on {len(targets)} rows is {100 * score:.1f} %; it gives {right} of {wanted} that "
            f"apply, and labels given as often by chance would be {chance:.0f}"
        )

    def found(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> tuple[tuple[str, ...], np.ndarray]:
        labels = len(task.labels)
        return task.labels, (self.applies(answers, labels) & self.applies(targets, labels)).astype(np.int64)

    def applies(self, answers: np.ndarray, labels: int) -> np.ndarray:
        return answers.astype(bool)

    def distributions(self, logits: np.ndarray) -> np.ndarray | None:
        """For each label, the probabilities that it applies and that it does not: `[n, labels, 2]`."""
        values = logits.astype(np.float64)
        return np.stack([sigmoid(values), sigmoid(-values)], axis=-1)

    def clearly_changed(self, logits: np.ndarray, reference: np.ndarray, task: Task) -> np.ndarray:
        """Where the reference's probability of a label that changed is more than `NEAR` away from its threshold."""
        clear = np.abs(sigmoid(reference.astype(np.float64)) - _thresholds(task)) > NEAR
        return np.asarray(((self.decide(logits, task) != self.decide(reference, task)) & clear).any(axis=1))

    def check(self, labels: Sequence[Label], texts: Sequence[str], names: int) -> None:
        check_labels(labels, names)

    def targets(self, labels: Sequence[Label], names: int, inputs: Sequence[Text] = ()) -> np.ndarray:
        chosen = np.zeros((len(labels), names), dtype=np.int64)
        for row, label in enumerate(labels):
            chosen[row, list(label)] = 1  # type: ignore[arg-type]
        return chosen

    def labels(self, answers: np.ndarray) -> tuple[Label, ...]:
        return tuple(tuple(int(number) for number in np.flatnonzero(row)) for row in answers)

    def renumbered(self, labels: Sequence[Label], old: Task, new: Task, numbers: Sequence[int] | None) -> list[Label]:
        numbers = numbers or [new.labels.index(name) for name in old.labels]
        return [tuple(sorted(numbers[number] for number in label)) for label in labels]  # type: ignore[union-attr]

    def the_only(self, labels: Sequence[Label], names: Sequence[str]) -> str:
        if len(set(labels)) > 1:
            return ""
        listed = ", ".join(names[number] for number in labels[0])  # type: ignore[union-attr]
        return f"the labels {listed}" if listed else "no label"

    def strata(self, targets: np.ndarray, names: Sequence[str], languages: Sequence[str] | None) -> tuple[int, ...]:
        """The rarest label of each row, -1 for none.

        The rarest label, because it is the one that random sampling would miss (Sechidis et al. 2011).
        """
        if not names:
            return (-1,) * len(targets)
        rarity = targets.sum(axis=0).argsort(kind="stable").argsort(kind="stable")
        rarest = np.where(targets == 1, rarity, len(rarity)).argmin(axis=1)
        return tuple(int(number) if row.any() else -1 for number, row in zip(rarest, targets, strict=True))

    def unknown(self, texts: Sequence[str], task: Task) -> np.ndarray:
        return np.full((len(texts), len(task.labels)), -1, dtype=np.int64)

    def after_training(self, task: Task, logits: np.ndarray, targets: np.ndarray) -> Task:
        """Each label's threshold chosen on dev, rounded, so that the last bits of an fp32 sum do not matter."""
        chosen = best_thresholds(sigmoid(logits.astype(np.float64)), targets)
        return replace(task, thresholds=tuple(round(threshold, 6) for threshold in chosen))

    def draw(self, logits: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Each label drawn from its own probability."""
        return (generator.random(logits.shape) < sigmoid(logits.astype(np.float64))).astype(np.int64)


def _thresholds(task: Task) -> float | np.ndarray:
    return 0.5 if task.thresholds is None else np.asarray(task.thresholds)


ANY_LABELS = AnyLabels(
    name="labels", route="predict", function="sigmoid", card="Labels, any number of them: ", per_word=False,
    taught=True, exclusive=False,
)  # fmt: skip
