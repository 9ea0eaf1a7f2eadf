"""The protocol of a kind of input, and of tables that have a line for each kind.

A kind is one file beside this one, and a line in `kinds.INPUTS`. `Input` has no defaults: a kind that leaves something
out cannot be made, and one that is not in a table is refused by it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from leanformer.errors import LeanformerError
from leanformer.task import Text

_Entry = TypeVar("_Entry")


class InputTable(dict[str, _Entry]):
    """A table with a line for each kind of input. Looking up a kind that it lacks raises `LeanformerError`."""

    def __init__(self, place: str, entries: Mapping[str, _Entry]) -> None:
        super().__init__(entries)
        self.place = place

    def __missing__(self, name: str) -> _Entry:
        raise LeanformerError(
            f"inputs of the kind {name!r} are not built; {', '.join(sorted(self))} are\n"
            f"  remedy: give a task of another kind, or add the input to {self.place}"
        )


@dataclass(frozen=True)
class Input(ABC):
    """What depends on what an input is.

    Attributes:
        name: what the kind is called in `task.Kind.input`.
        plural: several inputs in a message, such as "single texts".
        paired: whether a row that a model reads holds two texts, which its token types tell apart.
        seconds: whether an example has a second part beside its text (`Examples.pairs`).
        several: whether an input is several rows of a model, whose logits belong together.
        example: a question as Python source, for a model card.
        arguments: the same for the command line.
    """

    name: str
    plural: str
    paired: bool
    seconds: bool
    several: bool
    example: str
    arguments: str

    @property
    @abstractmethod
    def samples(self) -> Sequence[Text]:
        """Three short inputs, to try a model on."""

    @abstractmethod
    def check(self, question: Any, name: str) -> None:
        """Raise for what is no question of this kind; `name` says which one it is.

        `DataError` where a text is empty, or where it is an input of another kind; `TypeError` for what is no input.
        """

    @abstractmethod
    def rows(self, text: Text) -> Sequence[Text]:
        """What a model reads, row by row, of an input that was checked."""


def parts_of(text: str | tuple[Any, ...]) -> tuple[str, ...]:
    """Every text in an input, or in a tuple of inputs, in order."""
    return (text,) if isinstance(text, str) else tuple(part for inner in text for part in parts_of(inner))


def changed(text: Text, change: Callable[[str], str]) -> Text:
    """The input with every text in it changed."""
    if isinstance(text, str):
        return change(text)
    # Inside of a pair or a question there are texts and tuples of them.
    return tuple(changed(inner, change) for inner in text)  # type: ignore[arg-type, return-value]


def from_json(value: Any) -> Text:
    """An input that JSON has made lists of."""
    return value if isinstance(value, str) else tuple(from_json(inner) for inner in value)  # type: ignore[return-value]
