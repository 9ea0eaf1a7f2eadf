"""A sentence of words: a text, which is split into words, or a list of words."""

from __future__ import annotations

from typing import Any

from leanformer.errors import DataError
from leanformer.inputs.checks import EMPTY_REMEDY, check_visible, is_texts, no_text, refuse_candidates
from leanformer.inputs.single import Single


class Words(Single):
    """A string, or a list of strings, which is joined and then read as a single text."""

    def check(self, question: Any, name: str) -> None:
        if isinstance(question, str):
            check_visible(question, name)
            return
        refuse_candidates(question, name, "single texts")
        if not is_texts(question):
            raise TypeError(no_text(question, name, "neither a string nor a list of words"))
        if not question:
            raise DataError(f"{name} has no words", remedy=EMPTY_REMEDY)
        for number, word in enumerate(question, start=1):
            check_visible(word, f"{name}: its word {number}")


WORDS = Words(
    name="words",
    plural="single texts",
    paired=False,
    seconds=False,
    several=False,
    example='"some text"',
    arguments='"some text"',
)
