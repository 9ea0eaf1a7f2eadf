"""The card of a data set: what it holds, where it comes from, and how clean it is (Gebru et al. 2021, Datasheets)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from leanformer.answers.labels_check import Label
from leanformer.data.dataset import SPLITS, Dataset
from leanformer.data.examples import Examples
from leanformer.data.overlap import normalise_all
from leanformer.inputs.checks import is_empty
from leanformer.inputs.input import parts_of
from leanformer.task import Task, Text

QUANTILES = {"min": 0.0, "5 %": 0.05, "median": 0.5, "95 %": 0.95, "max": 1.0}
NO_LABEL = "(none)"
"""The name under which rows without any of several possible labels are counted."""


@dataclass(frozen=True)
class SplitCard:
    """One split.

    Attributes:
        rows: the number of rows.
        labels: rows per label, words per tag, or rows per number of the right candidate; empty without labels and for
            scores.
        scores: name in `QUANTILES` -> quantile of the scores; empty if labels are not scores.
        characters, words: the same of the lengths of texts; words are separated by white space.
        languages: rows per language, if the data give it.
        repeats: rows whose normalised text is that of an earlier row of the split.
        short: rows with a text that is empty (nothing visible) or has one word.
        leaks: rows whose text is in train or unlabelled, "exact" and "near"; empty for these themselves.
    """

    rows: int
    labels: dict[str, int] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    characters: dict[str, float] = field(default_factory=dict)
    words: dict[str, float] = field(default_factory=dict)
    languages: dict[str, int] = field(default_factory=dict)
    repeats: int = 0
    short: int = 0
    leaks: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class DataCard:
    """A data set.

    Attributes:
        name: its name. kind: the kind of task. labels: the label names, in order; empty if there are none.
        licence, source: as given by the user; "" if not.
        splits: the card of each split that it has.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    splits: dict[str, SplitCard]
    licence: str = ""
    source: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"labels": list(self.labels)}


def data_card(
    data: Dataset,
    *,
    leaks: Mapping[str, Mapping[str, int]] | None = None,
    languages: Mapping[str, Sequence[str | None]] | None = None,
    licence: str = "",
    source: str = "",
) -> DataCard:
    """The card of a data set.

    Args:
        leaks: split -> the numbers of its exact and near leaks, where they are known.
        languages: split -> the language of each row, None where it is not given; by default, those of the examples.
        licence, source: as given by the user.
    """
    parts: dict[str, Examples] = {split: part for split in SPLITS if (part := getattr(data, split)) is not None}
    splits = {
        split: split_card(part, (leaks or {}).get(split), (languages or {}).get(split)) for split, part in parts.items()
    }
    return DataCard(data.name, data.task.kind, data.task.labels, splits, licence, source)


def split_card(
    examples: Examples, leaks: Mapping[str, int] | None = None, languages: Sequence[str | None] | None = None
) -> SplitCard:
    """The card of one split; for the arguments see `data_card`."""
    texts = [" ".join(parts_of(input_)) for input_ in examples.inputs]
    labels = examples.labels or ()
    scores = [label for label in labels if isinstance(label, float)]
    return SplitCard(
        rows=len(examples),
        labels=count_labels(labels, examples.task),
        scores=quantiles(scores),
        characters=quantiles([len(text) for text in texts]),
        words=quantiles([len(text.split()) for text in texts]),
        languages=dict(
            Counter(language for language in languages or examples.languages or () if language).most_common()
        ),
        repeats=len(texts) - len(set(normalise_all(examples.inputs))),
        short=sum(_is_short(input_) for input_ in examples.inputs),
        leaks=dict(leaks or {}),
    )


def count_labels(labels: Sequence[Label], task: Task) -> dict[str, int]:
    """How often each label of the task occurs, in the order of its labels; for scores nothing."""
    counts: Counter[int] = Counter()
    none = 0
    for label in labels:
        if isinstance(label, tuple):
            counts.update(label)
            none += not label
        elif not isinstance(label, float):
            counts[label] += 1
    numbers = range(len(task.labels)) if task.labels and labels else sorted(counts)
    found = {task.labels[number] if task.labels else str(number): counts[number] for number in numbers}
    return found | ({NO_LABEL: none} if none else {})


def label_words(label: Label, task: Task) -> str:
    """A label in words: its name, all names separated by ", ", or the number."""
    if isinstance(label, float):
        return f"{label:g}"
    if not task.labels:
        return str(label)
    return ", ".join(task.labels[number] for number in (label if isinstance(label, tuple) else (label,))) or NO_LABEL


def quantiles(values: Sequence[float]) -> dict[str, float]:
    """The quantiles in `QUANTILES`, each a value that occurs; nothing without values."""
    if not values:
        return {}
    found = np.quantile(np.asarray(values, dtype=np.float64), list(QUANTILES.values()), method="inverted_cdf")
    return dict(zip(QUANTILES, found.tolist(), strict=True))


def _is_short(input_: Text) -> bool:
    return any(is_empty(text) or len(text.split()) < 2 for text in parts_of(input_))
