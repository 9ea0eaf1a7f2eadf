"""The progress of a training run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Progress:
    """Progress of a run: `step` optimiser steps of `epoch` are done; scores are dev scores, higher is better."""

    fingerprint: str
    epoch: int = 0
    step: int = 0
    best: float | None = None
    best_epoch: int = -1
    scores: tuple[float, ...] = ()
    seconds: float = 0.0
    finished: bool = False
