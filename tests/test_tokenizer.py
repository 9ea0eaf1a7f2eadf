"""Texts to token ids: what is cut, and how many texts are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer as RustTokenizer

from leanformer.errors import CheckpointError
from leanformer.tokenizer import Tokenizer
from tests.making.tiny import TOPICS, tiny_texts, tiny_tokenizer

TEXTS = (*tiny_texts(60, seed=3)[0], "", "rain")


@pytest.mark.parametrize("max_tokens", [2, 3, 8, 12, 40])
def test_texts_that_are_cut_are_counted(max_tokens: int, tmp_path: Path) -> None:
    path = tiny_tokenizer(tmp_path)
    whole = [len(encoding.ids) for encoding in RustTokenizer.from_file(str(path)).encode_batch(list(TEXTS))]
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


def test_pairs_have_token_types_and_the_longer_text_is_cut_first(tmp_path: Path) -> None:
    path = tiny_tokenizer(tmp_path)
    pairs = [("rain", "song band drum goal match team"), ("rain storm cloud wind snow frost", "goal"), ("a", "b")]
    whole = Tokenizer(path, 40)
    by_library = RustTokenizer.from_file(str(path)).encode_batch(pairs)
    for row, encoding in zip(whole.encode(pairs), by_library, strict=True):
        assert row.shape == (len(encoding.ids), 2) and row.dtype == np.int32
        assert row[:, 0].tolist() == encoding.ids and row[:, 1].tolist() == encoding.type_ids
    assert whole.count_longer(pairs) == 0
    cut = Tokenizer(path, 8)
    assert cut.count_longer(pairs) == 2
    first, second, third = cut.encode(pairs)
    # [CLS] A [SEP] B [SEP]: five places for the texts; the short one keeps its only word.
    assert [(row[:, 1] == 0).sum() for row in (first, second)] == [3, 6]
    assert len(first) == len(second) == 8 and len(third) == 5
    assert third.tolist() == whole.encode([["a", "b"]])[0].tolist()  # type: ignore[list-item]


@pytest.mark.parametrize("max_tokens", [5, 8, 13])
@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("overlap", [0, 2])
def test_windows_of_pairs_are_those_of_the_library(overlap: int, side: str, max_tokens: int, tmp_path: Path) -> None:
    """Its exact call knows the token types of all of them."""
    path = tiny_tokenizer(tmp_path)
    if overlap >= (max_tokens - 3) // 2:
        pytest.skip("no window would hold anything new")
    lengths = (0, 1, 3, 5, 9, 20)
    pairs = [
        (" ".join(TOPICS["weather"] * 2)[: 6 * first], " ".join(TOPICS["music"] * 2)[: 6 * second])
        for first in lengths
        for second in lengths
    ]
    tokenizer = Tokenizer(path, max_tokens, overlap=overlap)
    tokenizer = tokenizer.cutting(side)
    library = RustTokenizer.from_file(str(path))
    library.enable_truncation(max_tokens, stride=overlap, direction=side)
    whole = library.encode_batch(pairs)
    expected = [
        [np.stack([part.ids, part.type_ids], axis=1).tolist() for part in (each, *each.overflowing)] for each in whole
    ]
    assert max(map(len, expected)) > 3
    found = [[row.tolist() for row in rows] for rows in tokenizer.windows(pairs)]
    assert [sorted(rows) for rows in found] == [sorted(rows) for rows in expected]
    assert [row.tolist() for row in tokenizer.encode(pairs)] == [rows[0] for rows in expected]
    assert tokenizer.count_longer(pairs) == sum(len(rows) > 1 for rows in expected)


def test_a_long_pair_is_cut_without_all_its_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library, told to cut, makes a window of each two parts: here, of a thousand words, 2,500."""
    tokenizer = Tokenizer(tiny_tokenizer(tmp_path), 43, cache=False)
    pair, made = ("rain " * 1000, "goal " * 1000), list[int]()
    cut = Tokenizer._encodings

    def watched(*arguments: Any, **options: Any) -> Any:
        found = cut(*arguments, **options)
        made.extend(len(each.overflowing) for each in found)
        return found

    monkeypatch.setattr(Tokenizer, "_encodings", watched)
    (row,) = tokenizer.encode([pair])
    assert len(row) == 43 and tokenizer.count_longer([pair]) == 1 and made == [0, 0]
    assert len(tokenizer.windows([pair])[0]) == 50 * 50


def test_either_side_can_be_cut(tmp_path: Path):
    path = tiny_tokenizer(tmp_path)
    right = Tokenizer(path, 8)
    left = right.cutting("left")
    words = [f"{word} " * 3 for word in ("rain", "goal", "song")]
    long, short = "".join(words), "rain goal"
    whole = Tokenizer(path, 64).encode([long])[0].tolist()
    for _ in range(3):  # with and without what the words' ids are remembered by
        assert right.encode([long])[0].tolist() == [*whole[:7], whole[-1]]
        assert left.encode([long])[0].tolist() == [whole[0], *whole[-7:]]
        assert left.encode([short])[0].tolist() == right.encode([short])[0].tolist()
    assert left.cutting("left") is left and left.cutting("right").encode([long])[0].tolist() == [*whole[:7], whole[-1]]


def test_texts_that_belong_together_count_once(tmp_path: Path) -> None:
    tokenizer = Tokenizer(tiny_tokenizer(tmp_path), 5)
    texts = ["rain", "rain storm cloud wind", "rain storm cloud wind snow", "rain", "goal", "team goal match ball"]
    assert tokenizer.count_longer(texts) == 3
    assert tokenizer.count_longer(texts, np.array([3, 2, 1])) == 2
    assert tokenizer.count_longer((), np.array([], dtype=np.int64)) == 0
