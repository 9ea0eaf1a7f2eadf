"""Texts as rows of token ids, with the labels of the rows and the way back from a model's logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from leanformer.answers.long_texts import averaged
from leanformer.inputs.kinds import gathered
from leanformer.tagging.ragged import flat, ragged
from leanformer.tagging.windows import Window, nothing_left, to_words
from leanformer.tagging.words import words_of
from leanformer.task import Task, Text
from leanformer.train.feeds.batches import NOT_ASKED

GROUP, CONTINUES = "group", "continues"
"""Columns of a training set, see `Encoded.columns`."""

Score = Callable[[Sequence[np.ndarray]], np.ndarray]
"""Rows of token ids to a model's logits, such as `models.scoring.score_rows`."""


@dataclass(frozen=True)
class Slots:
    """Positions of the rows' answers among the answers of all texts, concatenated: one per text, or one per word.

    Attributes:
        answers: the number of answers.
        of_row: the indices of each row's answers.
        places: if words are tagged, the tokens of each row that its answers are read from; else None.
    """

    answers: int
    of_row: list[np.ndarray]
    places: list[np.ndarray] | None

    def put(self, into: np.ndarray, row: int, logits: np.ndarray, first: int = 0) -> None:
        """Write the logits of a row, `[1, outputs]` or of its tokens `[tokens, outputs]`, to their positions.

        `into` holds the answers from index `first` on.
        """
        into[self.of_row[row] - first] = logits if self.places is None else logits[self.places[row]]

    def empty(self, first: int, last: int, task: Task) -> np.ndarray:
        """Logits of the answers from `first` to `last` (exclusive), as long as no row has put its own there."""
        logits = np.zeros((last - first, task.outputs), dtype=np.float32)
        if self.places is not None:
            logits[:] = nothing_left(task.labels)  # for words that the tokenizer drops
        return logits

    def borders(self, rows: Sequence[int]) -> np.ndarray:
        """For the first row of each chunk, the index of the chunk's first answer, and the end, int64 `[chunks + 1]`.

        Answer indices increase from row to row. Answers without a row (words that the tokenizer drops) belong to the
        chunk of the preceding answer.
        """
        begins = [int(answers[0]) if len(answers) else self.answers for answers in self.of_row]
        nearest = np.minimum.accumulate([*begins, self.answers][::-1])[::-1]
        return np.array([0, *(nearest[row] for row in rows[1:]), self.answers], dtype=np.int64)


@dataclass(frozen=True)
class Encoded:
    """Texts as rows of token ids, and the mapping back from a model's logits.

    Attributes:
        task: determines what a row is: a text, or a window of a sentence of words.
        texts: the original texts.
        rows: token ids, one array per text, or per window of each sentence.
        windows: of each sentence, if words are tagged; else None.
        counts: number of rows per text, if the rows are a question's candidates, or windows; else None.
        averaged: whether they are windows, and the logits of a text are the mean of theirs.
    """

    task: Task
    texts: Sequence[Text]
    rows: list[np.ndarray]
    windows: list[list[Window]] | None
    counts: np.ndarray | None = None
    averaged: bool = False

    @property
    def examples(self) -> int:
        """The number of training examples: windows, or texts."""
        return len(self.rows) if self.counts is None else len(self.counts)

    def labels(self, labels: np.ndarray) -> np.ndarray:
        """Labels of texts (see `targets.labels_of`) as a training set needs them: per window, or per text.

        For tags, a ragged array `[rows]` of `[tokens]`: the tag on the first token of each word, -1 there if it is
        unknown, and `NOT_ASKED` on all other tokens.
        """
        if self.windows is None:
            return labels
        rows = []
        for tags, group in zip(labels, self.windows, strict=True):
            for window in group:
                row = np.full(len(window.ids), NOT_ASKED, dtype=np.int64)
                row[window.places] = tags[window.words]
                rows.append(row)
        return ragged(rows)

    def unknown(self) -> np.ndarray:
        """Labels for unlabelled rows: -1 wherever there would be a label."""
        if self.windows is None:
            return np.full(len(self.texts), -1, dtype=np.int64)
        return self.labels(ragged([np.full(len(words_of(str(text))), -1) for text in self.texts]))

    def columns(self, languages: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Further properties of each row, by name, for `TrainingSet.extra`.

        `GROUP`: the number of its language, if the texts' languages are given. `CONTINUES`: if words are tagged,
        whether the row is a later window of a sentence that began in an earlier one.
        """
        columns = {}
        if languages is not None:
            numbers = {name: number for number, name in enumerate(sorted(set(languages)))}
            counts = [1] * len(self.texts) if self.windows is None else [len(group) for group in self.windows]
            columns[GROUP] = np.repeat([numbers[language] for language in languages], counts)
        if self.windows is not None:
            later = [number > 0 for windows in self.windows for number in range(len(windows))]
            columns[CONTINUES] = np.array(later, dtype=bool)
        return columns

    def slots(self) -> Slots:
        """The positions of each row's answers among those of all texts."""
        if self.windows is None:
            return Slots(len(self.rows), [np.array([row]) for row in range(len(self.rows))], None)
        counts = [len(words_of(str(text))) for text in self.texts]
        starts = np.cumsum([0, *counts])
        pairs = [(start, window) for start, group in zip(starts, self.windows, strict=False) for window in group]
        return Slots(
            int(starts[-1]), [start + window.words for start, window in pairs], [window.places for _, window in pairs]
        )

    def per_text(self, logits: np.ndarray) -> np.ndarray:
        """Logits of all answers, `[answers, outputs]`, by text: a ragged array if a text can have several."""
        if self.windows is None:
            return self._together(logits)
        ends = np.cumsum([len(words_of(str(text))) for text in self.texts])
        return ragged(np.split(logits, ends[:-1]))

    def of_rows(self, logits: np.ndarray) -> np.ndarray:
        """Logits of texts as logits of rows; for words, a ragged array `[rows]` of `[words with a target, labels]`."""
        if self.windows is None:
            if self.counts is None:
                return logits
            return np.repeat(logits, self.counts, axis=0) if self.averaged else flat(logits)[:, None]
        pairs = zip(logits, self.windows, strict=True)
        return ragged([values[window.words] for values, group in pairs for window in group])

    def logits(self, score: Score) -> np.ndarray:
        """A model's logits for the texts, in the format of `predictor.logits`."""
        values = score(self.rows)
        if self.windows is None:
            return self._together(values)
        return to_words(values, self.windows, [str(text) for text in self.texts], self.task.labels)

    def _together(self, values: np.ndarray) -> np.ndarray:
        """Logits of rows as those of texts, if these have one answer each."""
        return averaged(values, self.counts) if self.averaged else gathered(values, self.counts)  # type: ignore[arg-type]
