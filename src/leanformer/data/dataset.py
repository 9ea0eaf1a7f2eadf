"""A data set: the splits of one task, and notes on how they were made."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from leanformer.answers.forms import form_of
from leanformer.answers.labels_check import Label
from leanformer.data.carving import carve_dev, strata
from leanformer.data.examples import Examples
from leanformer.data.label_forms import (
    LABEL_FORMS,
    LABELLED_SPLITS,
    READABLE_KINDS,
    index_labels,
    join_names,
    label_names,
    of_words,
)
from leanformer.data.overlap import count_contained, find_repeats, normalise_all
from leanformer.data.reading.hub import open_hub
from leanformer.data.reading.kinds import check_kind, detect_kind
from leanformer.data.reading.labelling import require_labels
from leanformer.data.reading.locate import read_source
from leanformer.data.row import Table
from leanformer.data.used_texts import UsedTexts
from leanformer.errors import DataError, LeanformerError
from leanformer.files import sha256_json
from leanformer.inputs.input import parts_of
from leanformer.inputs.kinds import input_of
from leanformer.task import BUILT, Task, by_number

_C1_CONTROLS = re.compile("[\x80-\x9f]")
SPLITS = (*LABELLED_SPLITS, "unlabelled")
_COMPARED = (("dev", "train"), ("test", "train"), ("test", "dev"), ("test", "unlabelled"))


@dataclass(frozen=True)
class Dataset:
    """The splits of one task; a missing split is None.

    Attributes:
        task: kind of task and label names, the same for every labelled split.
        train, dev, test: labelled examples.
        unlabelled: examples whose labels are unknown or unused.
        name: name of the folder, file or hub data set.
        notes: sentences on what was done and found when the data was opened (dev taken out of train, texts in more than
            one split, duplicates, conflicting labels).
        overlap: "a_in_b" -> number of rows of split a whose normalised text is also in split b.
        dev_rows: if dev was taken out of train, the row numbers (from 0) in the train source; otherwise None.

    Raises `ValueError` if train, dev or test is unlabelled or of another task.
    """

    task: Task
    train: Examples | None = None
    dev: Examples | None = None
    test: Examples | None = None
    unlabelled: Examples | None = None
    name: str = ""
    notes: tuple[str, ...] = ()
    overlap: dict[str, int] = field(default_factory=dict)
    dev_rows: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for split in SPLITS:
            examples: Examples | None = getattr(self, split)
            if examples is None:
                continue
            if examples.task != self.task:
                raise ValueError(f"the {split} examples are of another task than the data set")
            if split != "unlabelled" and not examples.is_labelled:
                raise ValueError(f"the {split} examples have no labels")

    @cached_property
    def training_hash(self) -> str:
        """SHA-256 (hex) over everything that a model may be made from: every split but test."""
        return self._hash(("train", "dev", "unlabelled"))

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 (hex) over the task and all splits."""
        return self._hash(SPLITS)

    @cached_property
    def used_texts(self) -> UsedTexts:
        """Hashes of all texts that a model may be made from."""
        return UsedTexts.of(train=self.train, unlabelled=self.unlabelled, dev=self.dev)

    def _hash(self, splits: Sequence[str]) -> str:
        parts: dict[str, Examples | None] = {split: getattr(self, split) for split in splits}
        hashes = {split: None if part is None else part.content_hash for split, part in parts.items()}
        return sha256_json({"task": self.task.question.to_json(), "splits": hashes})


