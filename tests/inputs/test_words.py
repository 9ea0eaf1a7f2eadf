"""A sentence of words as an input."""

from __future__ import annotations

import pytest

from leanformer.errors import DataError
from leanformer.inputs.words import WORDS


def test_a_string_or_a_list_of_words_is_one() -> None:
    WORDS.check("a b", "text 1")
    WORDS.check(["a", "b", "c"], "text 1")
    with pytest.raises(DataError, match="text 1 has no words"):
        WORDS.check([], "text 1")
    with pytest.raises(DataError, match="text 2: its word 2 is empty"):
        WORDS.check(["a", " "], "text 2")
    with pytest.raises(TypeError, match="text 3 is neither a string nor a list of words"):
        WORDS.check(3, "text 3")
