"""What is found in a small data set whose findings are known, and which rows would go."""

from __future__ import annotations

from dataclasses import replace

import pytest

from leanformer.curate.curation import find, removal, shared_groups
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError
from tests.making.tiny import TASK

LONG = "please send the card to my new address"
OTHER = "the weather is fine today and tomorrow"


def part(*rows: tuple[str, int], lines: tuple[int, ...] | None = None) -> Examples:
    return Examples(TASK, tuple(text for text, _ in rows), tuple(label for _, label in rows), lines=lines)


DATA = Dataset(
    TASK,
    train=part((LONG, 0), ("short", 1), (LONG.upper(), 0), (f"{LONG}!", 2), (OTHER, 1), lines=(1, 3, 4, 5, 8)),
    dev=part((f"{OTHER}.", 1), ("nothing like it", 0)),
    test=part((OTHER, 2), ("also nothing like it", 0)),
    unlabelled=Examples(TASK, ("Short", "new text", "new  text", LONG), None),
)


def test_clusters_leaks_and_conflicts_are_found_with_their_lines() -> None:
    found = find(DATA)
    (cluster,) = found.clusters
    assert [place.line for place in cluster.places] == [1, 4, 5] and cluster.kind == "near" and cluster.conflicting
    assert [place.label for place in cluster.places] == ["music", "music", "weather"]
    assert [(leak.place.split, leak.kind, leak.other.line) for leak in found.leaks] == [
        ("test", "exact", 8), ("dev", "near", 8)
    ]  # fmt: skip
    assert [(leak.place.row, leak.kind, leak.other.split) for leak in found.between] == [(0, "near", "test")]
    assert found.groups is None
    assert found.card.splits["test"].leaks == {"exact": 1, "near": 0}


@pytest.mark.parametrize(("conflicting", "kept"), [("first", [0, 1, 3]), ("none", [0, 1, 3]), ("keep", [0, 1, 2, 3])])
def test_rows_go_for_a_reason_and_labels_stay(conflicting: str, kept: list[int]) -> None:
    """Row 3 is the only one of weather, and row 0 of music where none of the cluster is to be kept."""
    found = removal(DATA, find(DATA), conflicting)
    assert found.kept == {"train": kept, "unlabelled": [1]}
    assert found.leaked == 1 and found.removed == 5 - len(kept) + 3
    assert found.conflicting == (conflicting == "none")
    assert [place.row for place in found.needed] == {"first": [3], "none": [0, 3], "keep": []}[conflicting]


def test_nothing_goes_from_clean_data() -> None:
    clean = replace(DATA, train=part((LONG, 0), ("short", 1)), dev=None, test=None, unlabelled=None)
    found = find(clean)
    assert not (found.clusters or found.leaks or found.between) and removal(clean, found).removed == 0


def test_without_train_there_is_nothing_to_do() -> None:
    with pytest.raises(DataError, match="no train split, only dev, test, unlabelled"):
        find(replace(DATA, train=None))


def test_groups_in_one_split_are_left_out() -> None:
    found = shared_groups({"train": ["a", "d", "d", "d", "b", None], "test": ["d", "b", "c", None], "dev": ["b"]})
    assert [(group.value, group.rows) for group in found] == [
        ("b", {"train": 1, "test": 1, "dev": 1}), ("d", {"train": 3, "test": 1})
    ]  # fmt: skip
