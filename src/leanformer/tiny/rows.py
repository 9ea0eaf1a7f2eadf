"""Texts to rows of code points, the input of models on n-grams; no tokenizer file is needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from leanformer.artifact import Artifact
from leanformer.task import Text

MOST_CHARACTERS = 100_000
_BLANK = np.array([ord(" ")], dtype=np.int32)


class CharacterTokenizer:
    """Makes a row of the code points of a text in lower case; has the methods of `Tokenizer` that a server needs.

    Args:
        side: where a text with more than `MOST_CHARACTERS` is cut, "right" or "left".
    """

    def __init__(self, side: str = "right") -> None:
        self.side = side

    def cutting(self, side: str) -> CharacterTokenizer:
        """The same, but texts that are too long are cut on this side."""
        return CharacterTokenizer(side)

    def encode(self, texts: Sequence[Text]) -> list[np.ndarray]:
        """Code points of each text, int32 `[characters]`; a single blank for an empty text.

        Raises `TypeError` for a bare string, and for a value that is not a text.
        """
        if isinstance(texts, str):
            raise TypeError("a list of texts is needed, not a single string")
        return [self._row(text) for text in texts]

    def _row(self, text: Text) -> np.ndarray:
        if not isinstance(text, str):
            raise TypeError(f"a text is needed, not {type(text).__name__}")
        codes = np.frombuffer(text.lower().encode("utf-32-le", "surrogatepass"), dtype="<i4")
        if len(codes) > MOST_CHARACTERS:
            codes = codes[:MOST_CHARACTERS] if self.side == "right" else codes[-MOST_CHARACTERS:]
        return codes if len(codes) else _BLANK

    def count_longer(self, texts: Sequence[Text]) -> int:
        """How many texts are cut."""
        return sum(len(str(text).lower()) > MOST_CHARACTERS for text in texts)


def tokenizer_of_characters(artifact: Artifact) -> CharacterTokenizer:
    """The tokenizer of an artifact of format "ngrams"; it is the same for all."""
    return CharacterTokenizer()
