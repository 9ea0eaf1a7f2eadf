"""The settings of a training run, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FitSettings:
    """How to train.

    Attributes:
        epochs: passes over the data.
        batch_size: rows per optimiser step.
        token_budget: most tokens, padding included, per forward pass; larger steps are accumulated.
        learning_rate: at its peak.
        warmup: share of all steps in which the rate rises linearly; afterwards it falls as `schedule` says.
        weight_decay: of AdamW, on matrices only, not on biases and norms.
        clip: largest norm of the gradient.
        precision: "auto", "fp32" or "bf16".
        seed: of batch order and dropout.
        language_temperature: 1 sees every text once an epoch; above it languages are sampled more evenly (see
            `feeds.by_group`). Without languages it changes nothing.
        checkpoint_seconds: wall-clock seconds between checkpoints within an epoch.
        schedule: how the rate falls after the warm-up, one of `schedules.SCHEDULES`.
        keep_start: score the weights that training begins with too, and keep them if nothing is better.
        parts: name and value of each part that is added to the run, see `train.parts`.
    """

    epochs: int = 3
    batch_size: int = 64
    token_budget: int = 8192
    learning_rate: float = 5e-5
    warmup: float = 0.06
    weight_decay: float = 0.01
    clip: float = 1.0
    precision: str = "auto"
    seed: int = 13
    checkpoint_seconds: float = 60.0
    language_temperature: float = 1.0
    schedule: str = "linear"
    keep_start: bool = False
    parts: tuple[tuple[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The settings by name; `parts` only where there are any, so that older runs and records are as they were."""
        parts = {"parts": [list(part) for part in self.parts]} if self.parts else {}
        return {name: value for name, value in self.__dict__.items() if name != "parts"} | parts
