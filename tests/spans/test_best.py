"""The best spans of a context."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.spans import best
from leanformer.spans.best import NOWHERE, best_spans, score_of


def brute(values: np.ndarray, longest: int, count: int) -> list[tuple[float, int, int]]:
    found = [
        (float(values[1 + start, 0]) + float(values[end, 1]), start, end)
        for start in range(len(values) - 1)
        for end in range(start + 1, min(start + longest, len(values) - 1) + 1)
        if values[1 + start, 0] > NOWHERE / 2 and values[end, 1] > NOWHERE / 2
    ]
    return sorted(found, key=lambda each: (-each[0], each[1], each[2]))[:count]


@pytest.mark.parametrize("block", [2, 256])
def test_they_are_those_of_all_spans(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(best, "_BLOCK", block)
    generator = np.random.default_rng(0)
    for _ in range(40):
        values = generator.normal(size=(20, 2)).astype(np.float32)
        values[generator.random((20, 2)) < 0.4] = NOWHERE
        values[0] = 0
        every = brute(values, 6, 10_000)
        for count in (1, 4):
            found = best_spans(values, 6, count)
            assert [tuple(span) for span in found.spans.tolist()] == [(start, end) for _, start, end in every[:count]]
            assert found.scores == pytest.approx([score for score, _, _ in every[:count]])
        assert found.total == pytest.approx(np.logaddexp.reduce([score for score, _, _ in every]) if every else -np.inf)


@pytest.mark.parametrize("count", [1, 3])
def test_of_equal_spans_the_first_and_shortest_is_the_best(count: int) -> None:
    """Also where several are asked for, so that the first of a prediction is the answer that is decided for."""
    found = best_spans(np.zeros((40, 2), dtype=np.float32), None, count)
    assert found.spans.tolist() == [[0, 1], [0, 2], [0, 3]][:count]


def test_a_context_without_tokens_has_none() -> None:
    values = np.full((4, 2), NOWHERE, dtype=np.float32)
    values[0] = 0
    found = best_spans(values, None, 3)
    assert len(found.spans) == 0 and found.total == -np.inf


def test_no_answer_has_the_score_nought() -> None:
    values = np.array([[0, 0], [1, 2], [3, 4]], dtype=np.float32)
    assert score_of(values, 0, 2) == 5 and score_of(values, 0, 0) == 0
