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
        token_budget: maximum number of tokens per forward pass, including padding; larger steps are accumulated.
        learning_rate: peak learning rate.
        warmup: share of all steps with a linearly rising learning rate; afterwards it decays by `schedule`.
        weight_decay: of AdamW, on matrices only, not on biases and norms.
        clip: maximum norm of the gradient.
        precision: "auto", "fp32" or "bf16".
        seed: of batch order and dropout.
        language_temperature: 1 uses every text once per epoch; above 1, languages are sampled more evenly (see
            `feeds.by_group`). No effect on data without languages.
        checkpoint_seconds: wall-clock seconds between checkpoints within an epoch.
        schedule: learning rate decay after the warm-up, one of `schedules.SCHEDULES`.
        keep_start: also score the initial weights, and keep them if nothing is better.
        parts: name and value of each additional part of the run, see `train.parts`.
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
        """The settings by name; `parts` only if there are any, so that older runs and records stay valid."""
        parts = {"parts": [list(part) for part in self.parts]} if self.parts else {}
        return {name: value for name, value in self.__dict__.items() if name != "parts"} | parts
