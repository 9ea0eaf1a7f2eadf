"""The protocol of a kind of input, and of tables that have an entry for each kind.

A kind is one file in this folder, and an entry in `kinds.INPUTS`. `Input` has no defaults: a kind that omits something
cannot be instantiated, and looking up a kind that is missing in a table raises an error.
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
    """A table with an entry for each kind of input. Looking up a missing kind raises `LeanformerError`."""

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
    """Everything that depends on the kind of input.

    Attributes:
        name: the kind's name in `task.Kind.input`.
        plural: several inputs in a message, such as "single texts".
        paired: whether a model's row contains two texts, distinguished by token types.
        seconds: whether an example has a second part in addition to its text (`Examples.pairs`).
        several: whether an input consists of several rows, whose logits belong together.
        example: a question as Python source, for a model card.
        arguments: the same for the command line.
        shared: whether several inputs are about the same second part, so that a split has all of them or none.
    """

    name: str
    plural: str
    paired: bool
    seconds: bool
    several: bool
    example: str
    arguments: str
    shared: bool = False

    @property
    @abstractmethod
    def samples(self) -> Sequence[Text]:
        """Three short inputs to try a model on."""

    @abstractmethod
    def check(self, question: Any, name: str) -> None:
        """Raise an error unless `question` is of this kind; `name` identifies it in the message.

        `DataError` if a text is empty, or if it is an input of another kind; `TypeError` if it is not an input.
        """

    @abstractmethod
    def rows(self, text: Text) -> Sequence[Text]:
        """The rows that a model reads for an input that was checked."""


def parts_of(text: str | tuple[Any, ...]) -> tuple[str, ...]:
    """Every text in an input, or in a tuple of inputs, in order."""
    return (text,) if isinstance(text, str) else tuple(part for inner in text for part in parts_of(inner))


def changed(text: Text, change: Callable[[str], str]) -> Text:
    """The input with `change` applied to every text in it."""
    if isinstance(text, str):
        return change(text)
    # Pairs and questions contain texts and tuples of texts.
    return tuple(changed(inner, change) for inner in text)  # type: ignore[arg-type, return-value]


def from_json(value: Any) -> Text:
    """An input decoded from JSON, with its lists converted to tuples."""
    return value if isinstance(value, str) else tuple(from_json(inner) for inner in value)  # type: ignore[return-value]
