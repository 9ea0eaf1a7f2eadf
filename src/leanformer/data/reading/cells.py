"""Lists written into one cell or string, in the notations of pandas, numpy and JSON."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

_ITEM = re.compile(
    r"""\s*(?:(?P<quoted>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<word>True|False|true|false))\s*(?P<comma>,?)""",
    re.VERBOSE,
)
_ARRAY = re.compile(r"(?:np\.)?array\((\[.*\])(?:,\s*dtype=[^()]*)?\)", re.DOTALL)
_BRACKETS = {"[": "]", "(": ")", "{": "}"}


def parse_list(cell: str, *, bare: bool = False) -> list[Any] | None:
    """The list written in a string, as in `['a', 'b']`, `["a"]`, `['a' 'b']` (numpy), `[0, 1]` or `{'a'}`.

    None for any other string. Names without quotes (`[a, b]`) are accepted if `bare` is True.
    """
    text = cell.strip()
    if array := _ARRAY.fullmatch(text):
        text = array[1]
    if text in ("set()", "()"):
        return []
    if len(text) < 2 or _BRACKETS.get(text[0]) != text[-1]:
        return None
    items = _flat(text[1:-1])
    if items is not None and (text[0] == "[" or any(isinstance(item, str) for item in items)):
        return items
    if items is None and text[0] in "[(" and (nested := _nested(text)) is not None:
        return nested
    if bare and text[0] == "[" and not re.search(r"[\[\]{}\"]", text[1:-1]):
        return [name.strip() for name in text[1:-1].split(",")]
    return None


def as_choices(value: object) -> list[str] | None:
    """The names in `{"choices": [...]}`, an object or its notation in a string; None for anything else."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    if not (isinstance(value, dict) and value.keys() == {"choices"} and isinstance(value["choices"], list)):
        return None
    return value["choices"] if all(isinstance(name, str) for name in value["choices"]) else None


def _flat(inside: str) -> list[Any] | None:
    """The items of a list of strings, numbers and truth values, separated by commas or, as in numpy, by spaces."""
    items: list[Any] = []
    place, separated = 0, True
    while inside[place:].strip():
        found = _ITEM.match(inside, place)
        if found is None or not separated:
            return None
        if found["quoted"]:
            try:
                items.append(ast.literal_eval(found["quoted"]))
            except (ValueError, SyntaxError):
                return None
        elif found["number"]:
            number = float(found["number"])
            items.append(number if re.search(r"[.eE]", found["number"]) else int(found["number"]))
        else:
            items.append(found["word"].lower() == "true")
        place = found.end()
        separated = bool(found["comma"]) or inside[place - 1 : place].isspace()
    return items


def _nested(text: str) -> list[Any] | None:
    """A list of lists or of objects."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
            return None
    return list(value) if isinstance(value, list | tuple) else None
