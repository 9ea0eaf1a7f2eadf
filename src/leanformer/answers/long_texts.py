"""Long texts read whole, in windows, by any model: where it gives one answer for each text, the windows' mean logits.

The same mean is trained (`train.feeds.batches.Batch.of_examples`), so that a text has one loss and one gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from leanformer.answers.form import Windowed
from leanformer.answers.forms import form_of
from leanformer.errors import LeanformerError
from leanformer.inputs.kinds import gathered, input_of, rows_of
from leanformer.task import Task, Text
from leanformer.tokenizer import Tokenizer
from leanformer.tokenizer_file.read import read_tokenizer

LONG = ("windows", "truncate")
"""Ways to read texts that are longer than `max_tokens`."""


@dataclass(frozen=True)
class TextWindow:
    """A part of a text: `ids` with special tokens, int32 `[tokens]`, or `[tokens, 2]` of a pair.

    `row` is the number of the candidate that it belongs to, if texts are questions with candidates; otherwise 0.
    """

    ids: np.ndarray
    row: int


class TextTokenizer:
    """A `tokenizer.json` for whole texts of a task; arguments as those of `tagging.windows.WindowTokenizer`.

    `overlap` None means 0. Raises `LeanformerError` for an overlap that leaves a window nothing of its own.
    """

    def __init__(
        self, task: Task, path: Path | str, max_tokens: int, *, overlap: int | None = None, one_core: bool = False
    ) -> None:
        self._task, overlap = task, overlap or 0
        if overlap >= (most := _free(path, max_tokens, input_of(task).paired) if overlap else 1):
            raise LeanformerError(
                f"windows of {max_tokens} tokens cannot overlap by {overlap}\n  remedy: --overlap {most - 1} or less"
            )
        self._tokenizer = Tokenizer(path, max_tokens, overlap=overlap, one_core=one_core)
        self.remembers_words, self.forget_words = self._tokenizer.remembers_words, self._tokenizer.forget_words

    def windows(self, texts: Sequence[Text]) -> list[list[TextWindow]]:
        """The windows of each text, in order; raises as `Tokenizer.encode`."""
        rows, counts = rows_of(self._task, texts)
        found = iter(self._tokenizer.windows(rows))
        sizes = [1] * len(rows) if counts is None else counts.tolist()
        return [[TextWindow(ids, row) for row in range(size) for ids in next(found)] for size in sizes]


def _free(path: Path | str, max_tokens: int, pairs: bool) -> int:
    """The tokens of a window that a text has at least; of a pair, the longer one is cut, which has half at least."""
    special = read_tokenizer(path).library.num_special_tokens_to_add(is_pair=pairs)
    return max(1, (max_tokens - special) // (2 if pairs else 1))


def mean_logits(
    values: np.ndarray, windows: Sequence[Sequence[TextWindow]], texts: Sequence[Any], task: Task
) -> np.ndarray:
    """Logits of windows `[windows, outputs]`, end to end, as logits of texts (see `predictor.logits`)."""
    counts = [np.bincount([window.row for window in group]) for group in windows]
    means = averaged(values, np.concatenate(counts)) if counts else values
    return gathered(means, np.array([len(count) for count in counts]) if input_of(task).several else None)


def averaged(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The means of runs of `counts` rows, at least one each: `[rows, outputs]` to `[len(counts), outputs]`, float32."""
    # Sums in float64 do not overflow, and a run of one row stays as it is.
    sums = np.add.reduceat(values, np.cumsum([0, *counts[:-1]]), axis=0, dtype=np.float64)
    return np.asarray(sums / counts[:, None], dtype=np.float32)


def windowed_of(task: Task) -> Windowed | None:
    """How a model of the task reads long texts in windows; None if it cuts them at `max_tokens`."""
    own = form_of(task).windowed
    if own is not None or task.overlap is None:
        return own
    return Windowed(partial(TextTokenizer, task), mean_logits)


def reading(task: Task, long: str | None, overlap: int | None = None) -> Task:
    """The task for a model that reads long texts in this way, one of `LONG`; None: as the task says.

    `overlap` is in tokens; None is the default: none, or a quarter of a window if there are logits for every token.

    Raises `LeanformerError` if the form of the answer does not allow it.
    """
    always = form_of(task).windowed is not None
    if long is not None and long not in LONG:
        raise LeanformerError(f"long texts are read as {' or '.join(LONG)}, not {long!r}")
    if long == "truncate" and always:
        raise LeanformerError(
            f"--long truncate: a task of kind {task.kind!r} has answers all over a text, which is always read whole\n"
            "  remedy: leave --long out"
        )
    if long == "truncate" and overlap is not None:
        raise LeanformerError("--overlap is that of windows\n  remedy: --long windows, or leave --overlap out")
    if long == "truncate":
        return replace(task, overlap=None)
    if overlap is not None or (long == "windows" and not always and task.overlap is None):
        return replace(task, overlap=overlap or 0)
    return task


def cut_note(task: Task, tokenizer: Tokenizer, texts: Sequence[Text], split: str) -> str:
    """How many texts are cut at the tokenizer's `max_tokens`, and what reads them whole; "" if none is."""
    if windowed_of(task) is not None or not (longer := tokenizer.count_longer(*rows_of(task, texts))):
        return ""
    whole = "" if input_of(task).several else "; --long windows reads them whole"
    return f"{longer} of {len(texts)} {split} texts are longer than {tokenizer.max_tokens} tokens and are cut{whole}"
