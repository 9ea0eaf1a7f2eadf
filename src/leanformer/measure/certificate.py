"""The certificate of a model: the verdict of the ship gate on exactly its bytes, which a server may require.

A verdict becomes a certificate by the hashes of the model, its reference, the data and the command, and by one over all
of it, which detects an edited file. It is no signature: whoever can write the file can also write its hash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from leanformer.artifact import Artifact
from leanformer.errors import LeanformerError
from leanformer.files import sha256_json
from leanformer.schema import fields, text, truth, whole
from leanformer.strict_json import read_json

BESIDE = "gate.json"
FORMAT_VERSION = 1
_SCHEMA = fields(
    {
        "artifact": fields({"content_hash": text(64)}),
        "reference": fields({"content_hash": text(64)}),
        "ships": truth,
        "reuse": fields({"all_rows": truth}),
        "certificate": fields({"format_version": whole(1), "sha256": text(64)}),
    }
)


def certified(verdict: Mapping[str, Any], command: str) -> dict[str, Any]:
    """A verdict of `leanformer gate` with the command that was given, as a certificate."""
    value = {**verdict, "command": {"line": command, "sha256": sha256_json(command)}}
    about = {"format_version": FORMAT_VERSION}
    return value | {"certificate": about | {"sha256": sha256_json(value | {"certificate": about})}}


def check_certificate(artifact: Artifact, files: Sequence[str | Path] = ()) -> Path:
    """The file that certifies the model: one of `files`, or `gate.json` in its folder.

    Raises `LeanformerError`, naming what is wrong with each file, if there is none.
    """
    beside = artifact.path / BESIDE
    problems = []
    for path in (*map(Path, files), *([beside] if beside.is_file() or not files else [])):
        if (problem := _problem(path, artifact)) is None:
            return path
        problems.append(f"{path} {problem}")
    unreadable = any(" is no certificate " in problem for problem in problems)
    raise LeanformerError(
        f"{artifact.path}: has no certificate of the ship gate: {'; '.join(problems)}\n"
        f"  remedy: leanformer gate {quote(str(artifact.path))} --against TEACHER --data NEW_TEXTS --output "
        f"{quote(str(beside))}{', once the file that is none is removed' if unreadable else ''}"
    )


def _problem(path: Path, artifact: Artifact) -> str | None:
    """Why the file does not certify the model, in words after its name; None if it does."""
    try:
        value = read_json(path)
        _SCHEMA(value, "certificate")
    except FileNotFoundError:
        return "is missing"
    except (ValueError, OSError) as error:
        return f"is no certificate ({error})"
    about = value["certificate"]
    whole_value = value | {"certificate": {name: part for name, part in about.items() if name != "sha256"}}
    if about["sha256"] != sha256_json(whole_value):
        return "was changed after it was written"
    if (certified_hash := value["artifact"]["content_hash"]) != artifact.content_hash:
        return f"is that of another model ({certified_hash[:12]}, and this one is {artifact.content_hash[:12]})"
    if value["reference"]["content_hash"] == artifact.content_hash:
        return "compares the model with itself, which proves nothing"
    if not value["ships"]:
        return "says HOLD: not every bound is shown"
    if value["reuse"]["all_rows"]:
        return "was made with --used, which proves nothing"
    return None
