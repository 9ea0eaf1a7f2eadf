"""A single label: the classes of a classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from leanformer.answers.form import NEAR, Figure, OfLabels, OfTexts, draw_class, named, with_interval, worst
from leanformer.answers.labels_check import Label, check_label
from leanformer.answers.prediction import Prediction
from leanformer.metrics.assignment import assign
from leanformer.metrics.classification import accuracy, confusion, f1_scores, macro_f1, matthews, recalls
from leanformer.metrics.estimates import Estimate, f1_estimate, share
from leanformer.metrics.probabilities import softmax
from leanformer.task import Task, Text


class OneLabel(OfTexts, OfLabels):
    """Answers are class indices `[n]`, and so are targets; labels are `int`."""

    def decide(self, values: np.ndarray, task: Task) -> np.ndarray:
        return np.asarray(values.argmax(axis=1))

    def predictions(self, values: np.ndarray, asked: Sequence[Any], task: Task) -> list[Prediction]:
        shares = softmax(values.astype(np.float64)).tolist()
        return [
            Prediction(task.labels[int(number)], dict(zip(task.labels, row, strict=True)))
            for row, number in zip(shares, self.decide(values, task), strict=True)
        ]

    @property
    def metric(self) -> str:
        return "accuracy"

    def score(self, task: Task) -> Callable[[np.ndarray, np.ndarray], float]:
        return accuracy

    def estimates(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> dict[str, Estimate]:
        given, true = (self.applies(labels, len(task.labels)) for labels in (answers, targets))
        return {self.metric: share(answers == targets), "macro-F1": f1_estimate(given & true, given, true)}

    def further(
        self, answers: np.ndarray, targets: np.ndarray, task: Task, languages: Sequence[str] | None
    ) -> dict[str, Any]:
        classes = len(task.labels)

        def counted(score: Callable[[np.ndarray], float]) -> Figure:
            return with_interval(lambda a, b: score(confusion(a, b, classes)), answers, targets)

        fields = worst(recalls(confusion(answers, targets, classes)), task.labels)
        fields |= named("macro_f1", counted(macro_f1)) | named("matthews", counted(matthews))
        if classes == 2:
            # Papers report the F1 of "the positive class"; we cannot know which of the two it is.
            fields["scores"] = {f"F1 of {name}": counted(_f1_of(number)) for number, name in enumerate(task.labels)}
        return fields

    def beaten_by(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> str | None:
        counts = np.bincount(targets, minlength=len(task.labels))
        most, right = int(counts.argmax()), int((answers == targets).sum())
        if np.count_nonzero(counts) < 2 or right >= counts[most]:
            return None
        said = (
            f"it is right for {100 * right / len(targets):.1f} % of {len(targets)} rows, and always saying "
            f"{task.labels[most]!r} would be for {100 * counts[most] / len(targets):.1f} %"
        )
        labels = len(task.labels)
        other = assign(self.applies(targets, labels), self.applies(answers, labels))
        if other.columns != tuple(range(labels)) and other.right > counts[most]:
            moved = [
                f"{task.labels[column]!r} were {task.labels[i]!r}"
                for i, column in enumerate(other.columns)
                if i != column
            ]
            said += f"; it would be right for {100 * other.right / len(targets):.1f} % if {' and '.join(moved[:3])}"
            said += " and so on" if len(moved) > 3 else ""
        return said

    def found(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> tuple[tuple[str, ...], np.ndarray]:
        labels = len(task.labels)
        return task.labels, (self.applies(answers, labels) & self.applies(targets, labels)).astype(np.int64)

    def applies(self, answers: np.ndarray, labels: int) -> np.ndarray:
        return np.asarray(answers[:, None] == np.arange(labels))

    def distributions(self, logits: np.ndarray) -> np.ndarray | None:
        return softmax(logits.astype(np.float64))

    def clearly_changed(self, logits: np.ndarray, reference: np.ndarray, task: Task) -> np.ndarray:
        """Where the reference's two highest probabilities differ by more than `NEAR`."""
        top = np.sort(softmax(reference.astype(np.float64)), axis=1)
        margin = top[:, -1] - top[:, -2] if top.shape[1] > 1 else np.ones(len(top))
        return np.asarray(self.changed(logits, reference, task) & (margin > NEAR))

    def check(self, labels: Sequence[Label], texts: Sequence[str], names: int) -> None:
        check_label(labels, names)

    def targets(self, labels: Sequence[Label], names: int, inputs: Sequence[Text] = ()) -> np.ndarray:
        return np.asarray(labels, dtype=np.int64)

    def labels(self, answers: np.ndarray) -> tuple[Label, ...]:
        return tuple(int(number) for number in answers)

    def renumbered(self, labels: Sequence[Label], old: Task, new: Task, numbers: Sequence[int] | None) -> list[Label]:
        numbers = numbers or [new.labels.index(name) for name in old.labels]
        return [numbers[label] for label in labels]  # type: ignore[index]

    def the_only(self, labels: Sequence[Label], names: Sequence[str]) -> str:
        return f"the label {names[labels[0]]!r}" if len(set(labels)) == 1 else ""  # type: ignore[index]

    def strata(self, targets: np.ndarray, names: Sequence[str], languages: Sequence[str] | None) -> tuple[int, ...]:
        """The label itself."""
        return tuple(int(number) for number in targets)

    def unknown(self, texts: Sequence[str], task: Task) -> np.ndarray:
        return np.full(len(texts), -1, dtype=np.int64)

    def draw(self, logits: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """A label drawn from its probabilities."""
        return draw_class(logits.astype(np.float64), generator)


def _f1_of(number: int) -> Callable[[np.ndarray], float]:
    return lambda counts: float(f1_scores(counts)[number])


ONE_LABEL = OneLabel(
    name="label", route="predict", function="softmax", card="Labels: ", per_word=False, taught=True, exclusive=True
)
