"""An output file: refused before the work where something stands there that the same command did not write."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from leanformer.errors import LeanformerError
from leanformer.outputs.ours import is_report, read_json
from leanformer.outputs.place import file_place

STANDARD_INPUT = "/dev/stdin"
_LONGEST_LINE = 1 << 26


def check_file(path: Path, what: str, is_ours: Callable[[Path], bool], inputs: Iterable[str | Path] = ()) -> None:
    """See that the file `path` can be written, and that nothing but ours would be replaced by it.

    Args:
        what: what the command writes, in words. is_ours: whether a file is that.
        inputs: files that are read meanwhile, - for standard input; the output is none of them, under whatever name.

    Raises `LeanformerError` where it cannot.
    """
    place = file_place(path)
    if not place.exists():
        return
    for given in inputs:
        # The shell may have opened the output for reading, as in `--input - < FILE`.
        source = STANDARD_INPUT if str(given) == "-" else given
        if os.path.exists(source) and place.samefile(source):
            raise LeanformerError(f"{path}: is the input itself ({given})\n  remedy: another --output")
    if place.stat().st_size and not is_ours(place):
        raise LeanformerError(
            f"{path}: exists and is not {what}; it will not be overwritten\n"
            "  remedy: another --output, or remove it first"
        )


def is_bench(path: Path) -> bool:
    return is_report(path) and str(read_json(path)["title"]).startswith("bench on ")


def is_verdict(path: Path) -> bool:
    value = read_json(path)
    return isinstance(value, dict) and {"artifact", "against", "ships", "checks"} <= {*value}


def is_answers(path: Path) -> bool:
    """Whether every line is an answer of `leanformer predict`, known by what no row of data has.

    Scores do not tell without the number of the row: data for training have them as well. Nor do errors and texts
    without spans, among which there is no other answer.
    """
    try:
        with open(path, encoding="utf-8") as lines:
            each = enumerate(iter(lambda: lines.readline(_LONGEST_LINE), ""), start=1)
            kinds = {_answer(json.loads(line), number) for number, line in each}
    except (OSError, ValueError, RecursionError):
        return False
    return "answer" in kinds and kinds <= {"answer", "none"}


def _answer(value: Any, number: int) -> str | None:
    """Whether a line, by its number, holds an answer, none, or what is not ours (None)."""
    if not isinstance(value, dict):
        return None
    spans = value.get("spans")
    if (
        (isinstance(value.get("probabilities"), dict) and ("label" in value or "labels" in value))
        or isinstance(value.get("vector"), list)
        or (
            spans
            and isinstance(spans, list)
            and all(isinstance(span, dict) and "probability" in span for span in spans)
        )
        or (isinstance(value.get("score"), float) and next(iter(value.items())) == ("row", number))
    ):
        return "answer"
    return "none" if isinstance(value.get("error"), str) or spans == [] else None
