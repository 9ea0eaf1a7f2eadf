"""Checks of JSON values, composed of small ones, so that the table for a file reads like the file.

A check takes a value and its place in the file, and raises `ValueError`, naming the place. Numbers are never booleans,
and always finite.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any, str], None]
Table = Mapping[str, Check]

# Far above any meaningful value, and far below what overflows in arithmetic.
LARGEST = 1e30


def anything(value: Any, place: str) -> None:
    """No condition."""


def whole(least: int = 0, most: int = 2**53) -> Check:
    """A whole number in this range."""

    def check(value: Any, place: str) -> None:
        if type(value) is not int or not least <= value <= most:
            raise ValueError(f"{place} is {shown(value)}, not a whole number from {least} to {most}")

    return check


def number(least: float = -LARGEST, most: float = LARGEST) -> Check:
    """A finite number in this range."""

    def check(value: Any, place: str) -> None:
        if type(value) not in (int, float) or not least <= value <= most or not math.isfinite(value):
            raise ValueError(f"{place} is {shown(value)}, not a number from {least:g} to {most:g}")

    return check


def text(longest: int = 100_000, *, among: tuple[str, ...] | None = None) -> Check:
    """A string, or one of a few."""

    def check(value: Any, place: str) -> None:
        if not isinstance(value, str) or len(value) > longest:
            raise ValueError(f"{place} is {shown(value)}, not a text of at most {longest:,} characters")
        if among is not None and value not in among:
            raise ValueError(f"{place} is {shown(value)}, not one of {', '.join(among)}")

    return check


def truth(value: Any, place: str) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{place} is {shown(value)}, not true or false")


def nullable(check: Check) -> Check:
    """Null, or what the check allows."""

    def check_or_null(value: Any, place: str) -> None:
        if value is not None:
            check(value, place)

    return check_or_null


def listed(check: Check, least: int = 0, most: int = 10_000_000) -> Check:
    """A list, within these lengths, of values that pass the check."""

    def check_list(value: Any, place: str) -> None:
        if not isinstance(value, list):
            raise ValueError(f"{place} is {shown(value)}, not a list")
        if not least <= len(value) <= most:
            raise ValueError(f"{place} has {len(value)} entries, not {least} to {most}")
        for index, part in enumerate(value):
            check(part, f"{place}[{index}]")

    return check_list


def named(check: Check = anything) -> Check:
    """An object with any names, whose values pass the check."""

    def check_values(value: Any, place: str) -> None:
        if not isinstance(value, dict):
            raise ValueError(f"{place} is {shown(value)}, not an object")
        for name, part in value.items():
            check(part, f"{place}.{name:.60}")

    return check_values


def fields(needed: Table, known: Table | None = None, *, others: bool = True) -> Check:
    """An object that has all names of `needed`, optionally those of `known`, and no others unless `others` is True."""
    known = known or {}

    def check_fields(value: Any, place: str) -> None:
        if not isinstance(value, dict):
            raise ValueError(f"{place} is {shown(value)}, not an object")
        for name, check in needed.items():
            if name not in value:
                raise ValueError(f"{place} has no {name!r}")
            check(value[name], f"{place}.{name}")
        for name, check in known.items():
            if name in value:
                check(value[name], f"{place}.{name}")
        if not others and (strange := sorted(set(value) - set(needed) - set(known))):
            raise ValueError(f"{place} has an unknown {strange[0]!r:.60}")

    return check_fields


def shown(value: Any) -> str:
    """A value as shown in a message; short, whatever it is."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**30:
        return "a number of more than 30 digits"  # Python may refuse to print it
    return {None: "null", True: "true", False: "false"}.get(value, f"{value!r:.60}") if _simple(value) else repr(value)


def _simple(value: Any) -> bool:
    return value is None or isinstance(value, bool | str)
