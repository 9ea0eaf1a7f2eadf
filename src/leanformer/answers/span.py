"""A piece of a context that answers a question, or no answer (extractive question answering)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from leanformer.answers.form import NEAR, Figure, OfLabels, OfTexts, Windowed
from leanformer.answers.labels_check import Label, check_spans
from leanformer.answers.prediction import Answer, Prediction
from leanformer.metrics.bootstrap import interval
from leanformer.metrics.estimates import Estimate, ratio, share
from leanformer.metrics.probabilities import softmax
from leanformer.metrics.squad import answer_f1, exact_match
from leanformer.spans.best import NOWHERE, Best, best_spans, score_of
from leanformer.spans.windows import PassageTokenizer, to_characters
from leanformer.tagging.ragged import ragged
from leanformer.task import Question, Task, Text

BEST = 5
"""Answers of a prediction, the best first."""


@dataclass(frozen=True)
class RightAnswers:
    """The target of a question: its right answers as `context[start:end]`; none of them if there is no answer."""

    context: str
    spans: tuple[tuple[int, int], ...]

    @property
    def texts(self) -> list[str]:
        return [self.context[start:end] for start, end in self.spans]


class SpanOfContext(OfLabels, OfTexts):
    """Answers are `[n, 2]`: the first character and the end (exclusive), (0, 0) for no answer; labels are tuples of
    such pairs, the right answers, and targets `[n]` of `RightAnswers`.

    Logits are ragged `[n]` of `[1 + characters, 2]`, see `spans.windows.to_characters`. The score of a span is the sum
    of its start's and its end's logit, as published for BERT (Devlin et al. 2019), here relative to no answer.
    """

    def decide(self, values: np.ndarray, task: Task) -> np.ndarray:
        found = [_chosen(best_spans(logits, task.longest), task) for logits in values]
        return np.array(found, dtype=np.int64).reshape(-1, 2)

    def read(self, questions: Sequence[Question]) -> Sequence[Any]:
        return [(question[0], question[1]) for question in questions]

    def predictions(self, values: np.ndarray, asked: Sequence[Any], task: Task) -> list[Prediction]:
        return [_prediction(logits, context, task) for logits, (_, context) in zip(values, asked, strict=True)]

    @property
    def metric(self) -> str:
        return "answer F1"

    def score(self, task: Task) -> Callable[[np.ndarray, np.ndarray], float]:
        return lambda answers, targets: float(_each(answer_f1, answers, targets).mean())

    def of_rows(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> Callable[[np.ndarray], float]:
        each = _each(answer_f1, answers, targets)
        return lambda rows: float(each[rows].mean())

    def estimates(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> dict[str, Estimate]:
        ones = np.ones(len(targets))
        return {
            self.metric: ratio(_each(answer_f1, answers, targets), ones, ones),
            "exact match": share(_each(exact_match, answers, targets) == 1),
        }

    def further(
        self, answers: np.ndarray, targets: np.ndarray, task: Task, languages: Sequence[str] | None
    ) -> dict[str, Any]:
        """Exact match; and F1 of questions with an answer and of those without, if there are both; F1 by language."""
        f1, there = _each(answer_f1, answers, targets), np.array([bool(target.spans) for target in targets], dtype=bool)
        parts = {"exact match": _each(exact_match, answers, targets)}
        if there.any() and not there.all():
            parts |= {"F1 of questions with an answer": f1[there], "F1 of questions without one": f1[~there]}
        for name in sorted(set(languages or ())):
            parts[f"F1 in {name}"] = f1[np.array(languages) == name]
        return {"scores": _with_intervals(parts)}

    def beaten_by(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> str | None:
        f1 = float(_each(answer_f1, answers, targets).mean())
        without = float(np.mean([not target.spans for target in targets]))
        if f1 > without or without == 1:
            return None
        return (
            f"its {self.metric} on {len(targets)} questions is {100 * f1:.1f} %, and always saying that there is no "
            f"answer would have {100 * without:.1f} %"
        )

    def found(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> tuple[tuple[str, ...], np.ndarray]:
        return (), np.zeros((len(targets), 0), dtype=np.int64)

    def applies(self, answers: np.ndarray, labels: int) -> np.ndarray:
        return np.zeros((len(answers), labels), dtype=bool)

    def distributions(self, logits: np.ndarray) -> np.ndarray | None:
        """Of each question, the probabilities of the start and of the end, `[2, 1 + characters]`."""
        return ragged([softmax(np.ascontiguousarray(values.T, dtype=np.float64)) for values in logits])

    def clearly_changed(self, logits: np.ndarray, reference: np.ndarray, task: Task) -> np.ndarray:
        """Where, with only these two answers, the reference's probabilities of them differ by more than `NEAR`."""
        rows = zip(self.decide(logits, task), self.decide(reference, task), reference, strict=True)
        return np.array([_clearly_changed(ours, theirs, values, task) for ours, theirs, values in rows], dtype=bool)

    def check(self, labels: Sequence[Label], texts: Sequence[str], names: int) -> None:
        check_spans(labels)

    def targets(self, labels: Sequence[Label], names: int, inputs: Sequence[Text] = ()) -> np.ndarray:
        targets = np.empty(len(labels), dtype=object)
        for row, (label, text) in enumerate(zip(labels, inputs, strict=True)):
            targets[row] = RightAnswers(str(text[1]), label)  # type: ignore[arg-type]  # checked by `check`
        return targets

    def labels(self, answers: np.ndarray) -> tuple[Label, ...]:
        if answers.dtype == object:
            return tuple(target.spans for target in answers)
        return tuple(((int(start), int(end)),) if end else () for start, end in answers)

    def renumbered(self, labels: Sequence[Label], old: Task, new: Task, numbers: Sequence[int] | None) -> list[Label]:
        return list(labels)

    def the_only(self, labels: Sequence[Label], names: Sequence[str]) -> str:
        return "no answer" if not any(labels) else ""

    def strata(self, targets: np.ndarray, names: Sequence[str], languages: Sequence[str] | None) -> tuple[int, ...]:
        """Whether there is an answer."""
        return tuple(int(bool(target.spans)) for target in targets)

    def learnt(self, targets: np.ndarray, task: Task) -> np.ndarray:
        """The first right answer of each question, `[n, 2]`."""
        return _first(targets)

    def unknown(self, texts: Sequence[str], task: Task) -> np.ndarray:
        return np.full((len(texts), 2), -1, dtype=np.int64)

    def before_training(self, task: Task, targets: np.ndarray) -> Task:
        """With the length of the longest right answer."""
        lengths = [end - start for target in targets for start, end in target.spans]
        return replace(task, longest=max(lengths, default=1))

    def after_training(self, task: Task, logits: np.ndarray, targets: np.ndarray) -> Task:
        """With the score from which an answer is given, chosen for the highest F1 on dev; None if all have answers."""
        if all(target.spans for target in targets):
            return replace(task, no_answer=None)
        found = [best_spans(values, task.longest) for values in logits]
        scores = np.array([best.scores[0] if len(best.scores) else NOWHERE for best in found])
        always = replace(task, no_answer=None)
        answers = np.array([_chosen(best, always) for best in found], dtype=np.int64).reshape(-1, 2)
        gain = _each(answer_f1, answers, targets) - np.array([not target.spans for target in targets])
        order = np.argsort(-scores, kind="stable")
        # Gained by answering so many questions with the highest scores, in place of none.
        gained = np.concatenate([[0.0], np.cumsum(gain[order])])
        # Equal scores are answered together or not at all.
        borders = np.concatenate([[True], np.diff(scores[order]) < 0, [True]])
        count = int(np.where(borders, gained, -np.inf).argmax())
        ranked = np.concatenate([[scores.max() + 2], scores[order], [scores.min() - 2]])
        return replace(task, no_answer=float((ranked[count] + ranked[count + 1]) / 2))

    def draw(self, logits: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """For each question a start and an end drawn from their probabilities; no answer if they are in reverse."""
        drawn = []
        for shares in self.distributions(logits):  # type: ignore[union-attr]  # there always are
            start, end = (int(generator.choice(len(weights), p=weights / weights.sum())) for weights in shares)
            drawn.append((start - 1, end) if 0 < start <= end else (0, 0))
        return np.array(drawn, dtype=np.int64).reshape(-1, 2)


def _first(targets: np.ndarray) -> np.ndarray:
    """The first right answer of each question, `[n, 2]`."""
    found = [target.spans[0] if target.spans else (0, 0) for target in targets]
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def _with_intervals(parts: Mapping[str, np.ndarray]) -> dict[str, Figure]:
    """The mean of each array with the bounds of its interval."""
    scores = {}
    for name, values in parts.items():
        low, high = interval(lambda rows, values=values: float(values[rows].mean()), len(values))  # type: ignore[misc]
        scores[name] = float(values.mean()), low, high
    return scores


def _chosen(best: Best, task: Task) -> tuple[int, int]:
    """The best span, or (0, 0) if there is none, or if its score is below the task's."""
    if not len(best.scores) or (task.no_answer is not None and best.scores[0] < task.no_answer):
        return 0, 0
    start, end = best.spans[0].tolist()
    return start, end


def _each(score: Callable[[str, Sequence[str]], float], answers: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """The score of each answer, `[n]`, float64; `answers` may be targets, whose first right answers are meant."""
    answers = _first(answers) if answers.dtype == object else answers
    rows = zip(answers.tolist(), targets, strict=True)
    return np.array([score(target.context[start:end], target.texts) for (start, end), target in rows], dtype=np.float64)


def _prediction(values: np.ndarray, context: str, task: Task) -> Prediction:
    """The best answers with their probabilities among all spans and, if there may be none, no answer."""
    best = best_spans(values, task.longest, BEST)
    total = best.total if task.no_answer is None else np.logaddexp(best.total, 0.0)
    shares = np.exp(best.scores - total)
    answers = [
        Answer(context[start:end], start, end, float(probability))
        for (start, end), probability in zip(best.spans.tolist(), shares, strict=True)
    ]
    if task.no_answer is not None or not answers:
        none = Answer("", 0, 0, float(np.exp(-total)) if answers else 1.0)
        chosen = _chosen(best, task) == (0, 0)
        place = 0 if chosen else 1 + sum(answer.probability >= none.probability for answer in answers[1:])
        answers.insert(place, none)
    return Prediction(None, {}, answers=tuple(answers[:BEST]))


def _clearly_changed(ours: np.ndarray, theirs: np.ndarray, reference: np.ndarray, task: Task) -> bool:
    if (ours == theirs).all():
        return False
    if task.no_answer is not None and not (ours[1] and theirs[1]):
        apart = best_spans(reference, task.longest).scores[0] - task.no_answer
    else:
        apart = score_of(reference, *theirs.tolist()) - score_of(reference, *ours.tolist())
    return bool(np.tanh(0.5 * abs(apart)) > NEAR)


SPAN = SpanOfContext(
    name="span", route="answer", function=None, card="Answer: a piece of the context of each question, or none",
    per_word=False, taught=True, exclusive=False,
    windowed=Windowed(PassageTokenizer, lambda values, windows, texts, task: to_characters(values, windows, texts)),
)  # fmt: skip
