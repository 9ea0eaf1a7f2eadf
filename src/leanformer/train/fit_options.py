"""The options that training steps share: how to fit, with which optimiser, and on which texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from leanformer.options import Options

if TYPE_CHECKING:
    from leanformer.train.settings import FitSettings

PRECISIONS = ("auto", "fp32", "bf16")


@dataclass(frozen=True)
class FitOptions(Options):
    """How a model is fitted."""

    epochs: int = 3  # passes over the training texts; the best on dev is kept
    least_steps: int = 0  # more epochs than `epochs` where they would have fewer optimiser steps than this
    batch_size: int = 64  # texts per optimiser step
    language_temperature: float = 1.0  # above 1 languages, where they are known, are sampled more evenly
    learning_rate: float = 1e-4  # at its peak
    warmup: float = 0.06  # share of the steps in which the rate rises
    token_budget: int = 8192  # most tokens per forward pass; larger steps are accumulated

    group: ClassVar[str] = "fit"

    def __post_init__(self) -> None:
        self.at_least(1, "epochs", "batch_size", "token_budget")
        self.at_least(0, "least_steps")
        self.above(0, "learning_rate", "language_temperature")
        self.share_below_one("warmup")
        super().__post_init__()

    def epochs_of(self, rows: int, epochs: int | None = None) -> int:
        """How many epochs over `rows` texts: `epochs` (by default the option), or more to make `least_steps`."""
        return max(epochs or self.epochs, -(-self.least_steps // -(-rows // self.batch_size)))

    def settings(self, seed: int, **others: Any) -> FitSettings:
        """The settings of the training loop that these options say; `others` by name."""
        from leanformer.train.settings import FitSettings

        chosen = {"epochs": self.epochs, **others}
        return FitSettings(
            batch_size=self.batch_size, token_budget=self.token_budget, learning_rate=self.learning_rate,
            warmup=self.warmup, seed=seed, language_temperature=self.language_temperature, **chosen,
        )  # fmt: skip


@dataclass(frozen=True)
class AdamWOptions(FitOptions):
    """How a Transformer is fitted."""

    weight_decay: float = 0.01  # of AdamW, on matrices only
    precision: str = "auto"  # "auto", "fp32" or "bf16"

    group: ClassVar[str] = "fit"

    def __post_init__(self) -> None:
        self.at_least(0, "weight_decay")
        self.one_of("precision", PRECISIONS)
        super().__post_init__()

    def settings(self, seed: int, **others: Any) -> FitSettings:
        return super().settings(seed, **{"weight_decay": self.weight_decay, "precision": self.precision, **others})


@dataclass(frozen=True)
class TextOptions(Options):
    """Which texts a student is fitted on."""

    use_unlabelled: bool = True  # train on the unlabelled split too

    group: ClassVar[str] = "texts"
