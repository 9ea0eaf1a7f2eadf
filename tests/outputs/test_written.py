"""Files that a command may write again, known by their content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leanformer.outputs.written import is_answers, is_unanswered

LABEL = {"text": "goal", "label": "sport", "probabilities": {"sport": 1.0}}
SPAN = {"start": 0, "end": 3, "label": "PER"}


@pytest.mark.parametrize(
    "rows",
    [
        [LABEL],
        [{"row": 1, "id": "a", **LABEL}, {"row": 2, "error": "empty text"}],
        [{"text": "goal", "labels": [], "probabilities": {"sport": 0.1}}],
        [{"text": "goal", "vector": [0.1, 0.2]}],
        [{"text": "Ada", "spans": [SPAN | {"probability": 0.9}]}, {"text": "goal", "spans": []}],
        [{"row": 1, "text": "goal", "score": 0.25}, {"row": 2, "text": "rain", "score": 3.5}],
    ],
)
def test_answers_are_known(rows: list[dict[str, Any]], tmp_path: Path):
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert is_answers(tmp_path / "a.jsonl")


@pytest.mark.parametrize(
    "text",
    [
        "years of work", "[]", "3\n", '{"half', '{"text": "goal", "label": "sport"}', '{"text": "goal", "score": 1.5}',
        '{"text": "Ada", "spans": [{"start": 0, "end": 3, "label": "PER"}]}', '{"text": "goal", "spans": []}',
        '{"error": "no"}', json.dumps(LABEL) + "\nmy notes\n", json.dumps(LABEL) + "\n\n", "[" * 100_000,
        '{"row": 7, "text": "goal", "score": 0.5}', '{"text": "goal", "row": 1, "score": 0.5}',
        json.dumps(LABEL) + "\n" + '{"text": "goal", "label": "sport"}', '{"probabilities": {"a": 1}}',
    ],
)  # fmt: skip
def test_what_only_looks_like_answers_is_not_ours(text: str, tmp_path: Path):
    (tmp_path / "a.jsonl").write_text(text)
    assert not is_answers(tmp_path / "a.jsonl")


def test_line_separators_in_a_text_end_no_row(tmp_path: Path):
    rows = [{"text": text, "label": None, "audit": False, "strategy": "margin"} for text in ("a\u2028b", "a\x85b")]
    written = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (tmp_path / "a.jsonl").write_text(written, encoding="utf-8")
    assert is_unanswered(tmp_path / "a.jsonl")
    (tmp_path / "a.jsonl").write_text(written + "\n", encoding="utf-8")
    assert not is_unanswered(tmp_path / "a.jsonl")
