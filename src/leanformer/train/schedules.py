"""The learning rate over a run, as functions of the step."""

from __future__ import annotations

import math
from collections.abc import Callable

from leanformer.train.settings import FitSettings

_LEAST_RATE = 1e-8


def linear(peak: float, done: int, steps: int) -> float:
    """Linear decay from `peak` to zero after the last of `steps`, of which `done` are done."""
    return peak * (steps - done) / max(1, steps)


def cosine(peak: float, done: int, steps: int) -> float:
    """Half a cosine (Loshchilov and Hutter 2017), decaying to 1e-8 rather than zero."""
    share = done / max(1, steps)
    return _LEAST_RATE + (peak - _LEAST_RATE) * (1 + math.cos(math.pi * share)) / 2


SCHEDULES: dict[str, Callable[[float, int, int], float]] = {"linear": linear, "cosine": cosine}


def rate(step: int, total: int, settings: FitSettings) -> float:
    """The learning rate of step number `step` (from 0) of `total`: a linear warm-up, then the schedule.

    Raises `ValueError` for an unknown schedule.
    """
    if settings.schedule not in SCHEDULES:
        raise ValueError(f"unknown schedule {settings.schedule!r}; one of {', '.join(SCHEDULES)}")
    warmup = max(1, round(settings.warmup * total))
    if step < warmup:
        return settings.learning_rate * (step + 1) / warmup
    return SCHEDULES[settings.schedule](settings.learning_rate, step - warmup, total - warmup)
