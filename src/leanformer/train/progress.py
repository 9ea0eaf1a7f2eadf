"""Where a training run stands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Progress:
    """Where a run stands: `step` optimiser steps of `epoch` are done; scores are dev scores, highest best."""

    fingerprint: str
    epoch: int = 0
    step: int = 0
    best: float | None = None
    best_epoch: int = -1
    scores: tuple[float, ...] = ()
    seconds: float = 0.0
    finished: bool = False
