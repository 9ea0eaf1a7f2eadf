"""A pair of texts as an input."""

from __future__ import annotations

import pytest

from leanformer.errors import DataError
from leanformer.inputs.pair import PAIR


def test_two_strings_are_one_and_nothing_else() -> None:
    PAIR.check(("a", "b"), "text 1")
    PAIR.check(["a", "b"], "text 1")
    with pytest.raises(DataError, match="text 1 is a single text, and the model was made for pairs"):
        PAIR.check("a", "text 1")
    with pytest.raises(DataError, match="text 2: its second text is empty"):
        PAIR.check(("a", ""), "text 2")
    with pytest.raises(TypeError, match="text 3 is neither a string nor two of them"):
        PAIR.check(("a", "b", "c"), "text 3")
