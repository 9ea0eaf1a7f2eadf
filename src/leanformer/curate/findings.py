"""What was found in a data set: clusters of duplicates, leaks between splits, groups in several splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from leanformer.curate.data_map import DataMap
from leanformer.data.card import DataCard

EXACT, NEAR = "exact", "near"


@dataclass(frozen=True)
class Place:
    """A row of a split.

    Attributes:
        split: its split. row: its index in the split, from 0.
        line: its line in the file, from 1: the first, or in a table the last (of a hub data set its row).
        text: the text; several texts of an input are separated by " / ".
        label: the label in words; None if the split has no labels.
        language: the language, if the data give it; each language may have a file of its own.
    """

    split: str
    row: int
    line: int
    text: str
    label: str | None
    language: str = ""

    def to_json(self) -> dict[str, Any]:
        """Without the index: the line is what a person can look up."""
        value = {"split": self.split, "line": self.line, "text": self.text, "label": self.label}
        return value | ({"language": self.language} if self.language else {})


@dataclass(frozen=True)
class Cluster:
    """Rows of train that are duplicates, in order.

    Attributes:
        kind: "exact" if all are equal after normalisation, otherwise "near".
        conflicting: whether their labels differ.
    """

    places: tuple[Place, ...]
    kind: str
    conflicting: bool

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind, "conflicting": self.conflicting, "rows": [place.to_json() for place in self.places]
        }  # fmt: skip


@dataclass(frozen=True)
class Leak:
    """A row of dev or test, and a row of another split whose text equals it ("exact"), or nearly ("near")."""

    place: Place
    other: Place
    kind: str

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "row": self.place.to_json(), "in": self.other.to_json()}


@dataclass(frozen=True)
class SharedGroup:
    """A value of the grouping column that occurs in more than one split, with the number of rows in each."""

    value: str
    rows: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        return {"value": self.value, "rows": self.rows}


@dataclass(frozen=True)
class Suspect:
    """A label of train that is suspected to be wrong.

    Attributes:
        given, suggested: the name of the label, or of the word's tag; or the names of any number of labels.
        self_confidence: the probability of the given label; of several suspected labels of a row, the lowest.
        margin: this minus the highest probability of another label, -1 to 1; likewise.
        word: the number of the word in the sentence, from 0; None if labels are not tags of words.
    """

    place: Place
    given: str | tuple[str, ...]
    suggested: str | tuple[str, ...]
    self_confidence: float
    margin: float
    word: int | None = None

    def to_json(self) -> dict[str, Any]:
        """With the number of the row in train, and of the word, both from 1."""
        place = {key: value for key, value in self.place.to_json().items() if key not in ("split", "label")}
        word = {} if self.word is None else {"word": self.word + 1, "form": self.place.text.split(" ")[self.word]}
        return {
            "row": self.place.row + 1, **place, **word, "given": self.given, "suggested": self.suggested,
            "self_confidence": round(self.self_confidence, 4), "margin": round(self.margin, 4),
        }  # fmt: skip


@dataclass(frozen=True)
class LabelCheck:
    """What the search for wrong labels found in train.

    Attributes:
        suspects: the labels, or tags, that are probably wrong, most suspect first; those of a sentence are together.
        checked: the number of labels, or tags, that were looked at.
        rare: labels that were left out because too few rows have them to learn what they are.
        features: what the models saw: "n-grams", or the name of an encoder.
        data: the content hash of train, by which decisions about its rows are known.
    """

    suspects: tuple[Suspect, ...]
    checked: int
    rare: tuple[str, ...]
    features: str
    data: str

    @property
    def rows(self) -> int:
        """The number of rows of train with a suspect."""
        return len({suspect.place.row for suspect in self.suspects})

    def to_json(self) -> dict[str, Any]:
        return {
            "suspects": len(self.suspects), "rows": self.rows, "checked": self.checked, "rare": list(self.rare),
            "features": self.features, "data": self.data,
        }  # fmt: skip


@dataclass(frozen=True)
class Findings:
    """All findings in a data set.

    Attributes:
        card: the card of the data set.
        clusters: the clusters of duplicates in train, in order of their first row.
        leaks: the rows of test and dev whose text is in train or among the unlabelled texts, exactly or nearly.
        between: the rows of dev whose text is in test, exactly or nearly.
        groups: the groups in more than one split, those with most rows outside train first; None without a column.
        column: the grouping column; None likewise.
        labels: what the search for wrong labels found; None if there was none.
        map: what a training shows about the rows of train; None if there was none.
        hardest, ambiguous: by that map, the rows of least confidence, and those of highest variability.
    """

    card: DataCard
    clusters: tuple[Cluster, ...]
    leaks: tuple[Leak, ...]
    between: tuple[Leak, ...]
    groups: tuple[SharedGroup, ...] | None = None
    column: str | None = None
    labels: LabelCheck | None = None
    map: DataMap | None = None
    hardest: tuple[Place, ...] = ()
    ambiguous: tuple[Place, ...] = ()

    @property
    def conflicting(self) -> tuple[Cluster, ...]:
        """The clusters whose rows have different labels."""
        return tuple(cluster for cluster in self.clusters if cluster.conflicting)

    def clusters_of(self, kind: str) -> tuple[Cluster, ...]:
        """The clusters of a kind, "exact" or "near"."""
        return tuple(cluster for cluster in self.clusters if cluster.kind == kind)

    def leaks_of(self, split: str) -> tuple[Leak, ...]:
        """The leaks of "dev" or "test"."""
        return tuple(leak for leak in self.leaks if leak.place.split == split)

    def to_json(self) -> dict[str, Any]:
        groups = None if self.groups is None else [group.to_json() for group in self.groups]
        return {
            "card": self.card.to_json(),
            "clusters": {
                "exact": repeats(self.clusters_of(EXACT)), "near": repeats(self.clusters_of(NEAR)),
                "conflicting": repeats(self.conflicting),
            },
            "leaks": [leak.to_json() for leak in self.leaks],
            "between": [leak.to_json() for leak in self.between],
            "column": self.column,
            "groups": groups,
            "labels": None if self.labels is None else self.labels.to_json(),
            "map": None if self.map is None else self.map.to_json(),
        }  # fmt: skip


def repeats(clusters: Sequence[Cluster]) -> dict[str, int]:
    """The number of clusters, of their rows, and of the rows after the first of each."""
    rows = sum(len(cluster.places) for cluster in clusters)
    return {"clusters": len(clusters), "rows": rows, "repeats": rows - len(clusters)}


def by_kind(leaks: Sequence[Leak]) -> dict[str, int]:
    """The number of exact leaks, and of near ones."""
    return {kind: sum(leak.kind == kind for leak in leaks) for kind in (EXACT, NEAR)}
