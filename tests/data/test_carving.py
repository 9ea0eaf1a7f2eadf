"""Properties of the dev split taken out of train."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from leanformer.data.carving import carve_dev
from leanformer.data.overlap import normalise_text

ROWS = st.lists(st.tuples(st.sampled_from([f"t{i}" for i in range(30)]), st.integers(0, 4)), min_size=1, max_size=80)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(0, 5))
def test_texts_stay_together_and_classes_stay_in_train(rows: list[tuple[str, int]], seed: int) -> None:
    keys, labels = [key for key, _ in rows], [label for _, label in rows]
    chosen = set(carve_dev(keys, labels, seed))
    dev = {keys[row] for row in chosen}
    train = {keys[row] for row in range(len(rows)) if row not in chosen}
    assert not dev & train
    assert set(labels) == {labels[row] for row in range(len(rows)) if row not in chosen}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=20, max_size=200), st.randoms(use_true_random=False))
def test_a_tenth_stratified_whatever_the_order(labels: list[int], shuffle: object) -> None:
    keys = [f"text {row}" for row in range(len(labels))]
    chosen = carve_dev(keys, labels, 13)
    sizes, taken = Counter(labels), Counter(labels[row] for row in chosen)
    assert all(abs(taken[label] - size / 10) <= 1 for label, size in sizes.items())
    # A class of one text cannot give any, so its share of the remainders may be lost.
    assert round(len(labels) / 10) - sum(size == 1 for size in sizes.values()) <= len(chosen)
    assert len(chosen) <= round(len(labels) / 10)
    order = list(range(len(labels)))
    shuffle.shuffle(order)  # type: ignore[attr-defined]
    again = carve_dev([keys[row] for row in order], [labels[row] for row in order], 13)
    assert {order[row] for row in again} == set(chosen)


def test_another_seed_takes_other_rows_from_all_over_the_file() -> None:
    """In a file that is sorted by text, as in any other."""
    keys = [f"text {row:03}" for row in range(300)]
    first, again, other = (set(carve_dev(keys, [0] * 300, seed)) for seed in (13, 13, 14))
    assert first == again and len(first & other) < 15
    for chosen in (first, other):
        assert all(4 <= len(chosen & set(range(start, start + 100))) <= 17 for start in (0, 100, 200))


def test_small_classes_share_what_is_left_over() -> None:
    labels = [row // 4 for row in range(40)]
    assert len(carve_dev([str(row) for row in range(40)], labels, 13)) == 4


def test_heavily_repeated_texts_still_give_a_dev_split() -> None:
    keys = [str(row % 3) for row in range(60)]
    assert len(carve_dev(keys, [0] * 60, 13)) == 20


def test_normalised_text() -> None:
    assert normalise_text(" Stra\u00dfe\t\u2460 ") == "strasse 1"
    assert normalise_text(("a", "b c")) != normalise_text(("a b", "c"))
