"""Validation of labels, for each answer form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from leanformer.tagging.words import words_of

# The label of one example: the index of its label or of its correct candidate, the indices of all its labels, its
# score, the index of each word's tag, or the first character and the end of each right answer in its context.
Label = int | tuple[Any, ...] | float


def check_label(labels: Sequence[Label], names: int) -> None:
    """Raise `ValueError` for a label that is not an index into `names` names."""
    if wrong := set(labels) - set(range(names)):
        raise ValueError(f"label {min(wrong)} is not an index into the {names} label names")


def check_choice(labels: Sequence[Label]) -> None:
    """Raise `ValueError` for a label that is not the index of a candidate."""
    for label in labels:
        if isinstance(label, bool) or not isinstance(label, int) or label < 0:
            raise ValueError(f"label {label!r} is not the number of a candidate, from 0")


def check_spans(labels: Sequence[Label]) -> None:
    """Raise `ValueError` for a label that is not a tuple of spans, each its first character and its end."""
    for label in labels:
        for span in label if isinstance(label, tuple) else (label,):
            if not (isinstance(span, tuple) and len(span) == 2 and 0 <= span[0] < span[1]):
                raise ValueError(f"label {label!r:.60} is not a tuple of spans (first character, end)")


def check_labels(labels: Sequence[Label], names: int) -> None:
    """Raise `ValueError` for labels that are not ascending indices into `names` names."""
    for label in labels:
        if not isinstance(label, tuple):
            raise ValueError(f"label {label} is not a tuple of indices")
        if list(label) != sorted(set(label)) or not set(label) <= set(range(names)):
            raise ValueError(f"labels {label} are not rising indices into the {names} label names")


def check_score(labels: Sequence[Label]) -> None:
    """Raise `ValueError` for a score that is not a finite number."""
    for label in labels:
        if not isinstance(label, float) or not math.isfinite(label):
            raise ValueError(f"score {label} is not a finite decimal number")


def check_tags(labels: Sequence[Label], texts: Sequence[str], names: int) -> None:
    """Raise `ValueError` for tags that are not indices into `names` names, one per word."""
    for label in labels:
        if not isinstance(label, tuple) or not set(label) <= set(range(names)):
            raise ValueError(f"tags {label!r:.60} are not a tuple of indices into the {names} label names")
    for row, (text, label) in enumerate(zip(texts, labels, strict=True), start=1):
        if len(words_of(text)) != len(label):  # type: ignore[arg-type]
            raise ValueError(f"example {row} has {len(words_of(text))} words and {len(label)} tags")  # type: ignore[arg-type]
