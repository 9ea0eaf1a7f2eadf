"""How the learning rate falls, at its ends and in the middle."""

from __future__ import annotations

import pytest

from leanformer.train.schedules import cosine, linear, rate
from leanformer.train.settings import FitSettings


def test_linear_and_cosine_at_their_ends_and_in_the_middle() -> None:
    assert [linear(4.0, done, 8) for done in (0, 4, 8)] == [4.0, 2.0, 0.0]
    assert [cosine(4.0, done, 8) for done in (0, 4, 8)] == pytest.approx([4.0, 2.0, 1e-8])
    assert cosine(4.0, 2, 8) == pytest.approx(2 + 2 * 0.5**0.5)


def test_a_cosine_falls_at_every_step() -> None:
    settings = FitSettings(learning_rate=1.0, warmup=0.0, schedule="cosine")
    rates = [rate(step, 50, settings) for step in range(1, 50)]
    assert rates == sorted(rates, reverse=True) and rates[0] > 0.99 and rates[-1] < 0.01


def test_another_schedule_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown schedule 'step'; one of linear, cosine"):
        rate(0, 10, FitSettings(schedule="step"))
