"""Vocabularies beside each other: what is counted."""

from __future__ import annotations

from pathlib import Path

from benchmarks.xtremedistil.pieces import counts
from leanformer.compress.vocabulary.learnt_pieces import learn_pieces
from leanformer.data.examples import Examples
from tests.making.tagged import TASK


def test_pieces_are_counted_by_language(tmp_path: Path) -> None:
    made = learn_pieces(("Das Haus", "das Haus", "Haus") * 5, 100, cased=False)
    made.enable_padding(length=9)  # as a file may ask for
    made.save(str(tmp_path / "tokenizer.json"))
    examples = Examples(TASK, ("das haus", "das жук"), None, languages=("de", "ru"))
    found = counts(tmp_path / "tokenizer.json", examples)
    assert found["de"] == {"pieces": 1.0, "unknown": 0.0, "n": 2}
    assert found["ru"] == {"pieces": 1.0, "unknown": 50.0, "n": 2}
