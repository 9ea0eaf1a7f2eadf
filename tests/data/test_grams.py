"""Sets of character 5-grams: their sizes, their order by rarity, and which members may decide."""

from __future__ import annotations

import numpy as np

from leanformer.data.grams import LETTERS, counted, hashed_grams, ranked_sets


def test_a_text_has_its_different_grams() -> None:
    row, hashes = hashed_grams(["abcdefg", "aaaaaaa", "abcdefg"])
    assert np.bincount(row).tolist() == [3, 1, 3]
    assert set(hashes[row == 0]) == set(hashes[row == 2]) and not set(hashes[row == 0]) & set(hashes[row == 1])
    assert LETTERS == 5


def test_the_rarest_gram_comes_first() -> None:
    """ "abcde" is in three of the others, "vwxyz" in one, and what the first side lacks counts for the size alone."""
    row, hashes = hashed_grams(["abcdevwxyz"])
    ours, theirs, grams = ranked_sets(row, hashes, 1, ["abcde1", "abcde2", "abcdevwxyz"])
    assert grams == ours.size[0] == 6 and theirs.size.tolist() == [2, 2, 6]
    assert ours.gram[-1] == 5 and theirs.gram[theirs.row == 0].tolist() == [5], "the gram that all have"
    assert theirs.position[theirs.row == 0].tolist() == [1], "after the rarer one that the first side lacks"
    assert ours.start.tolist() == [0]


def test_the_members_that_decide_are_the_fewest_possible() -> None:
    row, hashes = hashed_grams(["abcdefghijklmn"])  # 10 grams
    ours, _, _ = ranked_sets(row, hashes, 1, ["abcdefghijklmn"])
    assert [len(ours.rare(jaccard)) for jaccard in (0.8, 0.75, 1.0)] == [3, 3, 1]


def test_counting_starts_again_for_each_length() -> None:
    assert counted(np.array([3, 0, 2])).tolist() == [0, 1, 2, 0, 1]
