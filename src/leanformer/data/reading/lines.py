"""Detects lines of a .txt file that contain labels after all, so that they are not read as texts alone."""

from __future__ import annotations

import re
from pathlib import Path

from leanformer.data.reading.decoding import decode_lines
from leanformer.tagging.schemes import is_tag

_FAST_TEXT = re.compile(r"__label__\S")
_MARKS = {"\t": ("tsv", "a tab", "<tab>"), ";": ("csv", "a semicolon", ";"), "|": ("csv", "a vertical bar", "|")}


def labels_in_lines(path: Path) -> str:
    """The remedy for a file of lines that seem to contain labels, or words and tags; "" for one of texts alone."""
    lines = [text.rstrip("\r\n") for _, text in decode_lines(path) if text.strip()]
    if lines and 2 * sum(bool(_FAST_TEXT.match(line)) for line in lines) > len(lines):
        return "write .jsonl, .csv or .tsv with text and label; the label is what stands behind __label__ in each line"
    columns = [line.split() for line in lines]
    if lines and all(1 < len(fields) == len(columns[0]) and is_tag(fields[-1]) for fields in columns):
        return "if these are words with their tags, say --task tokens"
    for mark, (suffix, name, shown) in _MARKS.items():
        ends = [line.rpartition(mark)[2].strip() for line in lines if mark in line]
        if 2 * len(ends) > len(lines) and 2 * len(set(ends)) <= len(ends) + 1:
            return (
                f"if {name} stands between text and label, write text{shown}label above the first line and name the "
                f"file {path.stem}.{suffix}"
            )
    return ""
