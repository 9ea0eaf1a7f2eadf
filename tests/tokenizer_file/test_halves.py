"""Halves of surrogate pairs."""

from __future__ import annotations

import pytest

from leanformer.errors import DataError
from leanformer.tokenizer_file.halves import check_whole


def test_half_of_a_surrogate_pair_is_no_character() -> None:
    check_whole("the text", "a \U0001f600", "b")
    for texts in (("a \ud83d",), ("b", "\ude00")):
        with pytest.raises(DataError, match=r"the text has half of a surrogate pair.*\n.*remedy: decode"):
            check_whole("the text", *texts)
