"""An output file: refused before the work if the file there was not written by the same command."""

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
    """Check that the file `path` can be written, and that it would replace only a file of ours.

    Args:
        what: what the command writes, in words. is_ours: whether a file is such output.
        inputs: files read at the same time, - for standard input; none may be the output, under any name.

    Raises `LeanformerError` if it cannot be written.
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


def is_retrieval(path: Path) -> bool:
    value = read_json(path)
    return isinstance(value, dict) and {"title", "documents", "queries", "index", "models"} <= {*value}


def is_verdict(path: Path) -> bool:
    value = read_json(path)
    return isinstance(value, dict) and {"artifact", "against", "ships", "checks"} <= {*value}


def is_status(path: Path) -> bool:
    value = read_json(path)
    return isinstance(value, dict) and {"round", "strategy", "agreement", "stop"} <= {*value}


def is_curve(path: Path) -> bool:
    value = read_json(path)
    return isinstance(value, dict) and {"sizes", "scores", "law", "advice"} <= {*value}


def is_plan(path: Path) -> bool:
    value = read_json(path)
    return isinstance(value, dict) and {"hours", "machine", "flops", "sizes"} <= {*value}


def is_unanswered(path: Path) -> bool:
    """Whether every line is a row of `leanformer label` that has no label yet, so that no work would be lost."""
    try:
        # Not splitlines, which also splits at U+2028 and U+0085; JSON may hold these in a text.
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").removesuffix("\n").split("\n")]
    except (OSError, ValueError, RecursionError):
        return False
    return all(
        isinstance(row, dict) and {"audit", "strategy"} <= {*row} and row.get("label", "") is None for row in rows
    )


def is_answers(path: Path) -> bool:
    """Whether every line is an answer of `leanformer predict`, recognised by fields that no row of data has.

    Scores alone are not sufficient without the row number, because training data have them too. Neither are errors and
    texts without spans if there is no other answer.
    """
    try:
        with open(path, encoding="utf-8") as lines:
            each = enumerate(iter(lambda: lines.readline(_LONGEST_LINE), ""), start=1)
            kinds = {_answer(json.loads(line), number) for number, line in each}
    except (OSError, ValueError, RecursionError):
        return False
    return "answer" in kinds and kinds <= {"answer", "none"}


def _answer(value: Any, number: int) -> str | None:
    """Kind of a line, given its number: "answer", "none" (no evidence), or None (not ours)."""
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
