"""Was this data used before? What artifacts and their reports record about the texts that they are to be judged on.

An artifact has a record with a hash of every text that it was made with (`data/used_texts.py`). An artifact of an
earlier version has only hashes of whole splits, in its history and in the report next to it; they recognise a split
only if it is identical to the last row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.data.overlap import group_rows, normalise_all
from leanformer.data.used_texts import MADE_WITH, UsedTexts, recorded, told
from leanformer.errors import ArtifactError
from leanformer.files import sha256_json
from leanformer.schema import fields, named
from leanformer.strict_json import read_json
from leanformer.task import Text

_SCHEMA = fields({}, {"data": fields({}, {"splits": named()})})
_UNRECOGNISED = "copies that were edited, cut or paraphrased are not recognised"


@dataclass(frozen=True)
class Use:
    """What is known about earlier use of the texts of a split.

    Attributes:
        n: texts. used: row (from 0) -> its earlier use, for rows that a model was made, chosen or calibrated with.
        reported: texts whose figures are in a report of one of the models, and that were not used otherwise.
        repeats: rows whose text repeats that of an earlier row of the split.
        forbids: why a judgement on the split proves nothing; None if no reason is known.
        warnings: what the reader must know.
        unreadable: why a model's record cannot be read, and below it the remedy; None if it can, or there is none.
            Other texts do not help in that case, so `forbids` gives the reason too.
    """

    n: int
    used: dict[int, str]
    reported: int
    repeats: tuple[int, ...]
    forbids: str | None
    warnings: tuple[str, ...]
    unreadable: str | None = None

    @property
    def share(self) -> float:
        """Percentage of the texts that were used before."""
        return 100 * len(self.used) / self.n if self.n else 0.0

    @property
    def fresh(self) -> list[int]:
        """The rows that were not used before and repeat no earlier row."""
        repeats = set(self.repeats)
        return [row for row in range(self.n) if row not in self.used and row not in repeats]

    @property
    def counts(self) -> dict[str, int]:
        """Role -> number of rows that had it."""
        roles = [*self.used.values()]
        return {role: roles.count(role) for role in MADE_WITH if role in roles}

    def __str__(self) -> str:
        """How many texts were used before, by role."""
        if not self.used:
            return f"none of the {self.n:,} texts is known to have been used before; {_UNRECOGNISED}"
        return told([self.used.get(row) for row in range(self.n)])

    def to_json(self) -> dict[str, Any]:
        return {
            "n": self.n,
            "used": self.counts,
            "reported": self.reported,
            "repeats": len(self.repeats),
            "judged": len(self.fresh),
        }


def texts_hash(texts: Sequence[Text]) -> str:
    """SHA-256 (hex) of texts in order, without their labels."""
    return sha256_json(list(texts))


def earlier_use(artifact: Artifact, data: Dataset, split: str, *others: Artifact, apart: bool = False) -> Use:
    """What `artifact` or any of the `others` used the texts of the split for, by everything they record.

    `apart`: see `UsedTexts.roles_of`.
    """
    examples: Examples = getattr(data, split)
    known, warnings, forbids, unreadable = UsedTexts(), list[str](), list[str](), list[str]()
    for model in (artifact, *others):
        try:
            record = recorded(model)
        except ArtifactError as error:
            unreadable.append(f"what the model was made with cannot be told: {error}")
            forbids.append(unreadable[-1].splitlines()[0])
            continue
        if record is not None:
            known |= record
            if record.unknown and (against := _by_whole_splits(model, data, split)[0]):
                forbids.append(against)
            continue
        against, told = _by_whole_splits(model, data, split)
        forbids += [against] if against else []
        warnings += told
    roles = known.roles_of(examples, apart=apart)
    used = {row: role for row, role in enumerate(roles) if role in MADE_WITH}
    if reported := roles.count("test"):
        warnings.append(
            f"{reported:,} of {len(examples):,} texts are in the test split of the model's report; what they show "
            "holds only if nothing was chosen by that report's test figures"
        )
    warnings += [
        f"what {name} was trained with is not recorded; that these texts are new to it is for you to know"
        for name in known.unknown
    ]
    groups = group_rows(normalise_all(examples.inputs))
    repeats = sorted(row for rows in groups.values() for row in rows[1:])
    return Use(
        len(examples), used, reported, tuple(repeats), "; ".join(dict.fromkeys(forbids)) or None,
        tuple(dict.fromkeys(warnings)), unreadable[0] if unreadable else None,
    )  # fmt: skip


def _by_whole_splits(artifact: Artifact, data: Dataset, split: str) -> tuple[str | None, list[str]]:
    """Why a judgement is forbidden (or None), and warnings, from hashes of splits in the history and in the report."""
    records = _split_records(artifact)
    if not records:
        return None, ["which data this model was made and chosen with is not recorded; it is for you to know"]
    own = texts_hash(getattr(data, split).inputs)
    as_split = {name for record in records for name, known in record.get("splits", {}).items() if known == own}
    trained = any(record.get("training_hash") == data.training_hash for record in records)
    if trained and split in ("train", "dev", "unlabelled"):
        as_split.add(split)
    if any(record.get("content_hash") == data.content_hash for record in records) and split == "test":
        as_split.add("test")
    if made_from := sorted(as_split - {"test"}):
        return f"these texts are the {' and '.join(made_from)} split that the model was made or chosen with", []
    warnings = [
        "this model has no record of single texts (an earlier version made it), so only whole splits are known again: "
        "a part of one, or another order, is not; compress or train it again for a record"
    ]
    if "test" in as_split:
        warnings.append(
            "these texts are the test split of the model's report; what they show holds only if nothing was chosen "
            "by that report's test figures"
        )
    return None, warnings


def _split_records(artifact: Artifact) -> list[dict[str, Any]]:
    """The data records of the history and of report.json that contain a hash."""
    found = [entry["data"] for entry in artifact.history if isinstance(entry.get("data"), dict)]
    path = Path(artifact.path) / "report.json"
    if path.is_file():
        try:
            value = read_json(path)
            _SCHEMA(value, "report")
            found.append(value.get("data", {}))
        except (ValueError, OSError):
            pass  # no report, so nothing to read
    return [record for record in found if "training_hash" in record or "content_hash" in record or "splits" in record]
