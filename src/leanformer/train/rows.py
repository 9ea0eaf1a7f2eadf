"""Texts and labels to the rows that a model is trained on; sentences of words to windows with their words' tags."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from leanformer.tagging.ragged import flat, ragged
from leanformer.tagging.windows import SentenceTokenizer, Window, to_words
from leanformer.task import Task, Text
from leanformer.tokenizer import Tokenizer
from leanformer.train.batches import NOT_ASKED

Score = Callable[[Sequence[np.ndarray]], np.ndarray]
"""Rows of token ids to a model's logits, such as `models.scoring.score_rows`."""


@dataclass(frozen=True)
class Encoded:
    """Texts as rows of token ids, and the way back from a model's logits.

    Attributes:
        task: tells what a row is: a text, or a window of a sentence of words.
        texts: as they were given.
        rows: token ids, one array for each text, or for each window of each sentence.
        windows: of each sentence, where words are tagged; else None.
    """

    task: Task
    texts: Sequence[Text]
    rows: list[np.ndarray]
    windows: list[list[Window]] | None

    def labels(self, labels: np.ndarray) -> np.ndarray:
        """Labels of texts (see `targets.labels_of`) as those of rows.

        Of tags, a ragged array `[rows]` of `[tokens]`: the tag on the first piece of each word, -1 there where it is
        not known, and `NOT_ASKED` on all other tokens.
        """
        if self.windows is None:
            return labels
        rows = []
        for tags, each in zip(labels, self.windows, strict=True):
            for one in each:
                row = np.full(len(one.ids), NOT_ASKED, dtype=np.int64)
                row[one.places] = tags[one.words]
                rows.append(row)
        return ragged(rows)

    def of_rows(self, logits: np.ndarray) -> np.ndarray:
        """Logits of texts as those of rows: of words, a ragged array `[rows]` of `[words asked about, labels]`."""
        if self.windows is None:
            return logits
        pairs = zip(logits, self.windows, strict=True)
        return ragged([values[one.words] for values, each in pairs for one in each])

    def logits(self, score: Score) -> np.ndarray:
        """A model's logits of the texts, as `predictor.logits` has them."""
        values = score(self.rows)
        if self.windows is None:
            return values
        return to_words(values, self.windows, [str(text) for text in self.texts], self.task.labels)


def encode(tokenizer: Tokenizer, task: Task, texts: Sequence[Text]) -> Encoded:
    """The rows of `texts`: cut at `max_tokens`, or where words are tagged whole, in windows."""
    if task.answer != "tags":
        return Encoded(task, texts, tokenizer.encode(texts), None)
    windows = SentenceTokenizer(tokenizer.path, tokenizer.max_tokens).windows([str(text) for text in texts])
    return Encoded(task, texts, [one.ids for each in windows for one in each], windows)


def per_answer(logits: np.ndarray) -> np.ndarray:
    """Logits `[answers, outputs]`: of texts as they are, of words those of all sentences end to end."""
    return flat(logits)
