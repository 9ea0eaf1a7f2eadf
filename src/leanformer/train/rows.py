"""Texts and labels to the rows that a model is trained on; sentences of words to windows with their words' tags."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from leanformer.answers.forms import form_of
from leanformer.inputs.kinds import gathered, rows_of
from leanformer.tagging.ragged import flat, ragged
from leanformer.tagging.windows import SentenceTokenizer, Window, to_words
from leanformer.tagging.words import words_of
from leanformer.task import Task, Text
from leanformer.tokenizer import Tokenizer
from leanformer.train.feeds.batches import NOT_ASKED, TrainingSet

GROUP, CONTINUES = "group", "continues"
"""Columns of a training set, see `Encoded.columns`."""

Score = Callable[[Sequence[np.ndarray]], np.ndarray]
"""Rows of token ids to a model's logits, such as `models.scoring.score_rows`."""


@dataclass(frozen=True)
class Slots:
    """Where the answers of rows stand among those of all texts, end to end: one for each text, or for each word.

    Attributes:
        answers: how many there are.
        of_row: for each row the numbers of its answers.
        places: where words are tagged, for each row the tokens that its answers are read from; else None.
    """

    answers: int
    of_row: list[np.ndarray]
    places: list[np.ndarray] | None

    def put(self, into: np.ndarray, row: int, logits: np.ndarray, first: int = 0) -> None:
        """Write the logits of a row, `[1, outputs]` or of its tokens `[tokens, outputs]`, where they belong.

        `into` holds the answers from number `first` on.
        """
        into[self.of_row[row] - first] = logits if self.places is None else logits[self.places[row]]

    def borders(self, rows: Sequence[int]) -> np.ndarray:
        """Of rows that chunks begin with, where the answers of each chunk begin, and the end, int64 `[chunks + 1]`.

        Answers rise from row to row; those of no row (words that the tokenizer drops) go with what stands before them.
        """
        begins = [int(answers[0]) if len(answers) else self.answers for answers in self.of_row]
        nearest = np.minimum.accumulate([*begins, self.answers][::-1])[::-1]
        return np.array([0, *(nearest[row] for row in rows[1:]), self.answers], dtype=np.int64)


@dataclass(frozen=True)
class Encoded:
    """Texts as rows of token ids, and the way back from a model's logits.

    Attributes:
        task: tells what a row is: a text, or a window of a sentence of words.
        texts: as they were given.
        rows: token ids, one array for each text, or for each window of each sentence.
        windows: of each sentence, where words are tagged; else None.
        counts: of how many rows each text is, where these are candidates of a question; else None.
    """

    task: Task
    texts: Sequence[Text]
    rows: list[np.ndarray]
    windows: list[list[Window]] | None
    counts: np.ndarray | None = None

    @property
    def examples(self) -> int:
        """How many examples they are to train on: windows, or the texts."""
        return len(self.rows) if self.counts is None else len(self.counts)

    def labels(self, labels: np.ndarray) -> np.ndarray:
        """Labels of texts (see `targets.labels_of`) as a training set has them: those of windows, or of the texts.

        Of tags, a ragged array `[rows]` of `[tokens]`: the tag on the first piece of each word, -1 there where it is
        not known, and `NOT_ASKED` on all other tokens.
        """
        if self.windows is None:
            return labels
        rows = []
        for tags, each in zip(labels, self.windows, strict=True):
            for window in each:
                row = np.full(len(window.ids), NOT_ASKED, dtype=np.int64)
                row[window.places] = tags[window.words]
                rows.append(row)
        return ragged(rows)

    def unknown(self) -> np.ndarray:
        """The labels of rows whose answers are not known: -1 where there would be one."""
        if self.windows is None:
            return np.full(len(self.texts), -1, dtype=np.int64)
        return self.labels(ragged([np.full(len(words_of(str(text))), -1) for text in self.texts]))

    def columns(self, languages: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """What else is known of each row, by name, for `TrainingSet.extra`.

        `GROUP`: the number of its language, where the texts' languages are given. `CONTINUES`: where words are tagged,
        whether it is a window of a sentence that began in an earlier one.
        """
        columns = {}
        if languages is not None:
            numbers = {name: number for number, name in enumerate(sorted(set(languages)))}
            counts = [1] * len(self.texts) if self.windows is None else [len(each) for each in self.windows]
            columns[GROUP] = np.repeat([numbers[language] for language in languages], counts)
        if self.windows is not None:
            later = [number > 0 for windows in self.windows for number in range(len(windows))]
            columns[CONTINUES] = np.array(later, dtype=bool)
        return columns

    def slots(self) -> Slots:
        """Where each row's answers stand among those of all texts."""
        if self.windows is None:
            return Slots(len(self.rows), [np.array([row]) for row in range(len(self.rows))], None)
        counts = [len(words_of(str(text))) for text in self.texts]
        starts = np.cumsum([0, *counts])
        pairs = [(start, window) for start, each in zip(starts, self.windows, strict=False) for window in each]
        return Slots(
            int(starts[-1]), [start + window.words for start, window in pairs], [window.places for _, window in pairs]
        )

    def per_text(self, logits: np.ndarray) -> np.ndarray:
        """Logits of all answers, `[answers, outputs]`, by text: a ragged array where a text has several."""
        if self.windows is None:
            return gathered(logits, self.counts)
        ends = np.cumsum([len(words_of(str(text))) for text in self.texts])
        return ragged(np.split(logits, ends[:-1]))

    def of_rows(self, logits: np.ndarray) -> np.ndarray:
        """Logits of texts as those of rows: of words, a ragged array `[rows]` of `[words asked about, labels]`."""
        if self.windows is None:
            return logits if self.counts is None else flat(logits)[:, None]
        pairs = zip(logits, self.windows, strict=True)
        return ragged([values[window.words] for values, each in pairs for window in each])

    def logits(self, score: Score) -> np.ndarray:
        """A model's logits of the texts, as `predictor.logits` has them."""
        values = score(self.rows)
        if self.windows is None:
            return gathered(values, self.counts)
        return to_words(values, self.windows, [str(text) for text in self.texts], self.task.labels)


@dataclass(frozen=True)
class Pairs:
    """Tokens of a student and those of a teacher with other pieces, of which one can be set beside the other.

    Attributes:
        places: of each row of the student, tokens in it, rising.
        theirs: for each of these the number of its counterpart among the tokens of all rows of the teacher.
    """

    places: list[np.ndarray]
    theirs: list[np.ndarray]


def paired(student: Encoded, teacher: Encoded) -> Pairs:
    """First pieces of the same words, where words are tagged, and else the first tokens of the same texts.

    A word that the teacher's tokenizer leaves nothing of has no counterpart. Both are of the same texts.
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
    """The rows of `texts`: cut at `max_tokens`, or where words are tagged whole, in windows."""
    if not form_of(task).per_word:
        rows, counts = rows_of(task, texts)
        return Encoded(task, texts, tokenizer.encode(rows), None, counts)
    windows = SentenceTokenizer(tokenizer.path, tokenizer.max_tokens).windows([str(text) for text in texts])
    return Encoded(task, texts, [window.ids for each in windows for window in each], windows)


def training_set(
    encoded: Encoded, labels: np.ndarray, padding_id: int, languages: Sequence[str] | None = None
) -> TrainingSet:
    """The rows with `labels` of texts (see `targets.labels_of`)."""
    return TrainingSet(encoded.rows, encoded.labels(labels), padding_id, encoded.columns(languages), encoded.counts)
