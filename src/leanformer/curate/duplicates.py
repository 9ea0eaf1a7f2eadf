"""Removal of duplicate training texts.

What: texts are duplicates if they differ only in case, white space and compatible Unicode characters; with `near`, also
    if most of their character 5-grams are the same. The first text of each group is kept, in train and in the
    unlabelled texts; unlabelled duplicates of train texts are removed too. Optionally, all train texts of a group with
    different labels are removed, and all texts that are also in dev. The step reports how many dev and test texts are
    also in train. `leanformer curate` shows what it would find.
Paper: Lee et al. 2022, Deduplicating Training Data Makes Language Models Better (arXiv 2107.06499).
Helps: with crawled and merged data: training is shorter at equal quality. With `leaked: remove`, dev does not measure
    memorised answers.
Hurts: if the frequency of a text is informative (short messages), since it is lost. With
    `near`, texts that differ in one word are taken as one, even if the word decides on the label.
Needs: only the texts.
Example: {step: curate.duplicates, name: clean}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from leanformer.answers.forms import form_of
from leanformer.answers.labels_check import Label
from leanformer.curate.near_duplicates import cluster_rows, kept_rows
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.data.near_repeats import near_repeats
from leanformer.data.overlap import normalise_all
from leanformer.errors import DataError
from leanformer.step import Context, Curate


@dataclass(frozen=True)
class Duplicates(Curate):
    """Keep one text of each group of duplicates."""

    conflicting: str = "first"  # of duplicates with different labels, keep the "first" or "none"
    leaked: str = "keep"  # train and unlabelled texts that are also in dev: "keep" or "remove"
    near: float | None = field(
        default=None, metadata={"later": True}
    )  # least Jaccard similarity, e.g. 0.8; null: equal

    technique: ClassVar[str] = "curate.duplicates"
    version: ClassVar[int] = 2

    def __post_init__(self) -> None:
        self.one_of("conflicting", ("first", "none"))
        self.one_of("leaked", ("keep", "remove"))
        self.above(0, "near")
        self.share("near")
        super().__post_init__()

    def __call__(self, data: Dataset, context: Context) -> Dataset:
        dev = _texts(data.dev)
        removed = dev if self.leaked == "remove" else []
        train, unlabelled, notes = data.train, data.unlabelled, []
        if train is not None:
            unanimous, per_word = self.conflicting == "none", form_of(data.task).per_word
            rows = first_rows(_texts(train), train.labels, removed, unanimous, self.near, per_word)
            train = _select(train, rows)
            notes.append(_told("train", data.train, train))
        if unlabelled is not None:
            known = [*_texts(data.train), *removed]
            unlabelled = _select(unlabelled, first_rows(_texts(unlabelled), None, known, near=self.near))
            notes.append(_told("unlabelled", data.unlabelled, unlabelled))
        if not (train or unlabelled):
            raise DataError("curate.duplicates leaves no training text", path=data.name, remedy="leaked: keep")
        for split, count in (
            ("dev", len(set(dev).intersection(_texts(data.train), _texts(train)))),
            ("test", data.overlap.get("test_in_train", 0)),  # test itself is not read
        ):
            if count:
                notes.append(f"{count} {split} texts are also in train")
        for note in notes:
            context.say(note)
        return replace(data, train=train, unlabelled=unlabelled, notes=(*data.notes, *notes))


def first_rows(
    texts: Sequence[str],
    labels: Sequence[Label] | None,
    removed: Sequence[str] = (),
    unanimous: bool = False,
    near: float | None = None,
    per_word: bool = False,
) -> list[int]:
    """The rows (from 0) with the first occurrence of each text, without the texts in `removed`.

    With `unanimous`, texts whose copies have different labels are left out too. With `near`, texts of at least this
    Jaccard similarity count as the same (see `near_duplicates.cluster_rows`). `per_word`: whether a label is a tag for
    each word, see `near_duplicates.is_conflicting`.
    """
    gone = set(removed)
    leaving = np.array([text in gone for text in texts]) if near is None else near_repeats(texts, removed, near)
    return kept_rows(cluster_rows(texts, near), labels, leaving, "none" if unanimous else "first", per_word)


def _texts(examples: Examples | None) -> list[str]:
    return [] if examples is None else normalise_all(examples.inputs)


def _select(examples: Examples, rows: list[int]) -> Examples | None:
    return examples.select(rows) if rows else None


def _told(split: str, before: Examples | None, after: Examples | None) -> str:
    there, left = (0 if part is None else len(part) for part in (before, after))
    return f"{there - left} of {there} {split} texts were removed as duplicates"
