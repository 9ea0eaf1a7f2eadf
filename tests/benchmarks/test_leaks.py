"""The counts of leaks: of data sets made by hand, and how a run adds to what is there."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import leaks
from tests.making.tagged import write_columns
from tests.making.tiny import tiny_dataset


def write_texts(folder: Path) -> None:
    folder.mkdir(parents=True)
    rows = {
        "train": [("a long sentence about nothing in particular", "x"), ("Same", "y"), ("more", "x")],
        "dev": [("dev", "x")],
        "test": [("a long sentence about nothing in particula", "x"), ("same", "y"), ("another", "x")],
    }
    for split, texts in rows.items():
        lines = (json.dumps({"text": text, "label": label}) for text, label in texts)
        (folder / f"{split}.jsonl").write_text("\n".join(lines))


def test_a_run_counts_what_was_asked_and_keeps_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_texts(tmp_path / "trec")
    monkeypatch.setenv("LEANFORMER_DATA", str(tmp_path))
    output = tmp_path / "leaks.json"
    kept = {"sets": {"sst2": {"n": 9, "exact": 1, "near": 1}}}
    output.write_text(json.dumps(kept))
    monkeypatch.setattr(sys, "argv", ["leaks", "trec", "--output", str(output)])
    leaks.main()
    written = json.loads(output.read_text())
    assert written["sets"]["sst2"] == kept["sets"]["sst2"] and "commit" in written
    assert written["sets"]["trec"] == {
        "n": 3, "exact": 1, "near": 2, "compared": ["train"], "rows": {"train": 3}, "what": "test with train",
    }  # fmt: skip
    assert "trec: 1 of 3 in train, 2 nearly" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["leaks", "nonsense", "--output", str(output)])
    with pytest.raises(SystemExit):
        leaks.main()


def test_a_corpus_is_counted_as_drawn_and_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_columns(tmp_path / "tagged", sizes=(80, 20, 20))
    # A sentence of one language's test in the other's train.
    tested = (tmp_path / "tagged" / "aa" / "test.tsv").read_text().split("\n\n")[0]
    train = tmp_path / "tagged" / "bb" / "train.tsv"
    train.write_text(f"{tested}\n\n{train.read_text()}")
    monkeypatch.setenv("LEANFORMER_DATA", str(tmp_path))
    files = leaks.as_it_is("tagged", ("aa", "bb"))
    assert files["exact"] >= 1 and files["compared"] == ["train"] and files["near"] >= files["exact"]
    drawn = leaks.drawn("tagged", ("aa", "bb"), 10, 5, 20)
    assert drawn["exact"] == 0 and drawn["n"] == 10 and drawn["rows"] == {"train": 20, "unlabelled": 20}
    assert drawn["repeats_removed"]["train"] >= 1


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(ValueError, match="has nothing to compare"):
        leaks.counted(replace(tiny_dataset(), train=None, unlabelled=None), "nothing")


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "n", "exact", "near"), [("trec", 500, 11, 12), ("snips", 700, 26, 35), ("mrpc", 1725, 0, 87)]
)
def test_the_stored_counts_are_those_of_the_data(
    name: str, n: int, exact: int, near: int, leanformer_data: Path
) -> None:
    made = leaks.SETS[name]()
    assert (made["n"], made["exact"], made["near"]) == (n, exact, near)
    stored = json.loads((leaks.RESULTS / "leaks.json").read_text())["sets"][name]
    assert {key: stored[key] for key in made} == made
