"""Texts to token ids: what is cut, and how many texts are."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer as RustTokenizer

from leanformer.errors import CheckpointError
from leanformer.tokenizer import Tokenizer
from tests.tiny import tiny_texts, tiny_tokenizer

TEXTS = (*tiny_texts(60, seed=3)[0], "", "rain")


@pytest.mark.parametrize("max_tokens", [2, 3, 8, 12, 40])
def test_texts_that_are_cut_are_counted(max_tokens: int, tmp_path: Path) -> None:
    path = tiny_tokenizer(tmp_path)
    whole = [len(one.ids) for one in RustTokenizer.from_file(str(path)).encode_batch(list(TEXTS))]
    assert min(whole) == 2 and max(whole) < 40 and {8, 12} < set(whole), "the lengths must lie on both sides"
    tokenizer = Tokenizer(path, max_tokens)
    assert tokenizer.count_longer(TEXTS) == sum(length > max_tokens for length in whole)
    assert tokenizer.count_longer(()) == 0
    # Counting leaves the truncation as it was.
    assert [len(row) for row in tokenizer.encode(TEXTS)] == [min(length, max_tokens) for length in whole]


def test_a_file_that_is_no_tokenizer_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: not a readable"):
        Tokenizer(tmp_path / "tokenizer.json", 8)
