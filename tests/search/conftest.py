"""What most tests of the search start from: a tiny teacher, and no rest between timings."""

from __future__ import annotations

from pathlib import Path

import pytest

from leanformer.artifact import Artifact
from leanformer.measure import speed
from tests.making.tiny import tiny_artifact


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "_SETTLE_SECONDS", 0)


@pytest.fixture
def teacher(tmp_path: Path) -> Artifact:
    return tiny_artifact(tmp_path / "teacher")
