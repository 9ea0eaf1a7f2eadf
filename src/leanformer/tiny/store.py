"""The artifact of a model on n-grams: `ngrams.json`, and its arrays as plain little-endian numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from leanformer.answers.forms import score_logits
from leanformer.artifact import AGAIN, Artifact, write_manifest
from leanformer.data.examples import Examples
from leanformer.errors import ArtifactError
from leanformer.files import write_json
from leanformer.linear.ngrams import KINDS
from leanformer.linear.predictor import LinearPredictor
from leanformer.schema import fields, listed, text, truth, whole
from leanformer.strict_json import read_json
from leanformer.task import Task
from leanformer.tiny.model import MOST_IDF, Group, Head, LinearHead, NetworkHead, NgramModel
from leanformer.tiny.of_linear import in_whole_numbers
from leanformer.tiny.rows import CharacterTokenizer

FORMAT, FORMAT_VERSION = "ngrams", 1
DESCRIPTION, HEAD = "ngrams.json", "head.f32"
_MOST_LENGTH = 8
_SCHEMA = fields(
    {
        "format_version": whole(1, FORMAT_VERSION), "head": text(20), "width": whole(1, 1 << 20),
        "groups": listed(
            fields(
                {
                    "kind": text(among=KINDS), "least": whole(1, _MOST_LENGTH), "most": whole(1, _MOST_LENGTH),
                    "rows": whole(1, 1 << 28), "bits": whole(8, 16), "vocabulary": truth,
                }
            ),
            1, 16,
        ),
    }
)  # fmt: skip


def write_ngrams(
    model: NgramModel,
    folder: Path,
    *,
    task: Task,
    max_tokens: int,
    history: Sequence[Mapping[str, Any]],
) -> Artifact:
    """Write the files and the manifest into the existing `folder`, which should be a temporary one."""
    groups = []
    for number, group in enumerate(model.groups):
        bits = 8 * group.table.dtype.itemsize
        arrays = {"table": group.table} | ({} if group.hashes is None else {"hashes": group.hashes, "idf": group.idf})
        for name, array in arrays.items():
            assert array is not None
            _path(folder, number, name).write_bytes(array.astype(array.dtype.newbyteorder("<")).tobytes())
        groups.append(
            {
                "kind": group.kind, "least": group.least, "most": group.most, "rows": len(group.table), "bits": bits,
                "vocabulary": group.hashes is not None,
            }
        )  # fmt: skip
    name, arrays_of_head = _HEADS[type(model.head)]
    values = np.concatenate([np.ravel(getattr(model.head, array)) for array in arrays_of_head])
    (folder / HEAD).write_bytes(values.astype("<f4").tobytes())
    write_json(
        folder / DESCRIPTION,
        {"format_version": FORMAT_VERSION, "head": name, "width": model.width, "groups": groups},
    )
    precision = "int8" if all(group.table.dtype == np.int8 for group in model.groups) else "int16"
    parameters = sum(group.table.size for group in model.groups) + values.size
    return write_manifest(
        folder, format=FORMAT, task=task, max_tokens=max_tokens, history=tuple(history),
        properties={"precision": precision, "parameters": int(parameters)},
    )  # fmt: skip


def write_linear(
    predictor: LinearPredictor,
    folder: Path,
    dev: Examples,
    *,
    max_tokens: int,
    history: Sequence[Mapping[str, Any]],
) -> Artifact:
    """Write a linear model into the existing `folder`: in 8 bits if that loses nothing on dev, otherwise in 16."""
    score = score_logits(predictor.infer(predictor.tokenize(dev.inputs)), dev.targets, predictor.task)
    model = in_few_bits(lambda bits: in_whole_numbers(predictor, bits), score, dev, predictor.task)
    return write_ngrams(model, folder, task=predictor.task, max_tokens=max_tokens, history=history)


def in_few_bits(made: Callable[[int], NgramModel], score: float, dev: Examples, task: Task) -> NgramModel:
    """The model that `made` gives for 8 bits if its figure on dev is at least `score`, otherwise that for 16."""
    rows = CharacterTokenizer().encode(dev.inputs)
    model = made(8)
    return model if score_logits(model.logits(rows), dev.targets, task) >= score else made(16)


def read_ngrams(artifact: Artifact) -> NgramModel:
    """The model. Raises `ArtifactError` for files that are missing or damaged, or that do not fit together."""
    try:
        told = read_json(artifact.file(DESCRIPTION))
        _SCHEMA(told, DESCRIPTION)
        groups = tuple(_group(artifact, number, entry, told["width"]) for number, entry in enumerate(told["groups"]))
        return NgramModel(groups, _head(artifact, told["head"], len(groups), told["width"]))
    except (ValueError, OSError, KeyError) as error:
        raise ArtifactError(f"{artifact.path}: not a valid model on n-grams ({error}){AGAIN}") from error


def _group(artifact: Artifact, number: int, told: Mapping[str, Any], width: int) -> Group:
    rows = told["rows"]
    if told["least"] > told["most"]:
        raise ValueError(f"n-grams of {told['least']} to {told['most']}")
    if told["bits"] not in (8, 16):
        raise ValueError(f"a table of {told['bits']} bits")
    table = _array(artifact, number, "table", f"<i{told['bits'] // 8}", rows * width).reshape(rows, width)
    if not told["vocabulary"]:
        return Group(told["kind"], told["least"], told["most"], table)
    hashes, idf = _array(artifact, number, "hashes", "<u4", rows), _array(artifact, number, "idf", "<u2", rows)
    if (hashes[1:] <= hashes[:-1]).any() or idf.max() > MOST_IDF:
        raise ValueError(f"hashes of group {number} do not ascend, or an IDF is above {MOST_IDF}")
    return Group(told["kind"], told["least"], told["most"], table, hashes, idf)


def _array(artifact: Artifact, number: int, name: str, kind: str, size: int) -> np.ndarray:
    path = artifact.file(_path(Path(), number, name).name)
    if path.stat().st_size != size * np.dtype(kind).itemsize:
        raise ValueError(f"{path.name} has {path.stat().st_size} bytes, not those of {size} numbers")
    # Of this machine's byte order, aligned and apart from the file.
    return np.frombuffer(path.read_bytes(), dtype=kind).astype(np.dtype(kind).newbyteorder("="))


def _path(folder: Path, number: int, name: str) -> Path:
    return folder / f"{number}.{name}"


def _head(artifact: Artifact, name: str, groups: int, width: int) -> Head:
    values = np.frombuffer(artifact.file(HEAD).read_bytes(), dtype="<f4").astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError(f"{HEAD} has numbers that are not finite")
    if name not in _READERS:
        raise ValueError(f"a head {name!r}; this Leanformer has {', '.join(_READERS)}")
    return _READERS[name](values, groups, width, artifact.task.outputs)


def _linear(values: np.ndarray, groups: int, width: int, outputs: int) -> LinearHead:
    if width != outputs or len(values) != 2 * outputs:
        raise ValueError(f"a linear head of {len(values)} numbers for {width} columns and {outputs} outputs")
    return LinearHead(values[:outputs], values[outputs:])


def _network(values: np.ndarray, groups: int, width: int, outputs: int) -> NetworkHead:
    inputs = groups * width
    units, rest = divmod(len(values) - groups - outputs, inputs + 1 + outputs)
    if units < 1 or rest:
        raise ValueError(f"a network of {len(values)} numbers for {inputs} inputs and {outputs} outputs")
    ends = np.cumsum([groups, inputs * units, units, units * outputs])
    scales, hidden, hidden_bias, output, output_bias = np.split(values, ends)
    return NetworkHead(scales, hidden.reshape(inputs, units), hidden_bias, output.reshape(units, outputs), output_bias)


# Name of a head and its arrays, and how it is read.
_HEADS: dict[type, tuple[str, tuple[str, ...]]] = {
    LinearHead: ("linear", ("scales", "bias")),
    NetworkHead: ("network", ("scales", "hidden", "hidden_bias", "output", "output_bias")),
}
_READERS: dict[str, Callable[[np.ndarray, int, int, int], Head]] = {"linear": _linear, "network": _network}
