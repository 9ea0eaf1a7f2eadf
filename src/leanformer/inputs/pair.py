"""A pair of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leanformer.errors import DataError
from leanformer.inputs.checks import check_visible, is_texts, no_text, refuse_candidates
from leanformer.inputs.input import Input
from leanformer.task import Text


class Pair(Input):
    """A tuple of a first and a second string."""

    @property
    def samples(self) -> Sequence[Text]:
        return [("a text", "another one")] * 3

    def check(self, question: Any, name: str) -> None:
        if isinstance(question, str):
            raise DataError(
                f"{name} is a single text, and the model was made for pairs",
                remedy='give pairs: [("first text", "second text"), ...]',
            )
        refuse_candidates(question, name, "pairs")
        if not is_texts(question) or len(question) != 2:
            raise TypeError(no_text(question, name, "neither a string nor two of them"))
        for part, which in zip(question, ("first", "second"), strict=True):
            check_visible(part, f"{name}: its {which} text")

    def rows(self, text: Text) -> Sequence[Text]:
        return [text]


PAIR = Pair(
    name="pair", plural="pairs of texts", paired=True, seconds=True, several=False,
    example='("some text", "another text")',
    arguments='"some text" --pair "another text"',
)  # fmt: skip
