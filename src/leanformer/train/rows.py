"""Converts texts and labels to training rows; long texts to windows if models give logits for every token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leanformer.answers.forms import form_of
from leanformer.answers.long_texts import windowed_of
from leanformer.errors import LeanformerError
from leanformer.inputs.kinds import input_of, rows_of
from leanformer.task import Task, Text
from leanformer.tokenizer import Tokenizer
from leanformer.train.encoded import Encoded
from leanformer.train.feeds.batches import TrainingSet
from leanformer.train.passages import Passages


@dataclass(frozen=True)
class Pairs:
    """Tokens of a student and their counterparts in a teacher with another tokenizer.

    Attributes:
        places: token positions in each row of the student, ascending.
        theirs: for each of these, the index of its counterpart among the tokens of all the teacher's rows.
    """

    places: list[np.ndarray]
    theirs: list[np.ndarray]


def paired(student: Encoded, teacher: Encoded) -> Pairs:
    """Pair the first tokens of the same words if words are tagged, otherwise the first tokens of the same texts.

    A word that the teacher's tokenizer drops has no counterpart. Both must encode the same texts.
    """
    starts = np.cumsum([0, *(len(row) for row in teacher.rows)])
    if student.windows is None:
        return Pairs(
            [np.zeros(1, dtype=np.int64)] * len(student.rows), [starts[i : i + 1] for i in range(len(starts) - 1)]
        )
    slots, own = teacher.slots(), student.slots()
    assert slots.places is not None and own.places is not None
    at = np.full(slots.answers, -1, dtype=np.int64)
    for row, places in enumerate(slots.places):
        at[slots.of_row[row]] = starts[row] + places
    theirs = [at[answers] for answers in own.of_row]
    known = [positions >= 0 for positions in theirs]
    return Pairs(
        [places[there] for places, there in zip(own.places, known, strict=True)],
        [positions[there] for positions, there in zip(theirs, known, strict=True)],
    )


def encode(tokenizer: Tokenizer, task: Task, texts: Sequence[Text]) -> Encoded:
    """The rows of `texts`: truncated at `max_tokens`, or whole, in windows (see `answers.long_texts.windowed_of`)."""
    form, windowed = form_of(task), windowed_of(task)
    if windowed is None:
        rows, counts = rows_of(task, texts)
        return Encoded(task, texts, tokenizer.encode(rows), None, counts)
    if input_of(task).several:
        raise LeanformerError(
            f"training on windows is not built for {input_of(task).plural}\n  remedy: --long truncate, or leave it out"
        )
    windows = windowed.tokenizer(tokenizer.path, tokenizer.max_tokens, overlap=task.overlap).windows(texts)
    ids = [window.ids for group in windows for window in group]
    if form.windowed is None:
        return Encoded(
            task, texts, ids, None, np.array([len(group) for group in windows], dtype=np.int64), averaged=True
        )
    return (Encoded if form.per_word else Passages)(task, texts, ids, windows)


def training_set(
    encoded: Encoded, labels: np.ndarray, padding_id: int, languages: Sequence[str] | None = None
) -> TrainingSet:
    """The rows with the `labels` of the texts (see `targets.labels_of`)."""
    return TrainingSet(
        encoded.rows, encoded.labels(labels), padding_id, encoded.columns(languages), encoded.counts, encoded.averaged
    )


def unlabelled_set(encoded: Encoded, padding_id: int) -> TrainingSet:
    """The rows without labels, for a loss on a teacher's outputs alone."""
    return TrainingSet(encoded.rows, encoded.unknown(), padding_id, counts=encoded.counts, averaged=encoded.averaged)
