"""A tag for each word of a text, and the entities in the tags."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from leanformer.answers.form import NEAR, Figure, OfLabels, Windowed, draw_class
from leanformer.answers.labels_check import Label, check_tags
from leanformer.answers.prediction import Prediction, Span
from leanformer.metrics.bootstrap import interval
from leanformer.metrics.estimates import Estimate, f1_estimate
from leanformer.metrics.probabilities import softmax
from leanformer.metrics.tagging import CORRECT, GOLD, PREDICTED, entity_counts, entity_f1, f1
from leanformer.tagging import viterbi
from leanformer.tagging.ragged import flat, parted, ragged
from leanformer.tagging.schemes import entities, spelled, split_tag, to_iob2, types_of
from leanformer.tagging.windows import SentenceTokenizer, to_words
from leanformer.tagging.words import Sentence, as_sentence, words_of
from leanformer.task import Question, Task, Text


class Tags(OfLabels):
    """Answers and targets are ragged `[n]` of tag indices `[words]`; labels are tuples of these.

    Answers are the best legal sequences in the model's own scheme. In comparisons of two models, words are counted
    where other forms count rows.
    """

    def decide(self, values: np.ndarray, task: Task) -> np.ndarray:
        return viterbi.decode(list(values), task.labels, task.transitions, task.scheme)

    def read(self, questions: Sequence[Question]) -> Sequence[Any]:
        return [as_sentence(question) for question in questions]  # type: ignore[arg-type]  # checked before

    def texts(self, asked: Sequence[Any]) -> Sequence[Text]:
        return [sentence.joined for sentence in asked]

    def predictions(self, values: np.ndarray, asked: Sequence[Any], task: Task) -> list[Prediction]:
        rows = zip(asked, self.decide(values, task), _tag_shares(values, task), strict=True)
        return [_tagged(sentence, tags, shares, task) for sentence, tags, shares in rows]

    @property
    def metric(self) -> str:
        return "entity F1"

    def score(self, task: Task) -> Callable[[np.ndarray, np.ndarray], float]:
        return partial(entity_f1, labels=task.labels)

    def of_rows(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> Callable[[np.ndarray], float]:
        # Entities do not depend on the sample, so they are extracted once.
        counts = entity_counts(answers, targets, task.labels).sum(axis=1)
        return lambda rows: float(f1(counts[rows].sum(axis=0)))

    def estimates(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> dict[str, Estimate]:
        counts = entity_counts(answers, targets, task.labels)
        names = (self.metric, *(f"F1 of {name}" for name in types_of(task.labels)))
        columns = (counts.sum(axis=1), *counts.swapaxes(0, 1))
        return {name: f1_estimate(*column.T) for name, column in zip(names, columns, strict=True)}

    def further(
        self, answers: np.ndarray, targets: np.ndarray, task: Task, languages: Sequence[str] | None
    ) -> dict[str, Any]:
        counts = entity_counts(answers, targets, task.labels)
        n = len(counts)

        def counted(score: Callable[[np.ndarray], float], counts: np.ndarray) -> Figure:
            low, high = interval(lambda rows: score(counts[rows].sum(axis=0)), n)
            return score(counts.sum(axis=0)), low, high

        whole = counts.sum(axis=1)
        scores = {
            "precision": counted(lambda sums: float(sums[CORRECT] / max(sums[PREDICTED], 1)), whole),
            "recall": counted(lambda sums: float(sums[CORRECT] / max(sums[GOLD], 1)), whole),
        }
        for number, name in enumerate(types_of(task.labels)):
            if counts[:, number, GOLD].any():
                scores[f"F1 of {name}"] = counted(lambda sums: float(f1(sums)), counts[:, number])
        return {"scores": scores if languages is None else scores | of_languages(whole, languages)}

    def beaten_by(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> str | None:
        types = types_of(task.labels)
        kind = np.array([types.index(type) if (type := split_tag(name)[1]) else len(types) for name in task.labels])
        numbers = np.arange(len(types))
        true = kind[flat(targets).astype(np.int64)][:, None] == numbers
        given = kind[flat(answers).astype(np.int64)][:, None] == numbers
        right, entity_words = int((true & given).sum()), int(true.sum())
        chance = float((true.sum(axis=0) * given.sum(axis=0)).sum() / max(len(true), 1))
        score = self.score(task)(answers, targets)
        if not entity_words or (score > 0 and right > chance):
            return None
        return (
            f"its {self.metric} on {len(targets)} sentences is {100 * score:.1f} %; of {entity_words} words of "
            f"entities {right} have the right type, and by chance it would be {chance:.0f}"
        )

    def found(self, answers: np.ndarray, targets: np.ndarray, task: Task) -> tuple[tuple[str, ...], np.ndarray]:
        return types_of(task.labels), np.asarray(entity_counts(answers, targets, task.labels)[..., CORRECT])

    def applies(self, answers: np.ndarray, labels: int) -> np.ndarray:
        """Which tags occur in each sentence's answer."""
        return np.array([np.isin(np.arange(labels), tags) for tags in answers], dtype=bool).reshape(-1, labels)

    def distributions(self, logits: np.ndarray) -> np.ndarray | None:
        return softmax(flat(logits).astype(np.float64))

    def clearly_changed(self, logits: np.ndarray, reference: np.ndarray, task: Task) -> np.ndarray:
        return np.array([_clearly_changed(a, b, task) for a, b in zip(logits, reference, strict=True)])

    def check(self, labels: Sequence[Label], texts: Sequence[str], names: int) -> None:
        check_tags(labels, texts, names)

    def targets(self, labels: Sequence[Label], names: int, inputs: Sequence[Text] = ()) -> np.ndarray:
        return ragged([np.asarray(label, dtype=np.int64) for label in labels])

    def labels(self, answers: np.ndarray) -> tuple[Label, ...]:
        return tuple(tuple(int(number) for number in tags) for tags in answers)

    def renumbered(self, labels: Sequence[Label], old: Task, new: Task, numbers: Sequence[int] | None) -> list[Label]:
        """Labels of `old` as those of `new`, with tags written in the new task's scheme."""
        names = [spelled([old.labels[i] for i in label], new.labels, new.scheme) for label in labels]  # type: ignore[union-attr]
        return [tuple(new.labels.index(name) for name in tags) for tags in names]

    def the_only(self, labels: Sequence[Label], names: Sequence[str]) -> str:
        tags = {tag for sentence in labels if isinstance(sentence, tuple) for tag in sentence}
        return f"the tag {names[min(tags)]!r} alone" if len(tags) == 1 else ""

    def strata(self, targets: np.ndarray, names: Sequence[str], languages: Sequence[str] | None) -> tuple[int, ...]:
        """The rarest tag of the sentence, separately for each language."""
        size = len(names)
        counts = np.bincount(flat(targets).astype(np.int64), minlength=size)
        rank = counts.argsort(kind="stable").argsort(kind="stable")
        languages = languages or ("",) * len(targets)
        numbers = {name: number for number, name in enumerate(sorted(set(languages)))}
        return tuple(
            numbers[language] * (size + 1) + (int(rank[tags].min()) + 1 if len(tags) else 0)
            for language, tags in zip(languages, targets, strict=True)
        )

    def unknown(self, texts: Sequence[str], task: Task) -> np.ndarray:
        return ragged([np.full(len(words_of(text)), -1, dtype=np.int64) for text in texts])

    def draw(self, logits: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Each word's tag drawn from its probabilities."""
        drawn = draw_class(flat(logits).astype(np.float64), generator)
        return parted(drawn, np.array([len(values) for values in logits]))


def _tag_shares(values: np.ndarray, task: Task) -> list[np.ndarray]:
    """The probability of each tag of each word: over all sequences with learnt transitions, otherwise word by word."""
    if task.transitions is None:
        return [softmax(words.astype(np.float64)) for words in values]
    return viterbi.shares(list(values), task.labels, task.transitions, task.scheme)


def _tagged(sentence: Sentence, tags: np.ndarray, shares: np.ndarray, task: Task) -> Prediction:
    names = to_iob2([task.labels[int(tag)] for tag in tags]) if len(tags) else ()
    probabilities = shares[np.arange(len(tags)), tags]
    spans = []
    for entity in entities(names):
        start, end = sentence.places[entity.start][0], sentence.places[entity.end - 1][1]
        probability = float(probabilities[entity.start : entity.end].mean())
        spans.append(Span(entity.type, start, end, sentence.text[start:end], probability))
    return Prediction(None, {}, tags=names, words=sentence.words, spans=tuple(spans))


def _clearly_changed(logits: np.ndarray, reference: np.ndarray, task: Task) -> bool:
    """Whether a sentence, logits `[words, labels]`, has other tags that were not a near tie.

    Adjacent tags are chosen together. A stretch of different tags is a tie if, by the reference's logits and with only
    these two alternatives, their probabilities would differ by at most `NEAR`. Outside the stretch both agree, so
    either is legal, and the reference chose the more probable one. With learnt transitions, the step out of a stretch
    belongs to it.
    """
    if not np.isfinite(logits).all():
        return True
    learnt = task.transitions
    ours, theirs = (best_legal(values, task) for values in (logits, reference))
    theirs_score, ours_score = (
        viterbi.word_scores(tags, reference, task.labels, learnt, task.scheme) for tags in (theirs, ours)
    )
    apart = ours != theirs
    if learnt is not None:
        apart = apart | np.concatenate([[False], apart[:-1]])
    stretches = np.split(theirs_score - ours_score, np.flatnonzero(np.diff(apart)) + 1)
    return any(np.tanh(0.5 * stretch.sum()) > NEAR for stretch in stretches)


def best_legal(values: np.ndarray, task: Task) -> np.ndarray:
    """The best legal tags `[words]` of one sentence's logits `[words, labels]`."""
    return viterbi.best_legal(values, task.labels, task.transitions, task.scheme)


def of_languages(counts: np.ndarray, languages: Sequence[str]) -> dict[str, Figure]:
    """Entity F1 of each language, their mean and standard deviation, each with its interval, from counts `[n, 3]`."""
    names = sorted(set(languages))
    number = np.array([names.index(language) for language in languages])

    def each(rows: np.ndarray) -> np.ndarray:
        at = number[rows]
        return f1(np.stack([np.bincount(at, counts[rows, k], minlength=len(names)) for k in range(3)], axis=1))

    everything = np.arange(len(counts))
    scores: dict[str, Figure] = {}
    for index, name in enumerate(names):
        scores[f"F1 in {name}"] = _summed_f1(counts[number == index])
    for kind, summary in (("mean", np.mean), ("standard deviation", np.std)):
        low, high = interval(_after(each, summary), len(counts))
        scores[f"{kind} of F1 over {len(names)} languages"] = float(summary(each(everything))), low, high
    return scores


def _summed_f1(counts: np.ndarray) -> Figure:
    """F1 of the sentences' counts `[n, 3]`, and its interval."""
    low, high = interval(lambda rows: float(f1(counts[rows].sum(axis=0))), len(counts))
    return float(f1(counts.sum(axis=0))), low, high


def _after(first: Callable[[np.ndarray], np.ndarray], then: Callable[..., Any]) -> Callable[[np.ndarray], float]:
    return lambda rows: float(then(first(rows)))


TAGS = Tags(
    name="tags", route="tag", function=None, card="Tags, one for each word: ", per_word=True, taught=True,
    exclusive=False,
    windowed=Windowed(
        SentenceTokenizer, lambda values, windows, texts, task: to_words(values, windows, texts, task.labels)
    ),
)  # fmt: skip
