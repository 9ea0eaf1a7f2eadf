"""The Artifact: a model folder with a manifest that describes what it is, where it came from and what is in it.

    leanformer.json    the manifest (this module)
    tokenizer.json     the tokenizer, as the `tokenizers` library reads it
    encoder.json, model.safetensors      format "encoder": our own Transformer encoder
    bilstm.json, model.safetensors       format "bilstm": a recurrent classifier (`models/bilstm.py`)
    model.onnx                           format "onnx": a graph over packs (`export/graphs/packed_graph.py`) or padded
    (a Hugging Face folder)              format "transformers": a family that is not mapped, kept unchanged
    ngrams.json, 0.table, head.f32, ...  format "ngrams": a model on n-grams (`tiny/store.py`)
    cascade.json, members/0/, ...        format "cascade": complete artifacts, asked one after the other (`cascade/`)
    exits.json, exits.f32                next to an encoder or its graph: early exits (`exits.py`)
    used_texts.bin     hashes of the texts it was made with (`data/used_texts.py`); not part of the content

The manifest lists every file with its size and SHA-256; they are verified when the artifact is opened. Files next to
the listed ones (a report, a model card) are not part of the content and may be added or removed. Readable with the
standard library alone; nothing is ever unpickled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leanformer.errors import ArtifactError
from leanformer.files import sha256_file, sha256_json, write_json
from leanformer.formats import format_named
from leanformer.manifest import MOST_BYTES, check_manifest
from leanformer.schema import shown
from leanformer.strict_json import read_json
from leanformer.task import Task

MANIFEST = "leanformer.json"
USED_TEXTS = "used_texts.bin"
FORMAT_VERSION = 1
_UNLISTED = (MANIFEST, USED_TEXTS)
AGAIN = "\n  remedy: copy or recreate the artifact"


@dataclass(frozen=True)
class Artifact:
    """A model folder, opened and checked.

    Attributes:
        path: the folder.
        format: one of `formats.FORMATS`.
        task: the task kind and label names, in the order of the logits.
        max_tokens: longest input in tokens, special tokens included; longer texts are truncated.
        files: file name -> {"sha256": hex digest, "bytes": size}.
        history: one entry per step that led here, oldest first: {"step", "options", "parent"}, where parent
            is the content hash of the step's input artifact (None for the first).
        properties: facts about the content that readers need (number of parameters, instruction sets, ...).
    """

    path: Path
    format: str
    task: Task
    max_tokens: int
    files: Mapping[str, Mapping[str, Any]]
    history: tuple[Mapping[str, Any], ...] = ()
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def content_hash(self) -> str:
        """SHA-256 over what determines the output: files, format, task and length; the history is left out."""
        return sha256_json(
            {
                "format": self.format,
                "task": self.task.to_json(),
                "max_tokens": self.max_tokens,
                "files": {name: entry["sha256"] for name, entry in self.files.items()},
            }
        )

    @property
    def bytes(self) -> int:
        """Size of all listed files in bytes."""
        return sum(int(entry["bytes"]) for entry in self.files.values())

    @property
    def names_to_copy(self) -> list[str]:
        """All files of the artifact: listed files, its manifest and record of texts, and those of its members."""
        folders = sorted({Path(), *(Path(name).parent for name in self.files)})  # not those of a family's models
        unlisted = (folder / name for name in _UNLISTED for folder in folders)
        return [*self.files, *(str(path) for path in unlisted if (self.path / path).is_file())]

    def file(self, name: str) -> Path:
        """Path of a listed file. Raises `ArtifactError` if the manifest does not list it."""
        if name not in self.files:
            raise ArtifactError(
                f"{self.path}: the artifact has no file {name!r}; it has {', '.join(sorted(self.files)[:20])}{AGAIN}"
            )
        return self.path / name

    def verify(self) -> None:
        """Compare every listed file with its hash. Raises `ArtifactError`, naming the first that differs."""
        for name, entry in self.files.items():
            path = self.path / name
            if not path.is_file():
                raise ArtifactError(f"{path}: listed in {MANIFEST} but missing{AGAIN}")
            if path.stat().st_size != entry["bytes"] or sha256_file(path) != entry["sha256"]:
                raise ArtifactError(f"{path}: content differs from the hash in {MANIFEST}{AGAIN}")


def write_manifest(
    folder: Path,
    *,
    format: str,
    task: Task,
    max_tokens: int,
    history: tuple[Mapping[str, Any], ...] = (),
    properties: Mapping[str, Any] | None = None,
) -> Artifact:
    """List and hash every file below `folder`, write its manifest there and return the artifact.

    The folder should still be a temporary one (see `files.new_folder`).
    """
    format_named(format, folder)
    files = {
        str(path.relative_to(folder)): {"sha256": sha256_file(path), "bytes": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in _UNLISTED
    }
    manifest = {
        "format_version": FORMAT_VERSION,
        "format": format,
        "task": task.to_json(),
        "max_tokens": max_tokens,
        "files": files,
        "history": list(history),
        "properties": dict(properties or {}),
    }
    write_json(folder / MANIFEST, manifest)
    return _from_manifest(folder, manifest)


def is_artifact(path: Path | str) -> bool:
    return (Path(path) / MANIFEST).is_file()


def open_artifact(path: Path | str, *, verify: bool = True) -> Artifact:
    """Open the artifact in folder `path` and verify the hashes of its files (unless `verify` is False).

    Raises `ArtifactError` if the folder or its manifest is missing or broken, if it was written by a newer Leanformer,
    or if a file was changed, is missing, or is outside the folder.
    """
    folder = Path(path)
    manifest_path = folder / MANIFEST
    if not folder.is_dir():
        raise ArtifactError(f"{folder}: no such folder\n  remedy: give the folder that `leanformer compress` wrote")
    if not manifest_path.is_file():
        raise ArtifactError(
            f"{folder}: not a Leanformer artifact, {MANIFEST} is missing\n"
            "  remedy: give the folder that `leanformer train` or `leanformer compress` wrote"
        )
    try:
        manifest = read_json(manifest_path, most_bytes=MOST_BYTES)
        version = manifest.get("format_version") if isinstance(manifest, dict) else None
        if type(version) is int and version > FORMAT_VERSION:
            raise ArtifactError(
                f"{manifest_path}: format version {shown(version)}, but this Leanformer reads version "
                f"{FORMAT_VERSION}\n"
                "  remedy: upgrade Leanformer, or recreate the artifact with this one"
            )
        check_manifest(manifest)
        artifact = _from_manifest(folder, manifest)
    except (ValueError, OSError, RuntimeError) as error:
        # A loop of symbolic links is a RuntimeError or an OSError, depending on the version of Python.
        raise ArtifactError(f"{manifest_path}: not a valid manifest ({error}){AGAIN}") from error
    if verify:
        artifact.verify()
    return artifact


def open_same(path: Path | str, content: str) -> Artifact:
    """Open the artifact in folder `path` with the content hash `content`, in another process or on another machine.

    Raises `ArtifactError` as `open_artifact` does, and if the folder now holds another artifact.
    """
    artifact = open_artifact(path)
    if artifact.content_hash != content:
        raise ArtifactError(
            f"{path}: is another model on this machine, or by now\n"
            "  remedy: put the artifact where all processes and machines see the same, and leave it as it is"
        )
    return artifact


def _from_manifest(folder: Path, manifest: Mapping[str, Any]) -> Artifact:
    """Raises `ValueError` for an inconsistent task, and for a file outside the folder."""
    root = folder.resolve()
    for name in manifest["files"]:
        # A manifest may come from anywhere; it must not make us read outside its folder.
        if not (folder / name).resolve().is_relative_to(root):
            raise ValueError(f"file {name!r} lies outside the artifact")
    return Artifact(
        path=folder,
        format=manifest["format"],
        task=Task.from_json(manifest["task"]),
        max_tokens=manifest["max_tokens"],
        files=manifest["files"],
        history=tuple(manifest["history"]),
        properties=manifest["properties"],
    )
