"""The rate of training is operations by seconds."""

from __future__ import annotations

import pytest

from leanformer.scaling import TRAINING_FLOPS
from leanformer.train import training_rate


def test_a_rate_is_operations_by_seconds(monkeypatch: pytest.MonkeyPatch):
    clock = iter(range(100))
    monkeypatch.setattr(training_rate.time, "perf_counter", lambda: float(next(clock)))
    monkeypatch.setattr(training_rate, "_WIDTH", 64)
    monkeypatch.setattr(training_rate, "_TOKENS", 4)
    parameters = 2 * (4 * 64 * 64 + 4 * 64 + 2 * 4 * 64 * 64 + 4 * 64 + 64 + 4 * 64)
    rate = training_rate.measure_training(threads=1, seconds=5)
    assert rate.flops_per_second == TRAINING_FLOPS * parameters * 16 * 4
