"""A question with its context: a text that the answer is a piece of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from leanformer.errors import DataError
from leanformer.inputs.checks import check_visible, has_candidates, is_texts, no_text
from leanformer.inputs.input import Input
from leanformer.task import Text
from leanformer.tokenizer_file.halves import check_whole

_REMEDY = 'give a question and its context: ("Who came?", "It was Ada who came.")'


class Context(Input):
    """A tuple of two strings: the question, and the context, of any length."""

    @property
    def samples(self) -> Sequence[Text]:
        return [("a question", "a text with the answer")] * 3

    def check(self, question: Any, name: str) -> None:
        if isinstance(question, str):
            raise DataError(f"{name} is a single text, and the model answers from a context", remedy=_REMEDY)
        if has_candidates(question) and not is_texts(question):
            raise DataError(
                f"{name} is a question with candidates, and the model answers from a context", remedy=_REMEDY
            )
        if not is_texts(question) or len(question) != 2:
            raise TypeError(no_text(question, name, "no question with a context"))
        for part, which in zip(question, ("question", "context"), strict=True):
            check_visible(part, f"{name}: its {which}")
            check_whole(f"{name}: its {which}", part)

    def rows(self, text: Text) -> Sequence[Text]:
        return [text]


CONTEXT = Context(
    name="context", plural="questions with a context", paired=True, seconds=True, several=False,
    example='("some question", "the text with the answer")',
    arguments='"some question" --context "the text with the answer"', shared=True,
)  # fmt: skip
