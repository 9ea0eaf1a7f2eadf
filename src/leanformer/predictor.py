"""The Predictor protocol: texts in, logits out, and how logits become answers. Measuring knows models only as this."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from leanformer.questions import Question, as_questions, check_texts
from leanformer.tagging import viterbi
from leanformer.tagging.ragged import ragged
from leanformer.tagging.schemes import entities, to_iob2
from leanformer.tagging.windows import Window, to_words
from leanformer.tagging.words import Sentence, as_sentence
from leanformer.task import Task, Text

# Packs that are filled from so many texts are a few thousandths longer than if all were at hand.
CHUNK = 4096
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Span:
    """An entity in a text.

    Attributes:
        label: its type.
        start, end: its first character and its end (exclusive), so that it is `text[start:end]` of the text as given.
        text: that piece.
        probability: mean probability of the tags of its words, each word by itself; of a model that learnt which tag
            follows which, over all sequences of tags.
    """

    label: str
    start: int
    end: int
    text: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """The answer for one text or pair of texts; which of the fields are filled depends on the task.

    Attributes:
        label: name of the most probable label; None where the answer is not one label.
        probabilities: label name -> probability, in the order of the task's labels. Where one label is the answer
            they sum to 1; where any number may apply each stands for itself. Empty for a score and for tags.
        labels: the names of all labels that apply, where any number may; else None.
        score: the score on the scale of the training data, where the answer is one; else None.
        tags: the tag of each word in IOB2, where the answer is tags; else None. Never an illegal sequence.
        words: the words that `tags` are of, in their order; else None.
        spans: the entities that the tags stand for, in their order, with their places in the text; else None.
        vector: the text as a vector of length 1, where the answer is one; else None.
    """

    label: str | None
    probabilities: dict[str, float]
    labels: tuple[str, ...] | None = None
    score: float | None = None
    tags: tuple[str, ...] | None = None
    words: tuple[str, ...] | None = None
    spans: tuple[Span, ...] | None = None
    vector: tuple[float, ...] | None = None


@runtime_checkable
class Predictor(Protocol):
    """Anything that scores texts."""

    @property
    def task(self) -> Task: ...

    def tokenize(self, texts: Sequence[Text]) -> list[np.ndarray]:
        """Token ids of each text `[tokens]`; of a pair token ids and token types `[tokens, 2]`.

        Where words are tagged, one row for each window, so that a long text has several.
        """
        ...

    def infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """Logits `[rows, outputs]`, float32, in the order of `rows`.

        Where words are tagged, those of every token of every row, end to end: `[all tokens, outputs]`.
        """
        ...


@runtime_checkable
class Tagger(Predictor, Protocol):
    """A predictor that tags words."""

    def sentence_windows(self, sentences: Sequence[str]) -> list[list[Window]]:
        """Each sentence as windows (see `tagging.windows`); the rows of `tokenize`, and where its words are."""
        ...


def logits(predictor: Predictor, texts: Sequence[Text]) -> np.ndarray:
    """Logits `[texts, outputs]`, float32; where words are tagged, a ragged array `[texts]` of `[words, outputs]`."""
    if predictor.task.answer == "tags":
        return _word_logits(predictor, [str(text) for text in texts])
    if not texts:
        return np.zeros((0, predictor.task.outputs), dtype=np.float32)
    return predictor.infer(predictor.tokenize(texts))


def _word_logits(predictor: Predictor, sentences: Sequence[str]) -> np.ndarray:
    if not sentences:
        return ragged([])
    assert isinstance(predictor, Tagger), "a model that tags words is run by a predictor that knows where they are"
    windows = predictor.sentence_windows(sentences)
    values = predictor.infer([one.ids for each in windows for one in each])
    return to_words(values, windows, sentences, predictor.task.labels)


def logits_by_chunk(
    predictor: Predictor, chunks: Iterable[Sequence[Text]]
) -> Iterator[tuple[Sequence[Text], np.ndarray]]:
    """Each chunk and its `logits`, in order.

    A predictor may have a method `stream(chunks)` that gives the same and does tokenizing and inference side by side;
    of one without, chunks are scored one after the other.
    """
    stream = getattr(predictor, "stream", None)
    return ((chunk, logits(predictor, chunk)) for chunk in chunks) if stream is None else stream(chunks)


def chunked(texts: Iterable[_Item], size: int = CHUNK) -> Iterator[list[_Item]]:
    """The texts in lists of `size`; the last may be shorter."""
    source = iter(texts)
    while chunk := list(islice(source, size)):
        yield chunk


def answers_by_chunk(
    predictor: Predictor, chunks: Iterable[Sequence[Question]]
) -> Iterator[tuple[Sequence[Question], list[Prediction]]]:
    """Each chunk and its answers, in order; nothing here checks the questions (see `check_texts`)."""
    if predictor.task.answer != "tags":
        for texts, values in logits_by_chunk(predictor, chunks):  # type: ignore[arg-type]
            yield texts, to_predictions(values, predictor.task)
        return
    # Chunks are read ahead of their logits, and come back in their order.
    ahead: deque[tuple[Sequence[Question], list[Sentence]]] = deque()

    def joined() -> Iterator[list[str]]:
        for chunk in chunks:
            ahead.append((chunk, [as_sentence(one) for one in chunk]))
            yield [one.joined for one in ahead[-1][1]]

    for _, values in logits_by_chunk(predictor, joined()):
        chunk, sentences = ahead.popleft()
        yield chunk, to_spans(values, sentences, predictor.task)


def answers(predictor: Predictor, questions: Iterable[Question]) -> list[Prediction]:
    """The answer to each question, in order: for texts, for pairs, and for a model that tags also for lists of words.

    Raises what `as_questions` and `check_texts` do.
    """
    questions = as_questions(questions)
    check_texts(questions, predictor.task)
    return [one for _, found in answers_by_chunk(predictor, [questions]) for one in found]


def softmax(values: np.ndarray) -> np.ndarray:
    """Softmax over the last axis, shifted by the maximum so that it cannot overflow."""
    shifted = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def sigmoid(values: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), by way of tanh so that it cannot overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)))


def unit_vectors(values: np.ndarray) -> np.ndarray:
    """The rows of `[n, width]` with length 1, so that products of two are cosines; a row of zeros stays one."""
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.where(lengths > 0, lengths, 1))


def decide(values: np.ndarray, task: Task) -> np.ndarray:
    """The answers that logits `[n, outputs]` stand for.

    Returns class indices `[n]` for one label, whether each label applies `[n, labels]` for any number of them, scores
    `[n]`, float64, on the scale of the training data, and for tags, of a ragged array `[n]` of `[words, labels]`, one
    `[n]` of tag indices `[words]`, the best legal sequence in the model's own scheme; of vectors these with length 1.
    """
    if task.answer == "tags":
        return viterbi.decode(list(values), task.labels, task.transitions, task.scheme)
    if task.answer == "label":
        return np.asarray(values.argmax(axis=1))
    if task.answer == "labels":
        thresholds = 0.5 if task.thresholds is None else np.asarray(task.thresholds)
        return np.asarray(sigmoid(values.astype(np.float64)) >= thresholds)
    if task.answer == "vector":
        return unit_vectors(values)
    offset, unit = task.scale or (0.0, 1.0)
    return np.asarray(offset + unit * values[:, 0].astype(np.float64))


def to_predictions(values: np.ndarray, task: Task) -> list[Prediction]:
    """Logits `[texts, outputs]` to one `Prediction` per text; not of tags, for which `to_spans` needs the texts too."""
    decided = decide(values, task)
    if task.answer == "score":
        return [Prediction(label=None, probabilities={}, score=float(one)) for one in decided]
    if task.answer == "vector":
        return [Prediction(None, {}, vector=tuple(row)) for row in decided.tolist()]
    several = task.answer == "labels"
    shares = (sigmoid if several else softmax)(values.astype(np.float64))
    named = [{name: float(value) for name, value in zip(task.labels, row, strict=True)} for row in shares]
    if several:
        return [
            Prediction(None, each, labels=tuple(name for name, given in zip(task.labels, row, strict=True) if given))
            for each, row in zip(named, decided, strict=True)
        ]
    return [Prediction(task.labels[int(index)], each) for each, index in zip(named, decided, strict=True)]


def to_spans(values: np.ndarray, sentences: Sequence[Sentence], task: Task) -> list[Prediction]:
    """Logits of words, ragged `[sentences]` of `[words, labels]`, to one `Prediction` per sentence."""
    return [
        _tagged(one, tags, each, task)
        for one, tags, each in zip(sentences, decide(values, task), _tag_shares(values, task), strict=True)
    ]


def _tag_shares(values: np.ndarray, task: Task) -> list[np.ndarray]:
    """The probability of each tag of each word: over all sequences where transitions were learnt, else word by word."""
    if task.transitions is None:
        return [softmax(one.astype(np.float64)) for one in values]
    return viterbi.shares(list(values), task.labels, task.transitions, task.scheme)


def _tagged(sentence: Sentence, tags: np.ndarray, shares: np.ndarray, task: Task) -> Prediction:
    names = to_iob2([task.labels[int(one)] for one in tags]) if len(tags) else ()
    given = shares[np.arange(len(tags)), tags]
    spans = []
    for one in entities(names):
        start, end = sentence.places[one.start][0], sentence.places[one.end - 1][1]
        spans.append(Span(one.type, start, end, sentence.text[start:end], float(given[one.start : one.end].mean())))
    return Prediction(None, {}, tags=names, words=sentence.words, spans=tuple(spans))


def to_record(question: Question, one: Prediction) -> dict[str, Any]:
    """An answer as JSON, with what it answers: the text or texts, and what of the answer there is."""
    if one.spans is not None:
        spans = [asdict(each) | {"probability": round(each.probability, 6)} for each in one.spans]
        # Of a list of words it is the text that the places are in.
        return {"text": question if isinstance(question, str) else " ".join(question), "spans": spans}
    record: dict[str, Any] = (
        {"text": question} if isinstance(question, str) else {"text": question[0], "text_pair": question[1]}
    )
    if one.label is not None:
        record["label"] = one.label
    if one.labels is not None:
        record["labels"] = list(one.labels)
    if one.vector is not None:
        return record | {"vector": [round(value, 8) for value in one.vector]}
    if one.score is not None:
        return record | {"score": round(one.score, 6)}
    return record | {"probabilities": {name: round(value, 6) for name, value in one.probabilities.items()}}
