"""Which texts a model was made with: a hash of each, by its role, in a file next to the manifest.

    used_texts.bin      a line of JSON, then the hashes of each role in turn, 8 bytes each, little-endian and sorted

The JSON line is {"leanformer_used_texts": 1, "roles": {"train": 1000, "dev": 100}, "unknown": [...], "sha256": "..."};
the SHA-256 is that of the hashes. A hash is the first 8 bytes of the SHA-256 of the normalised text
(`overlap.normalise_all`). The manifest has the hash of the file among its properties, outside the content hash. For the
reasons see docs/decisions/0036-texts-used-before.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from leanformer.artifact import MANIFEST, USED_TEXTS, Artifact, open_artifact
from leanformer.data.examples import Examples
from leanformer.data.overlap import normalise_all
from leanformer.errors import ArtifactError
from leanformer.files import new_file, sha256_file, write_json
from leanformer.manifest import MOST_BYTES
from leanformer.schema import fields, listed, named, text, whole
from leanformer.strict_json import parse_json, read_bounded, read_json

ROLES = ("train", "unlabelled", "dev", "calibration", "test")
"""What texts may have been used for, the gravest use first. "test": their figures are in the model's report."""
MADE_WITH = ROLES[:-1]
_PURPOSES = {"train": "in training", "unlabelled": "without labels", "dev": "to choose", "calibration": "to calibrate"}
MOST_USED = 1.0
"""Per cent of the texts of a test that may have been used before; these are left out. Where there are more, the others
are no fresh sample either: edited copies, which no hash knows again, are likely among them."""
PROPERTY = "used_texts"
_KEY, _VERSION = "leanformer_used_texts", 1
_HASH = np.dtype("<u8")
_MOST_RECORD_BYTES = 8 << 30
_MOST_LINE_BYTES = 8 << 20
_MOST_UNKNOWN = 1000
_SCHEMA = fields(
    {
        _KEY: whole(1, _VERSION),
        "roles": named(whole(0)),
        "unknown": listed(text(1000), most=_MOST_UNKNOWN),
        "sha256": text(64),
    }
)


@dataclass(frozen=True, eq=False)
class UsedTexts:
    """Hashes of texts by role.

    Attributes:
        roles: one of `ROLES` -> hashes of the texts with that role, `[n]`, uint64, sorted and distinct.
        unknown: models that this one was made from, and whose training texts are not known.
    """

    roles: Mapping[str, np.ndarray] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    @classmethod
    def of(cls, **roles: Examples | None) -> UsedTexts:
        """The texts of each role; a role without examples is left out."""
        return cls({role: np.unique(text_hashes(part)) for role, part in roles.items() if part is not None})

    def __or__(self, other: UsedTexts) -> UsedTexts:
        both = [part.roles for part in (self, other)]
        roles = {
            role: np.unique(np.concatenate([part[role] for part in both if role in part]))
            for role in ROLES
            if any(role in part for part in both)
        }
        return UsedTexts(roles, tuple(dict.fromkeys((*self.unknown, *other.unknown)))[:_MOST_UNKNOWN])

    def roles_of(self, examples: Examples, *, apart: bool = False) -> list[str | None]:
        """The earlier use of each text, the most serious one if there are several; None: no use is known.

        A pair of texts counts as used in either order; with `apart` also if one of the two was used on its own.
        """
        found = np.full(len(examples), len(ROLES))
        orders = [text_hashes(examples)]
        if examples.pairs is not None:
            turned: list[Any] = [text[::-1] for text in examples.inputs]
            orders.append(_hashed(normalise_all(turned)))
            if apart:
                orders += [_hashed(normalise_all([text[side] for text in turned])) for side in (0, 1)]
        for place, role in reversed(list(enumerate(ROLES))):
            for hashes in orders:
                found[np.isin(hashes, self.roles.get(role, np.empty(0, _HASH)))] = place
        return [(*ROLES, None)[place] for place in found]

    def to_bytes(self) -> bytes:
        """The content of the file."""
        payload = b"".join(part.astype(_HASH).tobytes() for part in self.roles.values())
        line = {
            _KEY: _VERSION,
            "roles": {role: len(part) for role, part in self.roles.items()},
            "unknown": list(self.unknown),
            "sha256": hashlib.sha256(payload).hexdigest(),
        }
        return json.dumps(line, ensure_ascii=False).encode() + b"\n" + payload

    @classmethod
    def from_bytes(cls, content: bytes) -> UsedTexts:
        """Raises `ValueError` for content that `to_bytes` did not write, or that was damaged."""
        line, _, payload = content.partition(b"\n")
        if len(line) > _MOST_LINE_BYTES:
            raise ValueError(f"its first line has more than {_MOST_LINE_BYTES:,} bytes")
        value = parse_json(line)
        _SCHEMA(value, "record")
        if unknown := [role for role in value["roles"] if role not in ROLES]:
            raise ValueError(f"record.roles has {unknown[0]!r:.40}, which is no role")
        counts = list(value["roles"].values())
        if len(payload) != _HASH.itemsize * sum(counts):
            raise ValueError(f"{len(payload)} bytes of hashes, and {sum(counts)} hashes")
        if hashlib.sha256(payload).hexdigest() != value["sha256"]:
            raise ValueError("the hashes are not those that were written")
        parts = np.split(np.frombuffer(payload, _HASH), np.cumsum(counts)[:-1])
        return cls(dict(zip(value["roles"], parts, strict=True)) if counts else {}, tuple(value["unknown"]))


