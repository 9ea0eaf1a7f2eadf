"""Options shared by training steps: how to fit, with which optimiser, and on which texts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from leanformer.errors import LeanformerError, RecipeError
from leanformer.options import Options
from leanformer.train.adapters.spec import read_spec

if TYPE_CHECKING:
    from leanformer.train.settings import FitSettings

PRECISIONS = ("auto", "fp32", "bf16")


def part(maker: str) -> Any:
    """An option, null by default, whose value adds a part to the run: "module:maker" below `leanformer.train`.

    If it is null, records, identities and keys are the same as without the option.
    """
    return field(default=None, metadata={"part": maker, "later": True})


@dataclass(frozen=True)
class FitOptions(Options):
    """Options for fitting a model."""

    epochs: int = 3  # passes over the training texts; the best on dev is kept
    least_steps: int = 0  # more epochs than `epochs` where they would have fewer optimiser steps than this
    batch_size: int = 64  # texts per optimiser step
    language_temperature: float = 1.0  # above 1 languages, where they are known, are sampled more evenly
    learning_rate: float = 1e-4  # at its peak; an adapter's own, unless it is changed
    warmup: float = 0.06  # share of the steps in which the rate rises
    token_budget: int = 8192  # most tokens per forward pass; larger steps are accumulated
    averaging: float | None = part("hooks.averaging:Averaging")  # score and keep a moving average of weights: its decay
    curriculum: str | None = part("feeds.curriculum:Curriculum")  # easy texts first: "length" or "rarity", "-linear"
    adapter: str | None = part("adapters.kinds:adapter")  # train few parameters: "lora", "dora", "ia3" or "bitfit"
    layer_drop: float | None = part("hooks.layer_drop:LayerDrop")  # leave each layer out of a step: its probability
    uncertainty: bool | None = part("objectives.uncertainty:Uncertainty")  # learn the weights of several losses
    checkpointing: bool | None = part("hooks.checkpointing:Checkpointing")  # less memory for more time, same weights

    memory: str | None = part("hooks.within_memory:WithinMemory")  # plan the training to fit: "2GB" of resident memory
    eight_bit_states: bool | None = part("optimisers:EightBitStates")  # AdamW's moments in a quarter of the memory

    group: ClassVar[str] = "fit"

    def __post_init__(self) -> None:
        self.at_least(1, "epochs", "batch_size", "token_budget")
        self.at_least(0, "least_steps")
        self.above(0, "learning_rate", "language_temperature")
        self.share_below_one("warmup")
        self._check_parts()
        super().__post_init__()

    def _check_parts(self) -> None:
        """Validate the values of parts. Without torch, they are validated when the fit starts on another machine."""
        if self.parts and find_spec("torch") is not None:
            try:
                made_parts(self.parts)
            except LeanformerError as error:
                raise RecipeError(f"{self.technique}: {error}") from error

    @property
    def parts(self) -> tuple[tuple[str, Any], ...]:
        """Name and value of each part that is set."""
        named = [option.name for option in fields(self) if "part" in option.metadata]
        return tuple((name, getattr(self, name)) for name in named if getattr(self, name) is not None)

    def epochs_of(self, rows: int, epochs: int | None = None) -> int:
        """The number of epochs over `rows` texts: `epochs` (by default the option), or more to reach `least_steps`."""
        return max(epochs or self.epochs, -(-self.least_steps // -(-rows // self.batch_size)))

    @property
    def peak_rate(self) -> float:
        """The learning rate: an adapter's own if it has one, or if `learning_rate` is left at the default."""
        if self.adapter is None:
            return self.learning_rate
        spec = read_spec(self.adapter)
        usual = next(option.default for option in fields(self) if option.name == "learning_rate")
        return spec.rate if spec.own_rate or self.learning_rate == usual else self.learning_rate

    def settings(self, seed: int, **others: Any) -> FitSettings:
        """The settings of the training loop for these options; `others` sets more of them by name."""
        from leanformer.train.settings import FitSettings

        chosen = {"epochs": self.epochs, **others}
        return FitSettings(
            batch_size=self.batch_size, token_budget=self.token_budget, learning_rate=self.peak_rate,
            warmup=self.warmup, seed=seed, language_temperature=self.language_temperature,
            parts=self.parts, **chosen,
        )  # fmt: skip


PARTS: dict[str, str] = {
    option.name: option.metadata["part"] for option in fields(FitOptions) if "part" in option.metadata
}
"""Name of a part of a run -> its "module:maker"."""


def made_parts(values: Iterable[tuple[str, Any]]) -> list[Any]:
    """Create the parts from names and values, see `train.parts`.

    Raises `LeanformerError` for an unknown name or an invalid value.
    """
    parts = []
    for name, value in values:
        if name not in PARTS:
            raise LeanformerError(f"training has no part {name!r}\n  remedy: one of {', '.join(PARTS)}")
        module, _, maker = PARTS[name].partition(":")
        parts.append(getattr(import_module(f"leanformer.train.{module}"), maker)(value))
    return parts


@dataclass(frozen=True)
class AdamWOptions(FitOptions):
    """Options for fitting a Transformer."""

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
    """Options for the texts that a student is fitted on."""

    use_unlabelled: bool = True  # train on the unlabelled split too

    group: ClassVar[str] = "texts"
