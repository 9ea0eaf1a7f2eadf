"""The fuzzer of bodies, a few hundred of them; `python -m tests.fuzz.bodies` sends as many as it is told to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fuzz import bodies


@pytest.mark.slow
def test_nothing_is_found(tmp_path: Path):
    with bodies.target(tmp_path, "--workers", 1) as server:
        found = bodies.run(server, 600, seed=1)
    assert found.count == 600
    assert found.findings == []
    assert {"200", "422", "400"} <= set(found.statuses)


def test_a_seed_gives_the_same_requests():
    assert list(bodies.requests(50, 3)) == list(bodies.requests(50, 3))
    assert list(bodies.requests(50, 3)) != list(bodies.requests(50, 4))


@pytest.mark.parametrize(
    ("route", "status", "content", "why"),
    [
        ("/predict", 500, b'{"error": "x", "error_type": "internal"}', "status 500"),
        ("/predict", 200, b'[{"label": "a", "score": NaN}]', "not finite"),
        ("/embed", 200, b"[[Infinity]]", "not finite"),
        ("/predict", 422, b"{}", "without its kind"),
        ("/tag/stream", 200, b'{"index": 0, "error": "x", "error_type": "internal"}\n', "internal"),
        ("/predict", 200, b"<html>", "no JSON"),
    ],
)
def test_a_wrong_answer_would_be_seen(route: str, status: int, content: bytes, why: str):
    found = bodies.wrong_with(route, status, content)
    assert found is not None and why in found


def test_right_answers_are_no_findings():
    for status, value in ((200, [{"label": "a", "score": 0.5}]), (422, {"error": "x", "error_type": "validation"})):
        assert bodies.wrong_with("/predict", status, json.dumps(value).encode()) is None
