"""A question with candidates: the model reads each candidate with the question, as a pair of texts, and chooses one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leanformer.errors import DataError
from leanformer.inputs.checks import check_visible, has_candidates, is_texts, no_text
from leanformer.inputs.input import Input
from leanformer.task import Text
from leanformer.tokenizer_file.halves import check_whole

FEWEST = 2
"""Candidates of a question: of fewer there is nothing to choose."""
_REMEDY = 'give a text and its candidates: ("the question", ["one answer", "another"])'


class Choices(Input):
    """A tuple of a string and a tuple or list of at least two strings; their number may vary."""

    @property
    def samples(self) -> Sequence[Text]:
        return [("a text", ("an answer", "another one"))] * 3

    def check(self, question: Any, name: str) -> None:
        if is_texts(question) or isinstance(question, str):
            what = "a single text" if isinstance(question, str) else f"{len(question)} texts"
            raise DataError(f"{name} is {what}, and the model chooses one of several candidates", remedy=_REMEDY)
        if not has_candidates(question):
            raise TypeError(no_text(question, name, "not a text with a list of candidates"))
        text, choices = question
        check_visible(text, f"{name}: its text")
        check_whole(f"{name}: its text", text)
        if len(choices) < FEWEST:
            raise DataError(f"{name} has {len(choices)} candidate, and at least {FEWEST} are needed", remedy=_REMEDY)
        for number, choice in enumerate(choices, start=1):
            check_visible(choice, f"{name}: its candidate {number}")
            check_whole(f"{name}: its candidate {number}", choice)  # while its number is known; later it is only a row

    def rows(self, text: Text) -> Sequence[Text]:
        stem, choices = text[0], text[1]
        return [(stem, choice) for choice in choices]


CHOICES = Choices(
    name="choices", plural="questions with candidates", paired=True, seconds=True, several=True,
    example='("some question", ["one answer", "another answer"])',
    arguments='"some question" --choice "one answer" --choice "another answer"',
)  # fmt: skip
