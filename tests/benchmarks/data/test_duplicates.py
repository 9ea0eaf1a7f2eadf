"""The benchmark of planted duplicates: its own definitions, and that what is planted is there."""

from __future__ import annotations

import random

import numpy as np
import pytest

from benchmarks.data import duplicates as module
from benchmarks.data.duplicates import edited, leaks, pairs_by_force, planted, similarity
from tests.making.tiny import tiny_texts

WORDS = [f"word{number}" for number in range(40)]


def sentences(count: int, seed: int) -> list[str]:
    drawn = random.Random(seed)
    return [" ".join("".join(drawn.choices("abcdefghijkl", k=6)) for _ in range(12)) for _ in range(count)]


def test_an_edit_replaces_this_share_of_the_words() -> None:
    text = " ".join("abcdefghij")
    for share, count in ((0.3, 3), (0, 1)):
        other = edited(text, WORDS, share, random.Random(1))
        assert sum(before != after for before, after in zip(text.split(), other.split(), strict=True)) == count


@pytest.mark.parametrize("jaccard", [0.3, 0.4])
def test_all_pairs_are_those_of_the_definition(jaccard: float) -> None:
    texts = list(dict.fromkeys(tiny_texts(60, seed=5)[0]))
    wanted = {
        (row, other)
        for row in range(len(texts))
        for other in range(row + 1, len(texts))
        if similarity(texts[row], texts[other]) >= jaccard
    }
    assert pairs_by_force(texts, jaccard) == wanted and wanted


def test_planted_copies_are_found_by_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TEXTS", 120)
    monkeypatch.setattr(module, "COPIES", 60)
    rows = planted("some", sentences(150, seed=2))
    assert [(row["threshold"], row["way"]) for row in rows] == [
        (0.8, "exact"), (0.8, "minhash"), (0.5, "exact"), (0.5, "minhash")
    ]  # fmt: skip
    assert all(row["of_brute_force"] == 1 and row["not_near"] == 0 for row in rows)
    assert rows[2]["brute_force"] > rows[0]["brute_force"] > 3
    by_similarity = rows[3]["by_similarity"]
    assert sum(bucket["found"] for bucket in by_similarity) == rows[3]["brute_force"]
    assert all(bucket["found"] <= bucket["near"] <= bucket["copies"] for bucket in by_similarity)


def test_a_search_that_finds_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAYS", {"exact": lambda texts, jaccard, clusters: iter([np.zeros((0, 2), int)])})
    rows = planted("some", sentences(80, seed=2))
    assert [row["of_brute_force"] for row in rows] == [0.0, 0.0] and rows[0]["brute_force"] > 0


def test_planted_leaks_are_counted() -> None:
    texts = sentences(200, seed=3)
    row = leaks("some", [*texts[:100], texts[0] + "s"], texts[100:], count=50)
    assert row["n"] == 50 and row["exact"] == {"exactly": 100.0, "nearly": 100.0} == row["recased"]
    assert row["one word replaced"]["exactly"] == 0.0 and 0 < row["one word replaced"]["nearly"] <= 100
    assert (row["false"], row["removed"], row["again"]) == (0, 1, 0)


def test_short_texts_have_four_to_twelve_words(monkeypatch: pytest.MonkeyPatch) -> None:
    class Test:
        inputs = sentences(20, seed=4)

    monkeypatch.setattr(module, "open_dataset", lambda *given, **options: type("Data", (), {"test": Test})())
    monkeypatch.setattr(module, "data_folder", lambda name: name)
    lengths = {len(text.split()) for text in module.short_texts(300)}
    assert lengths == set(range(4, 13)) and module.short_texts(5) == module.short_texts(5)
    row = module.timed(50)
    assert row["texts"] == 50 and row["clusters"] <= 50 and row["peak_mb"] >= row["peak_mb_before"] > 0
