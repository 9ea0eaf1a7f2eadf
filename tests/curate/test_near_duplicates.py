"""Clusters of duplicates: those of comparing every pair, and which rows of each remain."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanformer.curate.near_duplicates import cluster_rows, is_conflicting, kept_rows


def grams(text: str) -> set[str]:
    return {text[start : start + 5] for start in range(len(text) - 4)}


def by_every_pair(texts: list[str], near: float) -> list[list[int]]:
    """The definition: rows linked by a chain of pairs that are equal or near."""
    cluster = list(range(len(texts)))
    for first, second in itertools.combinations(range(len(texts)), 2):
        ours, theirs = grams(texts[first]), grams(texts[second])
        alike = 1000 * len(ours & theirs) >= round(1000 * near) * len(ours | theirs) and ours and theirs
        if texts[first] == texts[second] or alike:
            old, new = cluster[second], cluster[first]
            cluster = [new if number == old else number for number in cluster]
    groups: dict[int, list[int]] = {}
    for row, number in enumerate(cluster):
        groups.setdefault(number, []).append(row)
    return list(groups.values())


def drawn_texts(count: int, seed: int) -> list[str]:
    """Short texts, of which many are edited copies of earlier ones, or of a template."""
    drawn = random.Random(seed)
    texts: list[str] = []
    while len(texts) < count:
        letters = drawn.choices("abcde fgh", k=drawn.randrange(0, 45))
        if texts and drawn.random() < 0.5:
            letters = list(drawn.choice(texts))
            place = drawn.randrange(len(letters) + 1)
            letters[place : place + drawn.randrange(2)] = drawn.choices("abcdé", k=drawn.randrange(2))
        elif drawn.random() < 0.2:
            letters = list(f"your order {drawn.randrange(10**4)} has been sent to you, thank you for waiting")
        texts.append("".join(letters))
    return texts


@pytest.mark.slow
@pytest.mark.parametrize("near", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("seed", range(3))
def test_clusters_of_300_texts_are_those_of_every_pair(near: float, seed: int) -> None:
    texts = drawn_texts(300, seed)
    wanted = by_every_pair(texts, near)
    assert 50 < len(wanted) < 290
    assert cluster_rows(texts, near) == wanted


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("ab ", max_size=14), max_size=25), st.sampled_from([0.3, 0.8, 1.0]))
def test_clusters_of_any_texts_are_those_of_every_pair(texts: list[str], near: float) -> None:
    assert cluster_rows(texts, near) == by_every_pair(texts, near)


def test_a_chain_is_one_cluster_and_texts_of_one_template_too() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    chain = [letters[start : start + 16] for start in range(4)]  # 12 grams each, of which neighbours share 11
    assert cluster_rows(chain, 0.8) == [[0, 1, 2, 3]]
    assert not grams(chain[0]) & grams(chain[3]) or len(cluster_rows([chain[0], chain[3]], 0.8)) == 2
    template = [f"dear customer, the order number {number} has been sent to your address" for number in range(500)]
    assert cluster_rows(template, 0.8) == [list(range(500))]


def test_without_near_only_equal_texts_are_in_a_cluster() -> None:
    texts = ["the same text", "the same texts", "the same text"]
    assert cluster_rows(texts) == [[0, 2], [1]]
    assert cluster_rows(texts, 0.8) == [[0, 1, 2]]
    assert cluster_rows([]) == cluster_rows([], 0.8) == []


@pytest.mark.parametrize(
    ("conflicting", "wanted"), [("first", [0, 1, 2, 6]), ("none", [1, 2, 6]), ("keep", [0, 1, 2, 3, 6])]
)
def test_the_first_of_a_cluster_stays_and_conflicts_are_as_asked(conflicting: str, wanted: list[int]) -> None:
    clusters, labels = [[0, 3], [1, 5], [2], [4, 6]], [0, 1, 0, 1, 0, 1, 0]
    removed = [False, False, False, False, True, False, False]
    assert kept_rows(clusters, labels, removed, conflicting) == wanted
    assert [is_conflicting(rows, labels) for rows in clusters] == [True, False, False, False]
    assert not any(is_conflicting(rows, None) for rows in clusters)


def test_tags_are_compared_between_sentences_of_one_length() -> None:
    tags = [(0, 1, 0), (0, 1), (0, 1, 0), (0, 0)]
    assert not is_conflicting([0, 1, 2], tags, per_word=True) and is_conflicting([0, 1, 3], tags, per_word=True)
    assert is_conflicting([0, 1, 2], tags), "any number of labels"
    assert kept_rows([[0, 1, 2]], tags, [False] * 4, "none", per_word=True) == [0]
