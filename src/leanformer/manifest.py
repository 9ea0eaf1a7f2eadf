"""The schema of `leanformer.json`. A manifest may come from anywhere, and readers rely on what is checked here.

Unknown names are ignored, because later versions may write more.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from leanformer.formats import FORMATS
from leanformer.schema import Check, fields, listed, named, nullable, number, text, truth, whole
from leanformer.tagging.schemes import is_tag
from leanformer.task import BUILT

MOST_BYTES = 64 << 20
# The widest models have some ten thousand units, the longest inputs some hundred thousand tokens.
_WIDTH = whole(1, 1 << 20)
_HASH = text(128)
_LABELS = listed(text(10_000), most=1_000_000)


def _file_name(name: str, place: str) -> None:
    """Check that a name is a relative path below the folder, valid on any system. Raises `ValueError`."""
    parts = PurePosixPath(name).parts
    unfit = not parts or "\0" in name or len(name) > 1024 or any(len(part.encode()) > 255 for part in parts)
    if unfit or not name.isprintable():
        raise ValueError(f"{place} has a file name that no file can have: {name!r:.60}")


def _files(value: Any, place: str) -> None:
    named(fields({"sha256": _hash, "bytes": whole()}))(value, place)
    for name in value:
        _file_name(name, place)


def _hash(value: Any, place: str) -> None:
    if not isinstance(value, str) or len(value) != 64 or not set(value) <= set("0123456789abcdef"):
        raise ValueError(f"{place} is no SHA-256 in hexadecimal digits")


def _format(value: Any, place: str) -> None:
    text(100, among=tuple(FORMATS))(value, place)


TASK = fields(
    {"kind": text(100, among=tuple(BUILT)), "labels": _LABELS},
    {
        "thresholds": nullable(listed(number(0, 1))),
        "scale": nullable(listed(number(), 2, 2)),
        "width": nullable(_WIDTH),
        "transitions": nullable(listed(listed(number()))),
        "scheme": nullable(text(100, among=("IOB1",))),
        "no_answer": nullable(number()),
        "longest": nullable(whole(1, 1 << 31)),
        "overlap": nullable(whole(0, 1 << 24)),
    },
)

_PARITY = fields({"n": whole(), "max_difference": number(), "flips": number(0, 1)})


def _result(value: Any, place: str) -> None:
    named()(value, place)
    for name, part in value.items():
        if name.startswith("dev_"):
            listed(number())(part, f"{place}.{name}")


STEP = fields(
    {"step": text(1000)},
    {
        "options": named(),
        "parent": nullable(_HASH),
        "parity": _PARITY,
        "result": _result,
        "data": nullable(fields({}, {"splits": named()})),
        "calibration": nullable(named()),
        "no_promise": nullable(text(1000)),
    },
)

PROPERTIES = fields(
    {},
    {
        "padding_id": whole(0, 2**31 - 1),
        "layers": listed(listed(_WIDTH, 2, 2), 1, 10_000),
        "head_size": _WIDTH,
        "hidden": _WIDTH,
        "embedding": nullable(_WIDTH),
        "units": _WIDTH,
        "projection": _WIDTH,
        "pooling": text(100),
        "layout": text(100),
        "precision": text(100),
        "gated_ffn": truth,
        "checked_on": listed(text(100), most=1000),
        "parameters": whole(),
        "parameters_without_embeddings": whole(),
        "member_manifests": listed(_HASH, most=100),
        "used_texts": _HASH,
        "operators": named(whole()),
    },
)

_SCHEMA: Check = fields(
    {
        "format_version": whole(1),
        "format": _format,
        "task": TASK,
        "max_tokens": whole(1, 1 << 24),
        "files": _files,
        "history": listed(STEP, most=10_000),
        "properties": PROPERTIES,
    }
)


def check_manifest(value: Any) -> None:
    """Raise `ValueError`, naming the place, unless the value is a valid and consistent manifest."""
    _SCHEMA(value, "manifest")
    kind, labels = BUILT[value["task"]["kind"]], value["task"]["labels"]
    if kind.named and not labels:
        raise ValueError(f"manifest.task.labels is empty, and the answer of a {value['task']['kind']} model is a label")
    if "scheme" in kind.learns and (wrong := [label for label in labels if not is_tag(label)]):
        raise ValueError(f"manifest.task.labels has {wrong[0]!r:.60}, which is no tag of words")