def told(roles: Sequence[str | None]) -> str:
    """A sentence on how many texts were used before to make, choose or calibrate a model, given the role of each."""
    counts = {role: sum(role == found for found in roles) for role in MADE_WITH}
    purposes = ", ".join(f"{count:,} {_PURPOSES[role]}" for role, count in counts.items() if count)
    return f"{sum(counts.values()):,} of {len(roles):,} texts were used before: {purposes}"


def text_hashes(examples: Examples) -> np.ndarray:
    """The hash of each normalised text, or pair of texts, `[n]`, uint64, in their order."""
    return _hashed(normalise_all(examples.inputs))


def _hashed(keys: list[str]) -> np.ndarray:
    digests = (hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()[: _HASH.itemsize] for key in keys)
    return np.frombuffer(b"".join(digests), _HASH)


def recorded(artifact: Artifact) -> UsedTexts | None:
    """The record of an artifact; None if it has none, as in earlier versions.

    Raises `ArtifactError` if its manifest names a record that is missing, or is not the original one.
    """
    if (digest := artifact.properties.get(PROPERTY)) is None:
        return None
    path = artifact.path / USED_TEXTS
    try:
        # An artifact may come from anywhere; it must not make us read outside its folder, or read an endless file.
        if not path.resolve().is_relative_to(artifact.path.resolve()):
            raise ValueError("it lies outside the artifact")
        if path.exists() and not path.is_file():
            raise ValueError("it is no file")
        if sha256_file(path) != digest:
            raise ValueError("its hash is not the one in the manifest")
        return UsedTexts.from_bytes(read_bounded(path, _MOST_RECORD_BYTES))
    except (OSError, ValueError, RuntimeError) as error:  # a loop of symbolic links raises any of the three
        why = "missing" if isinstance(error, FileNotFoundError) else f"not as it was written ({error})"
        raise ArtifactError(
            f"{path}: the record of the texts that the model was made with is {why}\n"
            "  remedy: copy the artifact again with all of its files, or recreate it"
        ) from error


def inherited(artifact: Artifact) -> UsedTexts:
    """The texts used by anything made from this artifact: its record, or its name as unknown if it has none."""
    try:
        found = recorded(artifact)
    except ArtifactError:
        found = None
    return UsedTexts(unknown=(_name(artifact),)) if found is None else found


def attach(artifact: Artifact, used: UsedTexts) -> Artifact:
    """Write the record into the artifact's folder, replacing an existing one; its content hash stays the same.

    The manifest changes: if its hash is recorded elsewhere, that has to be done afterwards.
    """
    with new_file(artifact.path / USED_TEXTS) as temporary:
        temporary.write_bytes(used.to_bytes())
    path = artifact.path / MANIFEST
    manifest = read_json(path, most_bytes=MOST_BYTES)
    manifest["properties"] |= {PROPERTY: sha256_file(artifact.path / USED_TEXTS)}
    write_json(path, manifest)
    return open_artifact(artifact.path, verify=False)


def _name(artifact: Artifact) -> str:
    """The name by which a user knows a model: the checkpoint that it was imported from, or its folder's name."""
    first = artifact.history[0] if artifact.history else {}
    source = (first.get("options") or {}).get("source") if first.get("step") == "import" else None
    return str(source or artifact.path.name)[:1000]
