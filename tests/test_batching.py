"""Rows of token ids to padded batches, and rows that a model cannot read."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.batching import batches_by_length, check_rows, pad, pad_block
from leanformer.errors import DataError


def rows(*lengths: int) -> list[np.ndarray]:
    return [np.arange(1, length + 1) for length in lengths]


def test_rows_are_padded_behind_and_the_mask_says_where():
    ids, mask = pad(rows(2, 3), padding_id=9)
    assert ids.tolist() == [[1, 2, 9], [1, 2, 3]] and mask.tolist() == [[1, 1, 0], [1, 1, 1]]
    assert ids.dtype == mask.dtype == np.int64
    assert pad(rows(1), length=4)[0].tolist() == [[1, 0, 0, 0]]
    with pytest.raises(ValueError, match="cannot pad a row of 3 tokens to 2"):
        pad(rows(3), length=2)


def test_token_types_are_padded_beside_their_ids():
    pairs = [np.array([[5, 0], [6, 1]]), np.array([[7, 0], [8, 1], [9, 1]])]
    block = pad_block(pairs, padding_id=3)
    assert block.ids.tolist() == [[5, 6, 3], [7, 8, 9]]
    assert block.types is not None and block.types.tolist() == [[0, 1, 0], [0, 1, 1]]
    assert block.mask.tolist() == [[1, 1, 0], [1, 1, 1]]
    assert pad_block(rows(2)).types is None


def test_batches_are_of_similar_length_and_within_the_tokens_they_take_when_padded():
    lengths = [5, 1, 4, 2, 5, 3]
    batches = batches_by_length(rows(*lengths), 8)
    assert batches == [[1, 3], [5, 2], [0], [4]]
    assert all(len(batch) * max(lengths[row] for row in batch) <= 8 for batch in batches)
    assert batches_by_length(rows(*lengths), 1000) == [[1, 3, 5, 2, 0, 4]]
    assert batches_by_length(rows(9), 8) == [[0]], "a row longer than the limit is a batch of its own"
    assert batches_by_length(rows(2, 1), None) == [[0], [1]]


@pytest.mark.parametrize(
    ("given", "limits", "said"),
    [
        (rows(2, 0), {}, "text 2 leaves no token to read"),
        (rows(1, 2, 5), {"positions": 4}, "text 3 has 5 tokens, and the model has 4 positions"),
        (rows(2, 7), {"vocabulary": 7}, "text 2 has the token id 7, and the model's table has 7 words"),
        ([np.array([1]), np.array([-1])], {}, "text 2 has the token id -1"),
        ([np.array([[1, 0], [2, 1]])], {"types": 1}, "a pair has the token type 1, and the model's table has 1"),
    ],
)
def test_what_a_model_cannot_read_is_named(given: list[np.ndarray], limits: dict[str, int], said: str):
    with pytest.raises(DataError, match=said) as caught:
        check_rows(given, **{"vocabulary": None, "positions": None, **limits})
    assert "\n  remedy: " in str(caught.value)


def test_rows_at_the_limits_pass():
    check_rows(rows(4, 6), vocabulary=7, positions=6)
    check_rows([np.array([[6, 1]])], vocabulary=7, positions=1, types=2)
    check_rows([], vocabulary=1, positions=1)
