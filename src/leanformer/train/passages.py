"""Questions with contexts as rows of token ids: windows, in which an answer is or is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from leanformer.spans.best import NOWHERE
from leanformer.spans.windows import PassageWindow, put_characters, to_characters
from leanformer.tagging.ragged import parted, ragged
from leanformer.task import Task
from leanformer.train.encoded import Encoded, Score, Slots
from leanformer.train.feeds.batches import ENDS, NOT_ASKED, STARTS


@dataclass(frozen=True)
class PassageSlots(Slots):
    """For questions with contexts: the answers of a text are no answer, and the characters of its context.

    Attributes:
        windows: of each row.
        origins: the index of no answer of each row's question.
    """

    windows: Sequence[PassageWindow] = ()
    origins: Sequence[int] = ()

    def put(self, into: np.ndarray, row: int, logits: np.ndarray, first: int = 0) -> None:
        put_characters(into, self.windows[row], logits, self.origins[row] - first)

    def empty(self, first: int, last: int, task: Task) -> np.ndarray:
        logits = np.full((last - first, task.outputs), NOWHERE, dtype=np.float32)
        nones = np.array(self.origins, dtype=np.int64)
        logits[nones[(nones >= first) & (nones < last)] - first] = 0
        return logits


@dataclass(frozen=True)
class Passages(Encoded):
    """Questions with contexts as windows: `texts` are pairs, and `windows` are of `spans.windows`.

    The labels of a row are those of its tokens: `NOT_ASKED` at tokens that are in no place for a start or an end, and
    bits (`STARTS`, `ENDS`) at the others; both are set at the first token if the answer is not in the window.
    """

    windows: list[list[PassageWindow]]  # type: ignore[assignment]  # the same, for another form

    def labels(self, labels: np.ndarray) -> np.ndarray:
        """Spans `[texts, 2]` as labels of tokens; (0, 0) is no answer, and -1 an unknown one.

        An answer that no window has completely is unknown, too: nothing can be learnt about it (see `untaught`).
        """
        rows = []
        for (start, end), group in zip(labels.tolist(), self.windows, strict=True):
            found = [window.tokens_of(start, end) if end > 0 else None for window in group]
            known = end == 0 or any(place is not None for place in found)
            for window, place in zip(group, found, strict=True):
                row = np.full(len(window.ids), NOT_ASKED, dtype=np.int64)
                row[_asked(window)] = 0 if known else -1
                if known:
                    first, last = place or (0, 0)
                    row[first] |= STARTS
                    row[last] |= ENDS
                rows.append(row)
        return ragged(rows)

    def untaught(self, labels: np.ndarray) -> int:
        """The number of answers `[texts, 2]` that are in no window completely."""
        return sum(
            end > 0 and all(window.tokens_of(start, end) is None for window in group)
            for (start, end), group in zip(labels.tolist(), self.windows, strict=True)
        )

    def unknown(self) -> np.ndarray:
        return self.labels(np.full((len(self.texts), 2), -1))

    def slots(self) -> PassageSlots:
        starts = np.cumsum([0, *(1 + len(text[1]) for text in self.texts)]).tolist()
        of_row, origins = [], []
        for start, group in zip(starts, self.windows, strict=False):
            for number, window in enumerate(group):
                own = start + 1 + window.begins[window.owned]
                of_row.append(own if number else np.concatenate([[start], own]))
                origins.append(start)
        windows = [window for group in self.windows for window in group]
        return PassageSlots(starts[-1], of_row, [window.firsts for window in windows], windows, origins)

    def per_text(self, logits: np.ndarray) -> np.ndarray:
        return parted(logits, np.array([1 + len(text[1]) for text in self.texts]))

    def of_rows(self, logits: np.ndarray) -> np.ndarray:
        rows = []
        for values, group in zip(logits, self.windows, strict=True):
            for window in group:
                row = np.full((len(window.ids), 2), NOWHERE, dtype=np.float32)
                # A token inside a unit has the logits of the unit, as no other is compared with it.
                for place in (window.firsts, window.lasts):
                    row[place, 0], row[place, 1] = values[1 + window.begins, 0], values[window.ends, 1]
                row[0] = values[0]
                rows.append(row[_asked(window)])
        return ragged(rows)

    def logits(self, score: Score) -> np.ndarray:
        return to_characters(score(self.rows), self.windows, self.texts)  # type: ignore[arg-type]  # they are pairs


def _asked(window: PassageWindow) -> np.ndarray:
    """The tokens of a window at which an answer can start or end, or which stand for no answer."""
    return np.unique(np.concatenate([[0], window.firsts, window.lasts]))
