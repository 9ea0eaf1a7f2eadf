"""What is said of a cascade's promise, from its line in the history."""

from __future__ import annotations

from typing import Any

import pytest

from leanformer.render.cascade import calibration_lines, without_promise

CALIBRATION: dict[str, Any] = {
    "promise": {"max_loss": 0.5, "confidence": 0.95, "of": "accuracy"}, "plan": {}, "rows": 700, "p": 0.01,
    "limit": 0.004, "answered": [0.8, 0.2], "counts": {"lost": 1, "gained": 0, "changed": 2},
}  # fmt: skip
PLAN = {"measure": "margin", "temperatures": [1.0], "thresholds": [0.5]}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"step": "cascade"}, None),
        ({"step": "cascade", "no_promise": "because"}, "because"),
        ({"step": "export.cascade", "options": {"on": "dev", "calibrate": "own.jsonl"}}, None),
        ({"step": "export.cascade", "options": {"on": "dev", "calibrate": None}, "no_promise": "because"}, "because"),
        ({"step": "export.cascade", "options": {"on": "dev"}}, "which may have chosen its models"),
    ],
)
def test_who_promises_nothing(entry: dict[str, Any], said: str | None):
    found = without_promise(entry)
    assert found is None if said is None else found is not None and said in found


def test_a_promise_and_none():
    promised = calibration_lines(PLAN, CALIBRATION)
    assert "promise: at most 0.5 points of accuracy lost, 95 % confidence" in promised
    lines = calibration_lines(PLAN, CALIBRATION, "dev chose them")
    assert lines[2].startswith("promise: none, dev chose them; on those rows: at most 0.5 points")
    assert lines[:2] == promised[:2] and lines[3:] == promised[3:]
    assert "set by hand" in calibration_lines(PLAN, None)[-1]
