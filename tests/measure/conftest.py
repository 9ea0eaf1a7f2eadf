"""Threads come to rest before timing so that figures are fair; here no figure is looked at."""

from __future__ import annotations

import pytest

from leanformer.measure import speed


@pytest.fixture(autouse=True)
def no_rest_between_predictors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed, "_SETTLE_SECONDS", 0)
