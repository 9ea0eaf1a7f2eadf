"""The table of peaks: the summary, the texts, and one cell in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.training import memory
from benchmarks.training.memory import _apart, summary, texts_of
from leanformer.tokenizer import Tokenizer
from tests.making.checkpoints import save_bert
from tests.making.tiny import tiny_tokenizer


def test_the_summary_tells_the_largest_error_and_amounts_that_were_not_kept_to() -> None:
    cells = [
        {"settings": {"options": {}}, "peak_gb": 3.0},
        {"settings": {"options": {"memory": "2GB"}}, "peak_gb": 1.9, "error": -0.02},
        {"settings": {"options": {"memory": "1GB"}}, "peak_gb": 1.1, "error": -0.1},
    ]
    assert summary(cells) == {"foreseen": 2, "largest_error": 0.1, "over_the_amount": ["1GB: 1.1"]}
    assert summary(cells[:1])["largest_error"] is None


def test_texts_have_so_many_tokens(tmp_path: Path) -> None:
    path = tiny_tokenizer(tmp_path)
    rows = Tokenizer(path, 64).encode(texts_of(path, 20, 6, 1))
    assert [len(row) for row in rows] == [5, 6, 7, 20, 20, 20]


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is told by Linux alone")
def test_a_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEANFORMER_ENCODERS", str(save_bert(tmp_path / "bert").parent))
    assert ("mpnet", 64, 16, {"memory": "2GB"}) in memory.CASES
    told = {"encoder": "bert", "tokens": 12, "rows": 8, "steps": 3, "threads": 1, "options": {"memory": "9GB"}}
    found = _apart(told)
    assert found["peak_gb"] > 0.1 and abs(found["error"]) < 0.15 and "blocks of 8,192 tokens" in found["plan"]
    assert found["step_seconds"] >= 0 and "process" in found["parts"]
