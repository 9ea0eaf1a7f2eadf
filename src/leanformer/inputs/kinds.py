"""The kinds of input that there are."""

from __future__ import annotations

from leanformer.inputs.input import Input, InputTable
from leanformer.inputs.pair import PAIR
from leanformer.inputs.single import SINGLE
from leanformer.inputs.words import WORDS
from leanformer.task import BUILT, Task

INPUTS: InputTable[Input] = InputTable(
    "leanformer/inputs/kinds.py", {input_.name: input_ for input_ in (SINGLE, PAIR, WORDS)}
)


def input_of(task: Task) -> Input:
    """What an input of the task is. Raises `LeanformerError` for a kind of input that is not built."""
    return INPUTS[BUILT[task.kind].input]