def open_dataset(
    source: str | Path,
    *,
    splits: Mapping[str, str] | None = None,
    seed: int = 13,
    kind: str | None = None,
    labels: Sequence[str] | None = None,
    single: str = "train",
    task: Task | None = None,
    carve: bool = True,
) -> Dataset:
    """Open a folder, a single file or a hub data set.

    Args:
        source: a folder with `train`, `dev`, `test` and `unlabelled` files (.jsonl, .csv, .tsv; .txt, one text per
            line, for unlabelled); or one such file, which is unlabelled if it has no labels, and otherwise the split
            given by its name (test.jsonl), or train if the name gives none; or "hub:name" or "hub:name:config", read by
            `datasets`.
        splits: split -> another file stem or file name in the folder (for a hub data set: another split there), such as
            {"train": "train_phrases"}.
        seed: if there is no dev split, seeds the choice of the tenth of train that becomes dev.
        kind: "classification", "pair" (two texts per example, `text` and `text_pair`), "multilabel" (any number of
            labels, `labels`), "similarity" (pairs with a score), "regression" (a score) or "tokens" (words with tags,
            as columns or in JSON Lines; a folder may have one sub-folder per language); None: detected from the rows.
        labels: the label names in order; without them, the labels of train (or else of dev or test), sorted, by value
            if all are integers.
        single: the split that one labelled file is; "test" applies whatever its name, and requires labels.
        task: a model's task: the data are read as its kind and with its labels.
        carve: take a dev split out of train if there is none.

    Raises `DataError` naming file, line and remedy for whatever cannot be read, and `MissingExtraError` for
    a hub data set without the `datasets` library.
    """
    source = str(source)
    if task is not None:
        if kind not in (None, task.kind):
            raise LeanformerError(f"--kind {kind}: the model's task is of kind {task.kind}\n  remedy: leave --kind out")
        kind, labels = task.kind, task.labels
    elif kind is not None and kind not in READABLE_KINDS:
        raise DataError(
            f"examples of kind {kind!r} cannot be read; {', '.join(READABLE_KINDS)} can",
            path=source,
            remedy=f"give one of {', '.join(READABLE_KINDS)} as the kind",
        )
    if source.startswith("hub:") and of_words(kind):
        raise DataError(
            "words and tags are not read from the hub yet", path=source,
            remedy='export the data to JSON Lines: {"words": [...], "tags": [...]}',
        )  # fmt: skip
    if source.startswith("hub:"):
        name, _, config = source.removeprefix("hub:").partition(":")
        read = open_hub(name, config or None, kind=kind, splits=splits, labels=labels)
    else:
        read = read_source(source, kind=kind, splits=splits, single=single, labels=labels)
    kind, notes = read.kind, read.notes
    if kind is None:
        kind, found = detect_kind(read.tables, LABELLED_SPLITS)
        notes = [*notes, *found]
    check_kind(read.tables, kind, LABELLED_SPLITS)
    names = read.labels if labels is None else labels
    return _assemble(read.tables, name=read.name, notes=notes, seed=seed if carve else None, kind=kind, labels=names)


def _assemble(
    tables: Mapping[str, Table],
    *,
    name: str,
    notes: list[str],
    seed: int | None,
    kind: str,
    labels: Sequence[str] | None,
) -> Dataset:
    for split in LABELLED_SPLITS:
        if split in tables:
            require_labels(tables[split], split)
    task = Task(kind, LABEL_FORMS[BUILT[kind].answer].names(tables, labels))
    parts = {split: _examples(tables[split], split, task) for split in SPLITS if split in tables}
    keys = {split: normalise_all(part.inputs) for split, part in parts.items()}
    notes = notes + _describe_unread(tables) + _describe_controls(tables) + _describe_numbers(tables, task, labels)
    dev_rows: tuple[int, ...] | None = None
    if "train" in parts:
        train = parts["train"]
        assert train.labels is not None
        notes += find_repeats(tables["train"], keys["train"], train.labels)
        if absent := [label for i, label in enumerate(task.labels) if i not in _present(train.labels)]:
            notes.append(f"train has no example of {join_names(absent)}")
        if len(set(train.labels)) == 1:
            notes.append(f"every train example has the same label, {_shown(train.labels[0], task)!r}")
        if "dev" not in parts and seed is not None:
            # Questions about one context would tell of each other.
            shared = [str(text) for text in train.pairs or ()] if input_of(task).shared else []
            dev_rows = carve_dev(normalise_all(shared) or keys["train"], strata(train), seed) or None
            notes += _describe_carving(train, dev_rows, seed)
            if dev_rows:
                taken = set(dev_rows)
                kept = [row for row in range(len(train)) if row not in taken]
                parts |= {"train": train.select(kept), "dev": train.select(dev_rows)}
                train_keys = keys["train"]
                keys |= {"train": [train_keys[row] for row in kept], "dev": [train_keys[row] for row in dev_rows]}
    overlap: dict[str, int] = {}
    for split, other in _COMPARED:
        if split in parts and other in parts:
            overlap[f"{split}_in_{other}"] = count = count_contained(keys[split], keys[other])
            if count:
                notes.append(f"{count} of {len(parts[split])} {split} texts are also in {other}; none was removed")
    return Dataset(task=task, name=name, notes=tuple(notes), overlap=overlap, dev_rows=dev_rows, **parts)


