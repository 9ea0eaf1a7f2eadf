"""What benchmarks write while they are tested does not lie among the project's results."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import provenance


@pytest.fixture(autouse=True)
def records_elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Records of sources go to a folder of the test."""
    folder: Path = tmp_path_factory.mktemp("results")
    monkeypatch.setattr(provenance, "RESULTS", folder)
    return folder
