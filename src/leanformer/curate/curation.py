"""Everything that `leanformer curate` looks for in a data set, and the rows that it would remove."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from leanformer.answers.forms import form_of
from leanformer.answers.labels_check import Label
from leanformer.curate.findings import EXACT, NEAR, Cluster, Findings, Leak, Place, SharedGroup, by_kind
from leanformer.curate.near_duplicates import cluster_rows, is_conflicting, kept_rows
from leanformer.data.card import data_card, label_words
from leanformer.data.dataset import SPLITS, Dataset
from leanformer.data.examples import Examples
from leanformer.data.near_repeats import JACCARD, near_partners, near_repeats
from leanformer.data.overlap import normalise_all
from leanformer.errors import DataError
from leanformer.inputs.input import parts_of

EVALUATED = ("test", "dev")
CHANGED = ("train", "unlabelled")


def find(
    data: Dataset,
    *,
    groups: Mapping[str, Sequence[str | None]] | None = None,
    column: str | None = None,
    languages: Mapping[str, Sequence[str | None]] | None = None,
    licence: str = "",
    source: str = "",
) -> Findings:
    """Search a data set for duplicates, conflicting labels and leaks. Near: character 5-grams, Jaccard >= 0.8.

    Args:
        data: opened without taking dev out of train (`open_dataset(..., carve=False)`).
        groups: split -> the group of each row, None where it has none. column: the name of the column that they are in.
        languages, licence, source: for the card, see `data.card.data_card`.

    Raises `DataError` if there is no train split.
    """
    train = need_train(data)
    keys, per_word = _keys(data), form_of(data.task).per_word
    assert train.labels is not None, "a data set checks that its splits are labelled"
    clusters = tuple(
        Cluster(
            tuple(place(train, "train", row) for row in rows),
            EXACT if len({keys["train"][row] for row in rows}) == 1 else NEAR,
            is_conflicting(rows, train.labels, per_word),
        )
        for rows in cluster_rows(keys["train"], JACCARD)
        if len(rows) > 1
    )
    leaks = tuple(leak for split in EVALUATED for leak in _leaks(data, keys, split, CHANGED))
    counts = {split: by_kind([leak for leak in leaks if leak.place.split == split]) for split in EVALUATED}
    return Findings(
        card=data_card(data, leaks=counts, languages=languages, licence=licence, source=source),
        clusters=clusters,
        leaks=leaks,
        between=tuple(_leaks(data, keys, "dev", ("test",))),
        groups=None if groups is None else shared_groups(groups),
        column=column,
    )


def need_train(data: Dataset) -> Examples:
    """The train split. Raises `DataError` if there is none."""
    if data.train is None:
        there = [split for split in SPLITS if getattr(data, split) is not None]
        raise DataError(
            f"no train split, only {', '.join(there)}; duplicates are looked for in train",
            path=getattr(data, there[0]).source or data.name if there else data.name,
            remedy="give a folder with a train file, or name another file of the folder: --split train=FILE",
        )
    return data.train


def place(examples: Examples, split: str, row: int) -> Place:
    """A row of a split with its line, its text and its label in words."""
    return Place(
        split, row, row + 1 if examples.lines is None else examples.lines[row],
        " / ".join(parts_of(examples.inputs[row])),
        None if examples.labels is None else label_words(examples.labels[row], examples.task),
        "" if examples.languages is None else examples.languages[row],
    )  # fmt: skip


def shared_groups(groups: Mapping[str, Sequence[str | None]]) -> tuple[SharedGroup, ...]:
    """The groups that occur in more than one split, those with most rows outside train first."""
    counts: dict[str, dict[str, int]] = {}
    for split, values in groups.items():
        for value, rows in Counter(value for value in values if value is not None).items():
            counts.setdefault(value, {})[split] = rows
    shared = [SharedGroup(value, rows) for value, rows in counts.items() if len(rows) > 1]
    return tuple(sorted(shared, key=lambda group: group.rows.get("train", 0) - sum(group.rows.values())))


@dataclass(frozen=True)
class Removal:
    """Which rows remain, and why the others are removed.

    Attributes:
        kept: split -> the rows that remain, from 0, ascending; only train and unlabelled are changed.
        leaked, duplicates, conflicting: removed rows of both splits by reason; a leaked duplicate counts as leaked.
        dropped: rows of train that were decided to be left out, and are not leaked.
        relabelled: rows of train that remain and have a label that was decided.
        needed: rows of train that remain because no other has their label.
    """

    kept: dict[str, list[int]]
    leaked: int
    duplicates: int
    conflicting: int
    needed: tuple[Place, ...]
    dropped: int = 0
    relabelled: int = 0

    @property
    def removed(self) -> int:
        """The number of removed rows."""
        return self.leaked + self.duplicates + self.conflicting + self.dropped

    def to_json(self) -> dict[str, Any]:
        return {
            "kept": {split: len(rows) for split, rows in self.kept.items()},
            "leaked": self.leaked, "duplicates": self.duplicates, "conflicting": self.conflicting,
            "dropped": self.dropped, "relabelled": self.relabelled,
            "needed": [place.to_json() for place in self.needed],
        }  # fmt: skip


def removal(
    data: Dataset,
    findings: Findings,
    conflicting: str = "first",
    dropped: Collection[int] = (),
    relabelled: Collection[int] = (),
) -> Removal:
    """Which rows of train and of the unlabelled texts remain, so that no duplicate and no leak is left.

    Removed are texts that are in dev or test, exactly or nearly; then all but the first row of each cluster. Unlabelled
    texts that are in train go as well. Rows of train that were decided to be `dropped` go first; `relabelled` ones
    are the first of their cluster, and remain with "none" (`decisions.decide_labels`). `conflicting` is what remains of
    clusters with different labels, see `near_duplicates.kept_rows`. If a label would lose
    its last row, its first row that is not `dropped` stays.
    """
    train, keys = need_train(data), _keys(data)
    dropped, relabelled = set(dropped), set(relabelled)
    evaluated = [key for split in EVALUATED for key in keys.get(split, ())]
    leaving = near_repeats(keys["train"], evaluated)
    clusters = []
    for cluster in findings.clusters:
        rows = [place.row for place in cluster.places if place.row not in dropped]
        decided = [row for row in rows if row in relabelled and not leaving[row]]
        # A decision settles which of different labels is right.
        others = [] if decided and conflicting == "none" else [row for row in rows if row not in decided]
        clusters.append([*decided, *others])
    alone = np.ones(len(train), dtype=bool)
    alone[[*dropped, *(place.row for cluster in findings.clusters for place in cluster.places)]] = False
    clusters_and_others = [*clusters, *([int(row)] for row in np.flatnonzero(alone))]
    kept = kept_rows(clusters_and_others, train.labels, leaving, conflicting, form_of(data.task).per_word)
    needed = _needed(train, kept, dropped)
    kept = sorted({*kept, *needed})
    left = set(kept)
    disputed = {place.row for cluster in findings.conflicting if conflicting == "none" for place in cluster.places}
    gone = [row for row in range(len(train)) if row not in left]
    leaked = sum(bool(leaving[row]) for row in gone)
    left_out = sum(row in dropped and not leaving[row] for row in gone)
    contested = sum(row in disputed and row not in dropped and not leaving[row] for row in gone)
    duplicates = len(gone) - leaked - left_out - contested
    remaining = {"train": kept}
    if data.unlabelled is not None:
        texts = keys["unlabelled"]
        evaluation, known = near_repeats(texts, evaluated), near_repeats(texts, keys["train"])
        remaining["unlabelled"] = kept_rows(cluster_rows(texts, JACCARD), None, evaluation | known)
        leaked += int(evaluation.sum())
        duplicates += len(texts) - len(remaining["unlabelled"]) - int(evaluation.sum())
    places = tuple(place(train, "train", row) for row in needed)
    return Removal(remaining, leaked, duplicates, contested, places, left_out, len(relabelled & left))


def _needed(train: Examples, kept: Sequence[int], dropped: Collection[int]) -> list[int]:
    """The first row, of those not dropped, of each label that the kept rows do not have."""
    assert train.labels is not None
    present = {name for row in kept for name in _names(train.labels[row])}
    found: list[int] = []
    for row, label in enumerate(train.labels):
        if row not in dropped and (missing := [name for name in _names(label) if name not in present]):
            found.append(row)
            present.update(missing)
    return found


def _names(label: Label) -> tuple[int, ...]:
    if isinstance(label, float):
        return ()
    return label if isinstance(label, tuple) else (label,)


def _keys(data: Dataset) -> dict[str, list[str]]:
    parts: dict[str, Examples] = {split: part for split in SPLITS if (part := getattr(data, split)) is not None}
    return {split: normalise_all(part.inputs) for split, part in parts.items()}


def _leaks(data: Dataset, keys: Mapping[str, Sequence[str]], split: str, others: Sequence[str]) -> list[Leak]:
    """The rows of `split` that are in one of `others`, exact ones first."""
    there = [(other, row) for other in others if other in keys for row in range(len(keys[other]))]
    if split not in keys or not there:
        return []
    texts = [keys[other][row] for other, row in there]
    found = []
    for row, partner in enumerate(near_partners(keys[split], texts).tolist()):
        if partner >= 0:
            other, there_row = there[partner]
            kind = EXACT if keys[split][row] == texts[partner] else NEAR
            here = place(getattr(data, split), split, row)
            found.append(Leak(here, place(getattr(data, other), other, there_row), kind))
    return sorted(found, key=lambda leak: leak.kind != EXACT)
