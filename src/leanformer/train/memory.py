"""Which way of training fits into so much memory, and costs the least time: plain numbers in, a choice out.

The peak of a training is what the process holds (libraries, data, weights), the states of the optimiser, and the
largest of: a block's activations with the gradients, a copy of the best weights, a block of texts that are scored.
Three things make it smaller: smaller blocks (micro-batches), gradient checkpointing, and states of 8 bits. All
combinations are estimated, and the fastest that fits is taken (a planner in the spirit of Sohoni et al. 2019,
arXiv 1904.10631).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Protocol

from leanformer.errors import LeanformerError

_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_AMOUNT = r"([0-9]{1,15}(?:\.[0-9]+)?)\s*([KMGT]i?B)"
# Seconds on one core of a server (AVX-512), to compare choices by; more cores divide all of them.
_FLOPS_PER_SECOND = 4e10
_AGAIN = 4 / 3  # of a step with checkpointing: the forward pass is a third of it, and is done twice
_EIGHT_BITS = 17e-9  # of quantising the moments, per parameter
_PER_BLOCK = 3e-3  # of calling every operation once more
_ADDED = 3e-9  # of adding a gradient to that of earlier blocks, per parameter


def read_bytes(value: object) -> int:
    """The bytes that "2GB", "1500 MB" or "1.5GiB" asks for. Raises `LeanformerError` for anything else."""
    found = re.fullmatch(_AMOUNT, value.strip(), re.IGNORECASE) if isinstance(value, str) else None
    number = 0 if found is None else int(float(found[1]) * _UNITS[found[2].upper()])
    if number <= 0:
        raise LeanformerError(f"memory is an amount with its unit, such as 2GB or 1500MB, not {value!r}")
    return number


class Peak(Protocol):
    """The live bytes of a pass over a block, see `train.activations.Curve`."""

    def peak(self, rows: int, tokens: int) -> int: ...


@dataclass(frozen=True)
class Passes:
    """Over a step's first block, which makes the gradients, over a further one, and over texts that are scored."""

    first: Peak
    further: Peak
    forward: Peak


@dataclass(frozen=True)
class Need:
    """What a training is made of. Amounts are bytes.

    Attributes:
        process: resident between two steps, without the states. weights: those of model and objective, of the process.
        gradients: of the trained parameters. best: of a copy of the best weights.
        states: of the optimiser, whether in 8 bits -> bytes.
        passes: with checkpointing or without -> the passes; what is missing is not possible.
        rows: of an optimiser step, at most. longest: tokens of the longest row. mean: of the average one.
        trained: parameters. layers: of these and the frozen ones, those that are no embedding tables.
    """

    process: int
    weights: int
    gradients: int
    best: int
    states: Mapping[bool, int]
    passes: Mapping[bool, Passes]
    rows: int
    longest: int
    mean: float
    trained: int
    layers: int


@dataclass(frozen=True)
class Choice:
    """A way to train. `parts` are the bytes of its peak by name, and `seconds` an estimate of a step on one core."""

    token_budget: int
    checkpointing: bool
    eight_bit_states: bool
    parts: Mapping[str, int]
    seconds: float

    @property
    def peak(self) -> int:
        return sum(self.parts.values())

    def told(self) -> str:
        """The choice in words."""
        words = [f"blocks of {self.token_budget:,} tokens"]
        words += ["gradient checkpointing"] * self.checkpointing + [
            "optimiser states of 8 bits"
        ] * self.eight_bit_states
        return ", ".join(words)

    def parts_told(self) -> str:
        return ", ".join(f"{name} {_amount(size)}" for name, size in self.parts.items())


def estimated(need: Need, token_budget: int, checkpointing: bool, eight_bit_states: bool) -> Choice:
    """The peak and the time of a step in one way."""
    rows, longest = need.rows, need.longest
    fit = min(rows, max(1, token_budget // longest))
    passes, states = need.passes[checkpointing], need.states[eight_bit_states]
    step = passes.first.peak(fit, longest)
    if rows > fit:
        step = max(step, need.gradients + passes.further.peak(fit, longest))
    scored = passes.forward.peak(max(1, token_budget // longest), longest)
    most = max(step, need.best, scored)
    gradients = min(need.gradients, most)
    parts = {
        "process": need.process - need.weights, "weights": need.weights, "states": states,
        "gradients": gradients, "activations": most - gradients,
    }  # fmt: skip
    tokens = rows * need.mean
    blocks = max(1.0, tokens / token_budget, rows / fit if need.mean > 0.5 * longest else 0.0)
    compute = 6 * need.layers * tokens / _FLOPS_PER_SECOND * (_AGAIN if checkpointing else 1)
    seconds = compute + (blocks - 1) * (_PER_BLOCK + _ADDED * need.trained)
    return Choice(
        token_budget, checkpointing, eight_bit_states, parts, seconds + _EIGHT_BITS * need.trained * eight_bit_states
    )


def ways(need: Need, token_budget: int, eight_bit: Sequence[bool]) -> list[Choice]:
    """All ways, the fastest first: budgets are the given one, its half and so on, down to a row at a time."""
    budgets = [token_budget]
    while budgets[-1] // 2 > need.longest:
        budgets.append(budgets[-1] // 2)
    if budgets[-1] > need.longest:
        budgets.append(need.longest)
    found = [estimated(need, *each) for each in product(budgets, need.passes, eight_bit)]
    return sorted(found, key=lambda way: (way.seconds, way.checkpointing, way.eight_bit_states, -way.token_budget))


def fastest(need: Need, most: int, token_budget: int, eight_bit: Sequence[bool] = (False, True)) -> Choice:
    """The fastest way whose peak is at most `most` bytes.

    Args:
        token_budget: tokens of a block at most. eight_bit: which kinds of states are possible.

    Raises `LeanformerError` if none fits, with what the smallest takes.
    """
    found = ways(need, token_budget, eight_bit)
    for way in found:
        if way.peak <= most:
            return way
    least = min(found, key=lambda way: way.peak)
    enough = -(-int(1.02 * least.peak) // 10**8) / 10
    further = "" if need.trained < 0.5 * need.weights / 4 else ", --adapter lora, which trains few parameters"
    shorter = ", shorter texts (--max-tokens)" if least.parts["activations"] > 0.1 * least.peak else ""
    raise LeanformerError(
        f"memory {_amount(most)}: this training takes {_amount(least.peak)} at least, with {least.told()}: "
        f"{least.parts_told()}\n  remedy: --memory {enough:g}GB{shorter}{further}, or a smaller encoder"
    )


def _amount(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 10**9 else f"{round(size / 1e6, 3):.3g} MB"
