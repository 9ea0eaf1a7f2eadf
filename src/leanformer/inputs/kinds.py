"""The kinds of input that there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from leanformer.inputs.choices import CHOICES
from leanformer.inputs.input import Input, InputTable
from leanformer.inputs.pair import PAIR
from leanformer.inputs.single import SINGLE
from leanformer.inputs.words import WORDS
from leanformer.tagging.ragged import parted
from leanformer.task import BUILT, Task, Text

INPUTS: InputTable[Input] = InputTable(
    "leanformer/inputs/kinds.py", {input_.name: input_ for input_ in (SINGLE, PAIR, WORDS, CHOICES)}
)


def input_of(task: Task) -> Input:
    """What an input of the task is. Raises `LeanformerError` for a kind of input that is not built."""
    return INPUTS[BUILT[task.kind].input]


def rows_of(task: Task, texts: Sequence[Text]) -> tuple[Sequence[Text], np.ndarray | None]:
    """What a model reads of inputs, row by row, and how many rows each has, int64 `[texts]`; None where each has one.

    A bare string is given back as it is, for the tokenizer to refuse.
    """
    kind = input_of(task)
    if not kind.several or isinstance(texts, str):
        return texts, None
    rows = [kind.rows(text) for text in texts]
    return [row for each in rows for row in each], np.array([len(each) for each in rows], dtype=np.int64)


def gathered(values: np.ndarray, counts: np.ndarray | None) -> np.ndarray:
    """Logits of rows `[rows, outputs]` as those of inputs; `counts` are as `rows_of` gives them.

    Where inputs are several rows of one logit each, a ragged array `[texts]` of `[rows]`.
    """
    return values if counts is None else parted(values[:, 0], counts)
