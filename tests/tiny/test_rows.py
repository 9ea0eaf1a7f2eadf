"""Texts to rows of code points."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.tiny import rows
from leanformer.tiny.rows import CharacterTokenizer


def test_a_row_is_the_code_points_in_lower_case():
    first, second, empty = CharacterTokenizer().encode(["Ab 你\U0001f600", "İ", ""])
    assert first.tolist() == [ord(letter) for letter in "ab 你\U0001f600"] and first.dtype == np.int32
    assert second.tolist() == [ord(letter) for letter in "İ".lower()]
    assert empty.tolist() == [ord(" ")]


def test_a_text_that_is_too_long_is_cut_on_either_side(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rows, "MOST_CHARACTERS", 3)
    tokenizer = CharacterTokenizer()
    assert tokenizer.encode(["abcde"])[0].tolist() == [97, 98, 99]
    assert tokenizer.cutting("left").encode(["abcde"])[0].tolist() == [99, 100, 101]
    assert tokenizer.count_longer(["abc", "abcd", "abcde"]) == 2


@pytest.mark.parametrize("texts", ["a text", [("a", "pair")], [b"bytes"], [None]])
def test_what_is_no_text_is_a_type_error(texts: object):
    with pytest.raises(TypeError):
        CharacterTokenizer().encode(texts)  # type: ignore[arg-type]
