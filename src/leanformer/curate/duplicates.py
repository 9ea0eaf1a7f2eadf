"""Removal of duplicate training texts.

What: texts are duplicates if they differ only in case, white space and compatible Unicode characters. The first text of
    each group is kept, in train and in the unlabelled texts; unlabelled duplicates of train texts are removed too.
    Optionally, all train texts of a group with different labels are removed, and all texts that are also in dev. The
    step reports how many dev and test texts are also in train.
Paper: Lee et al. 2022, Deduplicating Training Data Makes Language Models Better (arXiv 2107.06499).
Helps: with crawled and merged data: training is shorter at equal quality. With `leaked: remove`, dev does not measure
    memorised answers.
Hurts: if the frequency of a text is informative (short messages), since it is lost.
Needs: only the texts.
Example: {step: curate.duplicates, name: clean}
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from leanformer.answers.labels_check import Label
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.data.overlap import group_rows, normalise_all
from leanformer.errors import DataError
from leanformer.step import Context, Curate


@dataclass(frozen=True)
class Duplicates(Curate):
    """Keep one text of each group of duplicates."""

    conflicting: str = "first"  # of duplicates with different labels, keep the "first" or "none"
    leaked: str = "keep"  # train and unlabelled texts that are also in dev: "keep" or "remove"

    technique: ClassVar[str] = "curate.duplicates"

    def __post_init__(self) -> None:
        self.one_of("conflicting", ("first", "none"))
        self.one_of("leaked", ("keep", "remove"))
        super().__post_init__()

    def __call__(self, data: Dataset, context: Context) -> Dataset:
        dev = set(_texts(data.dev))
        removed = dev if self.leaked == "remove" else set[str]()
        train, unlabelled, notes = data.train, data.unlabelled, []
        if train is not None:
            train = _select(train, first_rows(_texts(train), train.labels, removed, self.conflicting == "none"))
            notes.append(_told("train", data.train, train))
        if unlabelled is not None:
            unlabelled = _select(unlabelled, first_rows(_texts(unlabelled), None, {*_texts(data.train), *removed}))
            notes.append(_told("unlabelled", data.unlabelled, unlabelled))
        if not (train or unlabelled):
            raise DataError("curate.duplicates leaves no training text", path=data.name, remedy="leaked: keep")
        for split, count in (
            ("dev", len(dev.intersection(_texts(data.train), _texts(train)))),
            ("test", data.overlap.get("test_in_train", 0)),  # test itself is not read
        ):
            if count:
                notes.append(f"{count} {split} texts are also in train")
        for note in notes:
            context.say(note)
        return replace(data, train=train, unlabelled=unlabelled, notes=(*data.notes, *notes))


def first_rows(
    texts: Sequence[str], labels: Sequence[Label] | None, removed: Iterable[str] = (), unanimous: bool = False
) -> list[int]:
    """The rows (from 0) with the first occurrence of each text, without the texts in `removed`.

    With `unanimous`, texts whose copies have different labels are left out too.
    """
    groups = group_rows(texts)
    for text in removed:
        groups.pop(text, None)
    agreeing = [
        rows for rows in groups.values() if not (unanimous and labels and len({labels[row] for row in rows}) > 1)
    ]
    return [rows[0] for rows in agreeing]


def _texts(examples: Examples | None) -> list[str]:
    return [] if examples is None else normalise_all(examples.inputs)


def _select(examples: Examples, rows: list[int]) -> Examples | None:
    return examples.select(rows) if rows else None


def _told(split: str, before: Examples | None, after: Examples | None) -> str:
    there, left = (0 if part is None else len(part) for part in (before, after))
    return f"{there - left} of {there} {split} texts were removed as duplicates"
