"""A round in Python, as the command makes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanformer.curate.active.proposal import propose
from leanformer.data.dataset import open_dataset
from leanformer.errors import DataError, LeanformerError
from tests.cli.test_label import bare, texts
from tests.making.commands import write_lines


def test_the_audit_is_drawn_beside_what_is_chosen(tmp_path: Path) -> None:
    pool = write_lines(tmp_path / "pool.jsonl", bare(texts(60, 1)))
    write_lines(tmp_path / "data" / "train.jsonl", texts(30, 2))
    data = open_dataset(tmp_path / "data", carve=False)
    first = propose(pool, count=20, audit=10, data=data, strategy="margin")
    audited = [
        {row["line"] for row in propose(pool, count=count, audit=10, data=data).rows if row["audit"]}
        for count in (5, 50)
    ]
    assert {row["line"] for row in first.rows if row["audit"]} == audited[0] == audited[1]
    assert len({row["line"] for row in first.rows}) == 30
    assert first.rows == propose(pool, count=20, audit=10, data=data, strategy="margin").rows
    assert first.rows != propose(pool, count=20, audit=10, data=data, strategy="margin", seed=14).rows
    shares = [row["probability"] for row in first.rows if not row["audit"]]
    others = [row["probability"] for row in first.rows if row["audit"]]
    assert sum(shares) / len(shares) < sum(others) / len(others), "the model is less sure of those it chose"
    assert first.status["labels"].keys() == {"app", "card", "loan"} and sum(first.status["labels"].values()) == 30


def test_too_few_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="6 rows are to be chosen, and of its 5 rows 5 can be"):
        propose(write_lines(tmp_path / "pool.jsonl", bare(texts(5, 1))), count=6)
    pool = write_lines(tmp_path / "pool.jsonl", bare(texts(1, 1)))
    with pytest.raises(DataError, match="1 row and 1 for the audit are to be chosen, and of its 1 row 1 can be"):
        propose(pool, count=1, audit=1)


def test_a_strategy_that_needs_two_labels(tmp_path: Path) -> None:
    pool = write_lines(tmp_path / "pool.jsonl", bare(texts(5, 1)))
    with pytest.raises(LeanformerError, match="two labels, and no rows are labelled yet\n"):
        propose(pool, count=1, strategy="margin")
    rows = [row | {"label": "app", "audit": False} for row in propose(pool, count=2).rows]
    with pytest.raises(LeanformerError, match="two labels, and all labelled rows have one label\n"):
        propose(pool, count=1, strategy="margin", labelled=[write_lines(tmp_path / "round.jsonl", rows)])
