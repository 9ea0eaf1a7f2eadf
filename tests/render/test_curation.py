"""The page of `leanformer curate`: short whatever was found, and texts stand in it literally."""

from __future__ import annotations

from dataclasses import replace

from leanformer.curate.curation import Removal
from leanformer.curate.findings import Cluster, Findings, Leak, Place, SharedGroup
from leanformer.data.card import DataCard, SplitCard
from leanformer.render.curation import curation_markdown, found_lines, removed_line, to_do

ROWS = [Place("train", row, row + 1, f"<b>text</b> {row}", f"label {row % 2}") for row in range(90)]
CARD = DataCard("mine", "classification", ("label 0", "label 1"), {"train": SplitCard(90, short=1)}, licence="CC0")
NOTHING = Findings(replace(CARD, splits={"train": SplitCard(90)}), (), (), ())
MANY = Findings(
    CARD,
    tuple(Cluster(tuple(ROWS[row : row + 3]), kind, True) for row in range(0, 60, 3) for kind in ("exact", "near")),
    tuple(Leak(replace(row, split=split), ROWS[0], kind) for row in ROWS[:20] for split in ("test", "dev")
          for kind in ("exact", "near")),
    tuple(Leak(row, ROWS[0], "near") for row in ROWS[:20]),
    tuple(SharedGroup(f"group {number}", {"train": 2, "test": 1}) for number in range(20)),
    "author",
)  # fmt: skip


def test_a_page_is_short_whatever_was_found() -> None:
    page = curation_markdown(MANY)
    assert len(page.splitlines()) <= 68 and page.startswith("# Data set mine\n")
    for title in ("Different labels", "Test texts in", "Dev texts in test", "Groups of author", "Near repeats"):
        assert f"## {title}" in page
    assert "`<b>text</b> 0`" in page and "Licence: CC0" in page


def test_the_largest_cluster_comes_first() -> None:
    clusters = (Cluster(tuple(ROWS[:2]), "exact", False), Cluster(tuple(ROWS[2:8]), "exact", False))
    page = curation_markdown(replace(NOTHING, clusters=clusters))
    assert page.index("text</b> 2`: lines 3") < page.index("text</b> 0`: lines 1")
    assert "lines 3 (label 0), 4 (label 1), 5 (label 0), 6 (label 1) and 2 more" in page


def test_nothing_is_said_plainly() -> None:
    assert found_lines(NOTHING) == ["no repeats, no near repeats and no leaks were found"]
    assert to_do(NOTHING) == ["Nothing."]
    assert found_lines(replace(NOTHING, groups=(), column="author"))[1:] == [
        "no group of author is in more than one split"
    ]


def test_each_finding_has_its_line() -> None:
    assert found_lines(MANY) == [
        "repeats in train: 60 rows in 20 clusters",
        "near repeats in train: 60 rows in 20 clusters",
        "of these, 40 clusters with different labels",
        "test texts that are in train: 20 exactly, 20 nearly, 20 of them with another label there",
        "dev texts that are in train: 20 exactly, 20 nearly, 20 of them with another label there",
        "dev texts that are in test: 0 exactly, 20 nearly, 10 of them with another label there",
        "groups of author in more than one split: 20",
    ]
    todo = "\n".join(to_do(MANY))
    for part in ("--apply", "--conflicting", "clean test", "divide these two again", "by author", "single word"):
        assert part in todo


def test_what_was_removed_is_told() -> None:
    removed = Removal({"train": [0]}, leaked=3, duplicates=2, conflicting=1, needed=(ROWS[4],))
    todo = "\n".join(to_do(MANY, removed))
    assert "Rows of train that were removed: 6 (3 leaked, 2 duplicates, 1 with conflicting labels)" in todo
    assert "train lines 5" in todo and "--apply" not in todo
    assert removed_line(MANY, removed) == "6 rows of train removed; the other splits are copied"
