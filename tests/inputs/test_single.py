"""A text as an input."""

from __future__ import annotations

import pytest

from leanformer.errors import DataError
from leanformer.inputs.single import SINGLE


def test_a_string_is_one_and_nothing_else() -> None:
    SINGLE.check("a", "text 1")
    with pytest.raises(DataError, match="text 1 is a pair of texts, and the model was made for single ones"):
        SINGLE.check(("a", "b"), "text 1")
    with pytest.raises(DataError, match="text 2 is empty"):
        SINGLE.check(" ", "text 2")
    with pytest.raises(TypeError, match="text 3 is neither a string nor two of them, but 3"):
        SINGLE.check(3, "text 3")
