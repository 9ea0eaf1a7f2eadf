"""What ends a compression; whole runs are in tests/e2e and tests/recipe/test_compress.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanformer.kept import keep
from leanformer.recipe.delivery import read_measured
from tests.making.reports import make_report, make_rung


def test_figures_of_another_machine_are_not_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    report = make_report(make_rung())
    keep(tmp_path / "measured.json", report.to_json())
    for machine, found in ((report.machine, report), (dict(report.machine) | {"cpu": "another"}, None)):
        monkeypatch.setattr("leanformer.recipe.delivery.fingerprint", lambda threads, machine=machine: machine)
        assert read_measured(tmp_path / "measured.json", 1, lambda line: None) == found
