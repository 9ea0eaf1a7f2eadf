"""The Predictor protocol: texts in, logits out, and the way from logits to answers. Measuring uses only this."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from leanformer.answers.forms import form_of
from leanformer.answers.long_texts import windowed_of
from leanformer.answers.prediction import Prediction
from leanformer.inputs.kinds import gathered, rows_of
from leanformer.questions import as_questions, check_texts
from leanformer.tagging.ragged import parted, ragged
from leanformer.task import Question, Task, Text

# Texts per chunk. Packs filled from a chunk are a few thousandths longer than packs filled from all texts.
CHUNK = 4096
_Item = TypeVar("_Item")


@runtime_checkable
class Predictor(Protocol):
    """Anything that scores texts."""

    @property
    def task(self) -> Task: ...

    def tokenize(self, texts: Sequence[Text]) -> list[np.ndarray]:
        """Token ids of each text `[tokens]`; for a pair, token ids and token types `[tokens, 2]`.

        If long texts are read in windows (`answers.long_texts`), one row per window; for a question with candidates, at
        least one per candidate.
        """
        ...

    def infer(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        """Logits `[rows, outputs]`, float32, in the order of `rows`.

        If models give logits for every token, those of every row, end to end: `[all tokens, outputs]`.
        """
        ...


@dataclass(frozen=True)
class EngineUsed:
    """What computes the logits of a model on this machine, and why this engine.

    Attributes:
        engine: "native", "onnxruntime", "openvino", "torch" or "numpy".
        level: instruction set of the native engine; None for the others, which do not report theirs.
        precision: of the weights: "fp32", or "int8" and the method.
        reason: why this engine, in one line.
        remedy: what makes this artifact run faster here; "" if nothing is known that would.
    """

    engine: str
    level: str | None
    precision: str
    reason: str
    remedy: str = ""

    @property
    def name(self) -> str:
        """Engine, level and precision in a few words."""
        return self.engine + (f" ({self.level})" if self.level else "") + f", {self.precision}"

    @property
    def why(self) -> str:
        """The reason; the remedy, if there is one, on a second line."""
        return self.reason + (f"\n  remedy: {self.remedy}" if self.remedy else "")

    def __str__(self) -> str:
        return f"{self.name}: {self.why}"

    def to_json(self) -> dict[str, str | None]:
        return asdict(self)


class TellsEngine:
    """A predictor that tells what runs it: everything follows from `engine_used`."""

    @property
    def engine_used(self) -> EngineUsed:
        raise NotImplementedError

    @property
    def engine(self) -> str:
        """The engine's name; of several members' engines, each with its number if they differ."""
        return self.engine_used.engine

    @property
    def engine_reason(self) -> str:
        """Why this engine; if this artifact could run faster here, with a remedy on a second line."""
        return self.engine_used.why


def engines_together(members: Mapping[int, EngineUsed]) -> EngineUsed:
    """The engines of several members as one: each member's own words if they differ, with its number."""
    found = list(members.values())
    if len(set(found)) == 1:
        return found[0]

    def joined(field: str) -> str:
        told = {number: getattr(member, field) for number, member in members.items() if getattr(member, field)}
        return "; ".join(f"{number}: {words}" for number, words in told.items())

    level = joined("level") or None
    return EngineUsed(joined("engine"), level, joined("precision"), joined("reason"), joined("remedy"))


@runtime_checkable
class Tagger(Predictor, Protocol):
    """A predictor of a model that reads long texts in windows: it may tag words, or find answers in a context."""

    def sentence_windows(self, texts: Sequence[Text]) -> list[list[Any]]:
        """The windows of each text (see `answers.form.Windowed`): the rows of `tokenize`, and what is where in them."""
        ...


def logits(predictor: Predictor, texts: Sequence[Text]) -> np.ndarray:
    """Logits `[texts, outputs]`, float32; if words are tagged, a ragged array `[texts]` of `[words, outputs]`.

    For questions with candidates, a ragged array `[texts]` of `[candidates]`; for spans of a context, of
    `[1 + characters, 2]` (see `spans.windows.to_characters`).
    """
    if not texts and form_of(predictor.task).windowed is not None:
        return ragged([])
    if not texts:
        return np.zeros((0, predictor.task.outputs), dtype=np.float32)
    rows, together = rows_read(predictor, texts)
    return together(predictor.infer(rows))


def rows_read(
    predictor: Predictor, texts: Sequence[Text]
) -> tuple[list[np.ndarray], Callable[[np.ndarray], np.ndarray]]:
    """The rows of `texts`, and a function from the result of `infer` on them to the `logits` of the texts."""
    task, windowed = predictor.task, windowed_of(predictor.task)
    if windowed is None or not isinstance(predictor, Tagger):
        assert form_of(task).windowed is None, "windows need a predictor that knows what is where in its rows"
        counts = rows_of(task, texts)[1]
        return predictor.tokenize(texts), lambda values: gathered(values, counts)
    windows = predictor.sentence_windows(texts)
    rows = [window.ids for group in windows for window in group]
    return rows, lambda values: windowed.join(values, windows, texts, task)


def token_counts(predictor: Predictor, texts: Sequence[Text]) -> tuple[list[int], list[int]]:
    """The tokens of each row that a model reads, and those of each text, all its rows together."""
    if windowed_of(predictor.task) is not None and isinstance(predictor, Tagger):
        windows = predictor.sentence_windows(texts)
        parts = [[len(window.ids) for window in group] for group in windows]
    else:
        lengths = [len(row) for row in predictor.tokenize(texts)]
        counts = rows_of(predictor.task, texts)[1]
        parts = [[length] for length in lengths] if counts is None else [
            part.tolist() for part in parted(np.array(lengths), counts)
        ]  # fmt: skip
    return [length for part in parts for length in part], [sum(part) for part in parts]


def logits_by_chunk(
    predictor: Predictor, chunks: Iterable[Sequence[Text]]
) -> Iterator[tuple[Sequence[Text], np.ndarray]]:
    """Each chunk and its `logits`, in order.

    A predictor may have a method `stream(chunks)` that gives the same but overlaps tokenizing with inference; without
    it, chunks are scored one after the other.
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
    """Each chunk and its answers, in order; questions are not validated here (see `check_texts`)."""
    form = form_of(predictor.task)
    # Chunks are read ahead of their logits, and come back in the same order.
    ahead: deque[tuple[Sequence[Question], Sequence[Any]]] = deque()

    def texts() -> Iterator[Sequence[Text]]:
        for chunk in chunks:
            ahead.append((chunk, form.read(chunk)))
            yield form.texts(ahead[-1][1])

    for _, values in logits_by_chunk(predictor, texts()):
        chunk, asked = ahead.popleft()
        yield chunk, form.predictions(values, asked, predictor.task)


def answers(predictor: Predictor, questions: Iterable[Question]) -> list[Prediction]:
    """The answer to each question, in order: texts or pairs; for a model that tags words also lists of words.

    Raises what `as_questions` and `check_texts` raise.
    """
    questions = as_questions(questions)
    check_texts(questions, predictor.task)
    return [answer for _, found in answers_by_chunk(predictor, [questions]) for answer in found]
