"""A text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leanformer.errors import DataError
from leanformer.inputs.checks import check_visible, is_texts, no_text, refuse_candidates
from leanformer.inputs.input import Input
from leanformer.task import Text


class Single(Input):
    """A string."""

    @property
    def samples(self) -> Sequence[Text]:
        return ["a text", "another one", "third"]

    def check(self, question: Any, name: str) -> None:
        if isinstance(question, str):
            check_visible(question, name)
            return
        if is_texts(question) and len(question) == 2:
            raise DataError(
                f"{name} is a pair of texts, and the model was made for single ones",
                remedy="give strings, or a model that was trained on pairs",
            )
        refuse_candidates(question, name, "single texts")
        raise TypeError(no_text(question, name, "neither a string nor two of them"))

    def rows(self, text: Text) -> Sequence[Text]:
        return [text]


SINGLE = Single(
    name="text",
    plural="single texts",
    paired=False,
    seconds=False,
    several=False,
    example='"some text"',
    arguments='"some text"',
)
