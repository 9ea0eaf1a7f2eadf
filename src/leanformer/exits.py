"""Early exits of a classifier: heads behind some of its layers, and the confidence from which their answers stand.

A text whose answer at an exit is sure skips the layers that follow (Teerapittayanon et al. 2016; for encoders Xin et
al. 2020 and Liu et al. 2020). An artifact with exits has two more files:

    exits.json    behind how many layers each exit stands, and, once they are calibrated, temperatures and thresholds
    exits.f32     the heads, little-endian floats: of each exit `dense` [hidden, hidden], its bias, `classifier`
                  [hidden, labels], its bias

A head is the mean of a text's tokens, dense, tanh, and the logits. The files stand beside the model and change nothing
in it: without exits it computes the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from leanformer.artifact import AGAIN, Artifact
from leanformer.errors import ArtifactError
from leanformer.files import write_json
from leanformer.schema import fields, listed, nullable, number, whole
from leanformer.strict_json import read_json

DESCRIPTION, HEADS = "exits.json", "exits.f32"
FORMAT_VERSION = 1
MOST_EXITS = 7
_SCHEMA = fields(
    {
        "format_version": whole(1, FORMAT_VERSION), "layers": listed(whole(1, 10_000), 1, MOST_EXITS),
        "hidden": whole(1, 1 << 20), "labels": whole(1, 1 << 20),
        "temperatures": listed(number(1e-6, 1e6), 0, MOST_EXITS),
        "thresholds": listed(nullable(number(0, 1)), 0, MOST_EXITS),
    }
)  # fmt: skip


@dataclass(frozen=True)
class ExitHead:
    """The head of one exit, fp32: logits = tanh(mean @ dense + dense_bias) @ classifier + bias.

    Attributes:
        dense: `[hidden, hidden]`. dense_bias: `[hidden]`. classifier: `[hidden, labels]`. bias: `[labels]`.
    """

    dense: np.ndarray
    dense_bias: np.ndarray
    classifier: np.ndarray
    bias: np.ndarray

    def logits(self, means: np.ndarray) -> np.ndarray:
        """Logits `[n, labels]` of mean hidden states `[n, hidden]`."""
        return np.asarray(np.tanh(means @ self.dense + self.dense_bias) @ self.classifier + self.bias)


@dataclass(frozen=True)
class Exits:
    """The exits of a model, the earliest first.

    Attributes:
        layers: behind how many layers each stands.
        heads: of each.
        temperatures: the divisor of each exit's logits before its confidence is measured; empty until calibrated.
        thresholds: the largest probability from which each exit's answer stands; None: that exit is not asked. Empty
            until they are calibrated.

    Raises `ValueError` for values that do not fit together.
    """

    layers: tuple[int, ...]
    heads: tuple[ExitHead, ...]
    temperatures: tuple[float, ...] = ()
    thresholds: tuple[float | None, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.layers) <= MOST_EXITS or list(self.layers) != sorted(set(self.layers)):
            raise ValueError(f"1 to {MOST_EXITS} exits stand behind rising numbers of layers, not {self.layers}")
        if len(self.heads) != len(self.layers) or len({head.classifier.shape for head in self.heads}) != 1:
            raise ValueError(f"{len(self.heads)} heads for {len(self.layers)} exits, or heads of several shapes")
        hidden, labels = self.heads[0].classifier.shape
        for head in self.heads:
            shapes = (head.dense.shape, head.dense_bias.shape, head.bias.shape)
            if shapes != ((hidden, hidden), (hidden,), (labels,)):
                raise ValueError(f"a head of {hidden} x {labels} has parts of shapes {shapes}")
        if len(self.temperatures) != len(self.thresholds) or len(self.thresholds) not in (0, len(self.layers)):
            raise ValueError(
                f"{len(self.layers)} exits, {len(self.temperatures)} temperatures and {len(self.thresholds)} thresholds"
            )

    @property
    def calibrated(self) -> bool:
        return bool(self.thresholds)

    def asking(self, temperatures: Sequence[float], thresholds: Sequence[float | None]) -> Exits:
        """The same exits with other rules."""
        return replace(self, temperatures=tuple(temperatures), thresholds=tuple(thresholds))

    def only(self, number: int) -> Exits:
        """The same exits, of which one, counted from 0, answers every text."""
        thresholds = [0.0 if index == number else None for index in range(len(self.layers))]
        return self.asking([1.0] * len(self.layers), thresholds)


def has_exits(artifact: Artifact) -> bool:
    return DESCRIPTION in artifact.files


def write_exits(exits: Exits, folder: Path) -> None:
    """Write the two files into a folder of which the manifest is not written yet."""
    hidden, labels = exits.heads[0].classifier.shape
    write_json(
        folder / DESCRIPTION,
        {
            "format_version": FORMAT_VERSION, "layers": list(exits.layers), "hidden": hidden, "labels": labels,
            "temperatures": list(exits.temperatures), "thresholds": list(exits.thresholds),
        },
    )  # fmt: skip
    parts = [part for head in exits.heads for part in (head.dense, head.dense_bias, head.classifier, head.bias)]
    np.concatenate([np.asarray(part, "<f4").ravel() for part in parts]).tofile(folder / HEADS)


def copy_exits(artifact: Artifact, folder: Path) -> None:
    """Take an artifact's exits along, if it has any, into a folder of which the manifest is not written yet."""
    if has_exits(artifact):
        for name in (DESCRIPTION, HEADS):
            shutil.copyfile(artifact.file(name), folder / name)


def read_exits(artifact: Artifact) -> Exits:
    """The exits of an artifact.

    Raises `ArtifactError` if it has none, or if the files are not those of exits for its labels.
    """
    path, heads = artifact.file(DESCRIPTION), artifact.file(HEADS)
    try:
        value = read_json(path, most_bytes=1 << 20)
        _SCHEMA(value, "exits")
        return _exits(value, heads, artifact.task.outputs)
    except (ValueError, OSError) as error:
        raise ArtifactError(f"{path}: no valid early exits ({error}){AGAIN}") from error


def exits_to_ask(artifact: Artifact, exits: bool | Exits) -> Exits | None:
    """The given exits, or the artifact's own if `exits` is True; None if they are not calibrated, or there are none."""
    if exits is True:
        exits = has_exits(artifact) and read_exits(artifact)
    return exits if isinstance(exits, Exits) and exits.calibrated else None


def _exits(value: Mapping[str, Any], heads: Path, labels: int) -> Exits:
    hidden, count = int(value["hidden"]), len(value["layers"])
    if value["labels"] != labels:
        raise ValueError(f"heads for {value['labels']} labels, and the model has {labels}")
    sizes = (hidden * hidden, hidden, hidden * labels, labels)
    if heads.stat().st_size != 4 * count * sum(sizes):
        raise ValueError(f"{heads.name} does not hold {count} heads of {hidden} x {labels}")
    whole_file = np.fromfile(heads, "<f4").astype(np.float32, copy=False)
    if not np.isfinite(whole_file).all():
        raise ValueError(f"{heads.name} has numbers that are not finite")
    read = []
    for row in whole_file.reshape(count, -1):
        dense, dense_bias, classifier, bias = np.split(row, np.cumsum(sizes)[:-1])
        read.append(ExitHead(dense.reshape(hidden, hidden), dense_bias, classifier.reshape(hidden, labels), bias))
    return Exits(
        tuple(value["layers"]), tuple(read), tuple(value["temperatures"]), tuple(value["thresholds"])
    )  # fmt: skip