def _examples(table: Table, split: str, task: Task) -> Examples:
    return Examples(
        task=task,
        texts=tuple(row.text for row in table.rows),
        labels=None if split == "unlabelled" else index_labels(table, task),
        pairs=tuple(row.pair or "" for row in table.rows) if input_of(task).seconds else None,
        source=table.where,
        languages=tuple(row.language for row in table.rows) if any(row.language for row in table.rows) else None,
        lines=tuple(row.line for row in table.rows),
    )


def _present(labels: Sequence[Label]) -> set[int]:
    """The indices of the labels that occur; none if the labels are scores or spans."""
    return {
        i
        for label in labels
        if not isinstance(label, float)
        for i in (label if isinstance(label, tuple) else (label,))
        if isinstance(i, int)
    }


def _shown(label: Label, task: Task) -> str:
    if isinstance(label, float):
        return f"{label:g}"
    if not task.labels:
        return form_of(task).the_only([label], ())
    return ", ".join(task.labels[i] for i in (label if isinstance(label, tuple) else (label,))) or "none"


def _describe_numbers(tables: Mapping[str, Table], task: Task, labels: Sequence[str] | None) -> list[str]:
    """A note if labels are the numbers of the given ones."""
    numbered = labels is not None and LABEL_FORMS[task.answer].numbered
    found = label_names(tables, None) if numbered else ()
    if set(found) & set(task.labels) or (numbers := by_number(found, task.labels)) is None:
        return []
    pairs = join_names([f"{name} is {task.labels[number]}" for name, number in zip(found, numbers, strict=True)])
    return [f"the data's labels are the numbers of the model's: {pairs}"]


def _describe_unread(tables: Mapping[str, Table]) -> list[str]:
    """Notes on content of the rows that the data set does not use."""
    if (table := tables.get("unlabelled")) and (count := sum(row.label is not None for row in table.rows)):
        return [f"{count} of {len(table.rows)} unlabelled rows have a label, which is not used"]
    return []


def _describe_controls(tables: Mapping[str, Table]) -> list[str]:
    """Notes on texts with control characters that are letters in CP1252: signs of a file converted as if Latin-1."""
    notes = []
    for split, table in tables.items():
        if count := sum(bool(_C1_CONTROLS.search("".join(parts_of((row.text, row.pair or ""))))) for row in table.rows):
            notes.append(
                f"{count} of {len(table.rows)} {split} texts hold control characters (U+0080 to U+009F), as when a "
                "file in CP1252 was converted as if it were Latin-1; convert the original again, or this file: "
                "iconv -f UTF-8 -t LATIN1 FILE | iconv -f CP1252 -t UTF-8"
            )
    return notes


def _describe_carving(train: Examples, dev_rows: tuple[int, ...] | None, seed: int) -> list[str]:
    assert train.labels is not None
    if not dev_rows:
        return [f"there is no dev split, and no row of the {len(train)} in train could be spared for one"]
    notes = [f"there is no dev split: {len(dev_rows)} of {len(train)} train rows were taken as dev (seed {seed})"]
    present = _present([train.labels[row] for row in dev_rows])
    if absent := [_shown(label, train.task) for label in sorted(_present(train.labels) - present)]:
        notes.append(f"dev has no example of {join_names(absent)}")
    return notes
