"""Multiple choice: one of several candidates, which differ from question to question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from leanformer.answers.form import NEAR, OfLabels
from leanformer.answers.labels_check import Label, check_choice
from leanformer.answers.prediction import Prediction
from leanformer.metrics.classification import accuracy
from leanformer.metrics.estimates import Estimate, share
from leanformer.metrics.probabilities import softmax
from leanformer.tagging.ragged import ragged, squared
from leanformer.task import Question, Task, Text


class Choice(OfLabels):
    """Answers and targets are indices of candidates `[n]`, from 0; labels are `int`.

    Logits are ragged `[n]` of `[candidates]`, since their number may vary. Candidates have no names, so figures that
    other forms compute per label are not computed here.
    """

    def decide(self, values: np.ndarray, task: Task) -> np.ndarray:
        return np.array([run.argmax() for run in values], dtype=np.int64)

    def read(self, questions: Sequence[Question]) -> Sequence[Any]:
        return [(question[0], tuple(question[1])) for question in questions]

    def texts(self, asked: Sequence[Any]) -> Sequence[Text]:
        return asked

    def predictions(self, values: np.ndarray, asked: Sequence[Any], task: Task) -> list[Prediction]:
        return [
            Prediction(None, {}, choice=int(run.argmax()), shares=tuple(shares[: len(run)].tolist()))
            for run, shares in zip(values, _shares(values), strict=True)
        ]

    @property
    def metric(self) -> str:
        return "accuracy"

    def score(self, task: Task) -> Callable[[np.ndarray, np.ndarray], float]:
        return accuracy

    def of_rows(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> Callable[[np.ndarray], float]:
        return lambda rows: accuracy(answers[rows], targets[rows])

    def estimates(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> dict[str, Estimate]:
        return {self.metric: share(answers == targets)}

    def further(
        self, answers: np.ndarray, targets: np.ndarray, task: Task, languages: Sequence[str] | None
    ) -> dict[str, Any]:
        return {}

    def beaten_by(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> str | None:
        counts = np.bincount(targets)
        most, right = int(counts.argmax()), int((answers == targets).sum())
        if np.count_nonzero(counts) < 2 or right >= counts[most]:
            return None
        return (
            f"it is right for {100 * right / len(targets):.1f} % of {len(targets)} questions, and always choosing "
            f"candidate {most + 1} would be for {100 * counts[most] / len(targets):.1f} %"
        )

    def found(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> tuple[tuple[str, ...], np.ndarray]:
        return (), np.zeros((len(targets), 0), dtype=np.int64)

    def applies(self, answers: np.ndarray, labels: int) -> np.ndarray:
        return np.zeros((len(answers), labels), dtype=bool)

    def distributions(self, logits: np.ndarray) -> np.ndarray | None:
        return _shares(logits)

    def clearly_changed(self, logits: np.ndarray, reference: np.ndarray, task: Task) -> np.ndarray:
        """Where the reference's two highest probabilities differ by more than `NEAR`."""
        top = np.sort(_shares(reference), axis=1)
        return np.asarray(self.changed(logits, reference, task) & (top[:, -1] - top[:, -2] > NEAR))

    def check(self, labels: Sequence[Label], texts: Sequence[str], names: int) -> None:
        check_choice(labels)

    def targets(self, labels: Sequence[Label], names: int, inputs: Sequence[Text] = ()) -> np.ndarray:
        return np.asarray(labels, dtype=np.int64)

    def labels(self, answers: np.ndarray) -> tuple[Label, ...]:
        return tuple(int(number) for number in answers)

    def renumbered(self, labels: Sequence[Label], old: Task, new: Task, numbers: Sequence[int] | None) -> list[Label]:
        return list(labels)

    def the_only(self, labels: Sequence[Label], names: Sequence[str]) -> str:
        return f"candidate {int(labels[0]) + 1}" if len(set(labels)) == 1 else ""  # type: ignore[arg-type]

    def strata(self, targets: np.ndarray, names: Sequence[str], languages: Sequence[str] | None) -> tuple[int, ...]:
        """The index of the correct candidate."""
        return tuple(int(number) for number in targets)

    def unknown(self, texts: Sequence[str], task: Task) -> np.ndarray:
        return np.full(len(texts), -1, dtype=np.int64)

    def draw(self, logits: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """A candidate for each question, drawn from its probabilities."""
        return np.array([generator.choice(len(run), p=_share(run)) for run in logits], dtype=np.int64)


def _share(run: np.ndarray) -> np.ndarray:
    """Probabilities of the candidates of one question."""
    return np.asarray(softmax(run[None].astype(np.float64))[0])


def _shares(values: np.ndarray) -> np.ndarray:
    """Probabilities `[n, most candidates]`, padded with 0."""
    return squared(ragged([_share(run) for run in values]), 0.0)


CHOICE = Choice(
    name="choice", route="", function=None, card="Answer: one of the candidates of each question", per_word=False,
    taught=True, exclusive=False,
)  # fmt: skip
