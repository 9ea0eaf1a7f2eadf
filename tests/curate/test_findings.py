"""Findings as JSON: counts by kind, and places with lines and labels."""

from __future__ import annotations

import json

from leanformer.curate.findings import Cluster, Findings, Leak, Place, SharedGroup, by_kind, repeats
from leanformer.data.card import DataCard, SplitCard

ROWS = [Place("train", row, row + 1, f"text {row}", "yes") for row in range(5)]
ASKED = Place("test", 0, 2, "text 0", None)
FOUND = Findings(
    DataCard("mine", "classification", ("yes",), {"train": SplitCard(5)}),
    clusters=(Cluster(tuple(ROWS[:3]), "exact", False), Cluster(tuple(ROWS[3:]), "near", True)),
    leaks=(Leak(ASKED, ROWS[0], "exact"), Leak(ASKED, ROWS[1], "near")),
    between=(),
    groups=(SharedGroup("ann", {"train": 2, "test": 1}),),
    column="author",
)


def test_counts_are_by_kind() -> None:
    assert repeats(FOUND.clusters) == {"clusters": 2, "rows": 5, "repeats": 3}
    assert repeats(FOUND.clusters_of("near")) == {"clusters": 1, "rows": 2, "repeats": 1}
    assert FOUND.conflicting == FOUND.clusters[1:]
    assert by_kind(FOUND.leaks) == {"exact": 1, "near": 1}
    assert FOUND.leaks_of("test") == FOUND.leaks and FOUND.leaks_of("dev") == ()


def test_json_has_what_a_person_looks_up() -> None:
    value = json.loads(json.dumps(FOUND.to_json()))
    assert value["clusters"]["conflicting"] == {"clusters": 1, "rows": 2, "repeats": 1}
    assert value["leaks"][0]["row"] == {"split": "test", "line": 2, "text": "text 0", "label": None}
    assert value["leaks"][0]["in"]["line"] == 1 and value["column"] == "author"
    assert value["groups"] == [{"value": "ann", "rows": {"train": 2, "test": 1}}]
    assert FOUND.clusters[1].to_json()["rows"][0]["label"] == "yes"
    assert Place("train", 0, 1, "text", "yes", "de").to_json()["language"] == "de"
