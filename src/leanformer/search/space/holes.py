"""A hole in a recipe: `{choose: [...]}` or `{range: [low, high]}` in place of a value."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from leanformer.errors import RecipeError

# Number of values into which a range without a step is divided if it must be enumerated (grid).
GRID_POINTS = 4
_RANGE_KEYS = ("range", "log", "step")


@dataclass(frozen=True)
class Choose:
    """One of several values, or of several steps.

    Attributes:
        name: under which trials record the choice, such as "student.layers".
        options: the values. labels: how each is recorded: as it is if plain, otherwise in words.
        where: file and line, for errors.
    """

    name: str
    options: tuple[Any, ...]
    labels: tuple[Any, ...]
    where: str = ""

    def option(self, label: Any) -> Any:
        """The value for a label."""
        return self.options[self.labels.index(label)]

    def grid(self) -> tuple[Any, ...]:
        return self.labels

    def start(self, default: Any) -> Any:
        """`default` if it is among the values, otherwise the first of them."""
        return default if any(_same(default, label) for label in self.labels) else self.labels[0]


@dataclass(frozen=True)
class Range:
    """A number between two ends, both included.

    Attributes:
        name: under which trials record the value. integer: whether the values are whole numbers.
        log: whether equal ratios are equally likely, rather than equal differences.
        step: values are `low` plus multiples of it; None allows any value (for whole numbers: 1).
        where: file and line, for errors.
    """

    name: str
    low: float
    high: float
    integer: bool
    log: bool = False
    step: float | None = None
    where: str = ""

    def grid(self) -> tuple[Any, ...]:
        """All values if they are few or stepped, otherwise `GRID_POINTS` of them, including the ends."""
        span = self.high - self.low
        if self.step is not None:
            return tuple(self.value(self.low + i * self.step) for i in range(round(span / self.step) + 1))
        if self.integer and span < GRID_POINTS:
            return tuple(range(int(self.low), int(self.high) + 1))
        shares = [i / (GRID_POINTS - 1) for i in range(GRID_POINTS)]
        if self.log:
            return tuple(self.value(self.low * (self.high / self.low) ** share) for share in shares)
        return tuple(self.value(self.low + share * span) for share in shares)

    def start(self, default: Any) -> Any:
        """`default` if it is within the range, otherwise the middle of `grid`."""
        if isinstance(default, int | float) and not isinstance(default, bool) and self.low <= default <= self.high:
            stepped = self.step is None or _is_whole((default - self.low) / self.step)
            if stepped and (not self.integer or float(default).is_integer()):
                return self.value(default)
        values = self.grid()
        return values[(len(values) - 1) // 2]

    def value(self, number: float) -> int | float:
        """The number as written into a recipe: with four digits, so that equal trials can share their work."""
        if self.integer:
            return round(number)
        return min(max(float(f"{number:.4g}"), self.low), self.high)


Hole = Choose | Range


def is_hole(value: Any) -> bool:
    return isinstance(value, dict) and ("choose" in value or "range" in value)


def read_hole(name: str, value: dict[str, Any], where: str) -> Hole:
    """Parse a hole. Raises `RecipeError` for an invalid one."""
    if "choose" in value:
        if unknown := [key for key in value if key != "choose"]:
            raise RecipeError(f"{where}: `choose:` stands alone, without {unknown[0]!r}")
        options = value["choose"]
        if not isinstance(options, list) or len(options) < 2:
            raise RecipeError(f"{where}: `choose:` is a list of two values or more\n  remedy: choose: [1, 2, 3]")
        labels = tuple(_label(option) for option in options)
        for i, label in enumerate(labels):
            if any(_same(label, other) for other in labels[:i]):
                raise RecipeError(f"{where}: `choose:` names {label!r} twice")
        return Choose(name, tuple(options), labels, where)
    if unknown := [key for key in value if key not in _RANGE_KEYS]:
        raise RecipeError(f"{where}: `range:` takes {', '.join(_RANGE_KEYS[1:])} beside it, not {unknown[0]!r}")
    ends = value["range"]
    if not isinstance(ends, list) or len(ends) != 2:
        raise RecipeError(f"{where}: `range:` is a list of two numbers\n  remedy: range: [0.3, 0.9]")
    low, high = (_number(end, where) for end in ends)
    log, step = value.get("log", False), value.get("step")
    if not isinstance(log, bool):
        raise RecipeError(f"{where}: `log:` is true or false, not {log!r}")
    step = None if step is None else _number(step, where)
    if low >= high:
        raise RecipeError(f"{where}: the range {low:g} to {high:g} holds nothing to search\n  remedy: low before high")
    if log and (low <= 0 or step is not None):
        raise RecipeError(f"{where}: a logarithmic range begins above 0 and has no step")
    if step is not None and (step <= 0 or not _is_whole((high - low) / step)):
        raise RecipeError(f"{where}: the range {low:g} to {high:g} is not a number of steps of {step:g}")
    whole = all(isinstance(number, int) for number in (low, high, 1 if step is None else step))
    return Range(name, low, high, whole, log, step, where)


def words(option: Any) -> str:
    """A value that is not plain, in words: the techniques of steps, otherwise JSON."""
    if isinstance(option, dict) and "step" in option:
        return str(option["step"])
    if isinstance(option, list) and option and all(isinstance(entry, dict) and "step" in entry for entry in option):
        return " + ".join(str(entry["step"]) for entry in option)
    return json.dumps(option, ensure_ascii=False, sort_keys=True, default=str)


def describe(values: Sequence[tuple[str, Any]]) -> str:
    """Recorded values in one line."""
    shown = ((name, f"{value:.4g}" if isinstance(value, float) else str(value)) for name, value in values)
    return ", ".join(f"{name}={value}" for name, value in shown)


def _label(option: Any) -> Any:
    return option if option is None or isinstance(option, str | bool | int | float) else words(option)


def _same(value: Any, other: Any) -> bool:
    """Equal, and of the same type: 1, 1.0 and true are three values."""
    return type(value) is type(other) and bool(value == other)


def _number(value: Any, where: str) -> int | float:
    if isinstance(value, str):  # YAML 1.1 reads 1e-4 as text, because it has no decimal point
        with suppress(ValueError):
            value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RecipeError(f"{where}: {value!r} is not a number")
    return value


def _is_whole(number: float) -> bool:
    return abs(number - round(number)) < 1e-6
