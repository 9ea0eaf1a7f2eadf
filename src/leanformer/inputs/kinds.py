"""The available kinds of input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from leanformer.inputs.choices import CHOICES
from leanformer.inputs.context import CONTEXT
from leanformer.inputs.input import Input, InputTable
from leanformer.inputs.pair import PAIR
from leanformer.inputs.single import SINGLE
from leanformer.inputs.words import WORDS
from leanformer.tagging.ragged import parted
from leanformer.task import BUILT, Task, Text

INPUTS: InputTable[Input] = InputTable(
    "leanformer/inputs/kinds.py", {input_.name: input_ for input_ in (SINGLE, PAIR, WORDS, CHOICES, CONTEXT)}
)


def input_of(task: Task) -> Input:
    """The kind of input of the task. Raises `LeanformerError` for an unsupported kind."""
    return INPUTS[BUILT[task.kind].input]


def rows_of(task: Task, texts: Sequence[Text]) -> tuple[Sequence[Text], np.ndarray | None]:
    """The rows that a model reads for inputs, and the number of rows of each, int64 `[texts]`; None if each has one.

    A bare string is returned unchanged; the tokenizer then raises an error for it.
    """
    kind = input_of(task)
    if not kind.several or isinstance(texts, str):
        return texts, None
    rows = [kind.rows(text) for text in texts]
    return [row for group in rows for row in group], np.array([len(group) for group in rows], dtype=np.int64)


def gathered(values: np.ndarray, counts: np.ndarray | None) -> np.ndarray:
    """Logits of rows `[rows, outputs]` as logits of inputs; `counts` is as returned by `rows_of`.

    If inputs consist of several rows with one logit each, returns a ragged array `[texts]` of `[rows]`.
    """
    return values if counts is None else parted(values[:, 0], counts)
