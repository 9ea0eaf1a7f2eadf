"""A family: models of several sizes for one task, in the folder of the one that a compression chose.

`family.json` lies beside that model; the members, ordinary artifacts, are in `members/`. What holds for one machine
only (timings, the model of time) is in `tuning/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from leanformer import schema
from leanformer.artifact import Artifact, open_artifact
from leanformer.errors import LeanformerError
from leanformer.strict_json import read_json

FILE, MEMBERS, FORMAT_VERSION = "family.json", "members", 1


@dataclass(frozen=True)
class FamilyMember:
    """A model of a family.

    Attributes:
        name: of its rung. folder: below the family's. content_hash: of the artifact.
        quality: on dev, 0 to 1. drop: points (hundredths) that it loses against the teacher on dev.
        parameters: None if unknown. bytes: of the artifact.
        layers: heads and feed-forward units of each layer.
        latency_ms, throughput_per_second: one text at a time (median), and all at once, where the family was made.
        predicted_ms: latency by the model of time, tokenizing included; None if there was none.
    """

    name: str
    folder: str
    content_hash: str
    quality: float
    drop: float
    parameters: int | None
    bytes: int
    layers: tuple[tuple[int, int], ...]
    latency_ms: float
    throughput_per_second: float
    predicted_ms: float | None = None


@dataclass(frozen=True)
class Family:
    """The members on the front of dev quality and latency, the fastest first.

    Attributes:
        path: the folder. title: recipe and data in a few words.
        metric: what `quality` is. n: dev texts behind it. teacher_quality: the teacher's on dev.
        tokens: lengths of dev texts in tokens, at even quantiles.
        dominated: models that were made and are not members, each {"name", "quality", "latency_ms", "by"}.
        machine: fingerprint of the machine on which the times were taken.
    """

    path: Path
    title: str
    metric: str
    n: int
    teacher_quality: float
    tokens: tuple[int, ...]
    members: tuple[FamilyMember, ...]
    dominated: tuple[dict[str, Any], ...] = ()
    machine: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"format_version": FORMAT_VERSION} | {
            name: value for name, value in asdict(self).items() if name != "path"
        }

    def open(self, member: FamilyMember) -> Artifact:
        """A member's artifact. Raises `LeanformerError` if it is not the one that was measured."""
        artifact = open_artifact(self.path / member.folder)
        if artifact.content_hash != member.content_hash:
            raise LeanformerError(
                f"{artifact.path}: not the model that {self.path / FILE} describes\n  remedy: compress again"
            )
        return artifact


def read_family(path: Path) -> Family:
    """The family in a folder. Raises `LeanformerError` if there is none, or its file is not one that we wrote."""
    file = path / FILE
    if not file.is_file():
        raise LeanformerError(
            f"{path}: no family of models: there is no {FILE}\n"
            "  remedy: make one with leanformer compress --recipe family"
        )
    try:
        value = read_json(file)
        _SCHEMA(value, FILE)
        if value["format_version"] != FORMAT_VERSION:
            raise ValueError(f"its format version is {value['format_version']}, not {FORMAT_VERSION}")
    except (OSError, ValueError) as error:
        raise LeanformerError(f"{file}: cannot be read ({error})\n  remedy: compress again") from error
    members = tuple(
        FamilyMember(**{**member, "layers": tuple((heads, units) for heads, units in member["layers"])})
        for member in value["members"]
    )
    return Family(
        path, value["title"], value["metric"], value["n"], value["teacher_quality"], tuple(value["tokens"]), members,
        tuple(value["dominated"]), value["machine"],
    )  # fmt: skip


def _inside(value: Any, place: str) -> None:
    schema.text(200)(value, place)
    if not value.startswith(f"{MEMBERS}/") or not value.removeprefix(f"{MEMBERS}/").isdigit():
        raise ValueError(f"{place} is {value!r:.60}, not a folder {MEMBERS}/NUMBER")


_MEMBER = schema.fields(
    {
        "name": schema.text(200), "folder": _inside, "content_hash": schema.text(200), "quality": schema.number(),
        "drop": schema.number(), "parameters": schema.nullable(schema.whole()), "bytes": schema.whole(),
        "layers": schema.listed(schema.listed(schema.whole(), 2, 2), 1), "latency_ms": schema.number(0),
        "throughput_per_second": schema.number(0), "predicted_ms": schema.nullable(schema.number(0)),
    },
    others=False,
)  # fmt: skip
_SCHEMA = schema.fields(
    {
        "format_version": schema.whole(), "title": schema.text(), "metric": schema.text(200), "n": schema.whole(),
        "teacher_quality": schema.number(), "tokens": schema.listed(schema.whole(1), 1, 10_000),
        "members": schema.listed(_MEMBER, 1, 10_000), "dominated": schema.listed(schema.named()),
        "machine": schema.named(),
    }
)  # fmt: skip
