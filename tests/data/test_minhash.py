"""Pairs found by MinHash: true pairs, found as often as the bands promise."""

from __future__ import annotations

import random
from string import ascii_lowercase

import numpy as np
import pytest

from leanformer.curate import near_duplicates
from leanformer.data.minhash import HASHES, RECALL, Bands, likely_pairs
from leanformer.data.near_repeats import near_pairs


def grams(text: str) -> set[str]:
    return {text[start : start + 5] for start in range(len(text) - 4)}


def similarity(text: str, other: str) -> float:
    return len(grams(text) & grams(other)) / len(grams(text) | grams(other))


def planted(count: int, seed: int, changed: int = 1) -> list[str]:
    """Texts of ten random words, each followed by a copy in which some words are others."""
    drawn = random.Random(seed)

    def word() -> str:
        return "".join(drawn.choices(ascii_lowercase, k=drawn.randrange(3, 9)))

    texts: list[str] = []
    for _ in range(count):
        words = [word() for _ in range(10)]
        other = list(words)
        for place in drawn.sample(range(10), changed):
            other[place] = word()
        texts += [" ".join(words), " ".join(other)]
    return texts


def found(texts: list[str], jaccard: float, bands: Bands | None = None) -> set[tuple[int, int]]:
    parts = list(likely_pairs(texts, jaccard, np.arange(len(texts)), bands))
    return {(row, other) for part in parts for row, other in part.tolist()}


def test_the_chance_of_a_pair_is_that_of_its_bands():
    assert Bands(20, 5).recall(0.8) == pytest.approx(1 - (1 - 0.8**5) ** 20)
    assert Bands(1, 1).recall(0.3) == pytest.approx(0.3)


@pytest.mark.parametrize("jaccard", [0.3, 0.5, 0.8, 0.95])
def test_bands_are_as_long_as_the_recall_allows(jaccard: float):
    bands = Bands.finding(jaccard)
    assert bands.recall(jaccard) >= RECALL > Bands(HASHES // (bands.rows + 1), bands.rows + 1).recall(jaccard)
    assert bands.count * bands.rows <= HASHES


@pytest.mark.parametrize(("jaccard", "changed"), [(0.5, 2), (0.7, 1)])
def test_pairs_are_those_of_the_exact_join(jaccard: float, changed: int):
    texts = planted(300, seed=1, changed=changed)
    exact = {(row, other) for part in near_pairs(texts, jaccard) for row, other in part.tolist()}
    assert 20 < len(exact) < 600
    assert found(texts, jaccard) == exact


def test_as_many_are_found_as_the_bands_promise():
    texts, bands = planted(1500, seed=2, changed=3), Bands(4, 2)
    pairs = [(row, row + 1) for row in range(0, len(texts), 2)]
    chances = np.array([bands.recall(similarity(texts[row], texts[other])) for row, other in pairs])
    assert 0.3 < chances.mean() < 0.9, "else the test says little"
    # With a threshold that all planted pairs reach, only the bands decide.
    least = min(similarity(texts[row], texts[other]) for row, other in pairs)
    count = len(found(texts, least, bands) & set(pairs))
    assert abs(count - chances.sum()) < 4 * np.sqrt((chances * (1 - chances)).sum())


def test_pairs_of_one_cluster_are_left_out():
    texts = planted(50, seed=3)
    clusters = np.arange(len(texts)) // 2
    assert not [part for part in likely_pairs(texts, 0.7, clusters) if len(part)]


def test_a_template_is_one_cluster(monkeypatch: pytest.MonkeyPatch):
    texts = [f"your order {number} has been sent to you today, thank you for waiting" for number in range(1000, 2000)]
    exact = near_duplicates.near_clusters(texts, 0.8)
    monkeypatch.setattr(near_duplicates, "EXACT_TEXTS", 10)
    assert set(exact) == {0}
    assert (near_duplicates.near_clusters(texts, 0.8) == exact).all()


def test_all_pairs_of_a_bucket_are_compared():
    texts = [
        f"the same long line of words about the weather in the north, {ending}" for ending in ("a", "bb", "cc", "d")
    ]
    assert found(texts, 0.8) == {(row, other) for row in range(4) for other in range(row + 1, 4)}


def test_texts_of_several_parts_are_alike_in_each():
    """A long part must not outweigh a short one that differs."""
    long = "the quick brown fox jumps over the lazy dog and runs away from it into the woods"
    texts = [f"{long}\x1fwhere is it", f"{long}\x1fwho was seen", f"{long}s\x1fwhere is it"]
    assert found(texts, 0.8) == {(0, 2)}


def test_many_texts_are_compared_by_minhash_and_few_exactly(monkeypatch: pytest.MonkeyPatch):
    texts = [*planted(20, seed=4), "tiny", "a"]
    used: list[str] = []
    for name in ("near_pairs", "likely_pairs"):
        plain = getattr(near_duplicates, name)
        monkeypatch.setattr(
            near_duplicates, name, lambda *given, name=name, plain=plain: (used.append(name), plain(*given))[1]
        )
    exact = near_duplicates.near_clusters(texts, 0.7)
    monkeypatch.setattr(near_duplicates, "EXACT_TEXTS", len(texts) - 1)
    assert (near_duplicates.near_clusters(texts, 0.7) == exact).all() and used == ["near_pairs", "likely_pairs"]


def test_blocks_do_not_change_the_pairs(monkeypatch: pytest.MonkeyPatch):
    texts = planted(60, seed=5)
    whole = found(texts, 0.7)
    monkeypatch.setattr("leanformer.data.minhash._BLOCK_LETTERS", 500)
    monkeypatch.setattr("leanformer.data.minhash._PAIRS", 3)
    assert found(texts, 0.7) == whole and len(whole) > 20


def test_no_texts_and_short_texts_have_no_pairs():
    assert found([], 0.8) == set() and found(["ab", "cd", "ef"], 0.8) == set()
