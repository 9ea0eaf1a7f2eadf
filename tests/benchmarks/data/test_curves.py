"""What a part of train foretells, on data whose curve is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.data import curves
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.task import Task

TASK = Task("classification", ("a", "b"))


@pytest.mark.parametrize(("limit", "within"), [(0.1, True), (None, False)])
def test_a_power_law_is_foretold_and_a_jump_is_not(
    limit: float | None, within: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def quality(rows: np.ndarray) -> float:
        return 1 - (0.4 if limit is None and len(rows) < 900 else (limit or 0.1) + len(rows) ** -0.5)

    monkeypatch.setitem(curves.FEATURES, "n-grams", lambda data: quality)
    part = Examples(TASK, tuple(map(str, range(1000))), tuple(row % 2 for row in range(1000)))
    found = curves.foretold(Dataset(TASK, train=part, dev=part), "n-grams")
    assert found["sizes"][-1] == 400 and found["rows"] == 1000 and found["within"] is within
    assert found["actual"] == pytest.approx(100 * (0.9 - 1000**-0.5), abs=0.01)
    assert found["error"] == pytest.approx(found["foretold"] - found["actual"], abs=0.01)
    assert within or not found["in_interval"]
