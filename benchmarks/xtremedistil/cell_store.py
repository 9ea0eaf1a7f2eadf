"""Figures that take long to make, one cell at a time: each is stored when it is made, and found when asked again."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.paths import ROOT
from benchmarks.provenance import provenance, watch
from leanformer.files import sha256_json, write_json

# What tells most cells apart.
_TOLD = (
    "kind",
    "set",
    "vocabulary",
    "strategy",
    "embedding",
    "units",
    "start",
    "representation",
    "layer",
    "crf",
    "transfer",
    "seed",
)


class Cells:
    """The cells of one table.

    Args:
        folder: where they are kept, a file each.
        threads: cores that they are made on, for the machine's fingerprint.
        result: the table's own result file, if there is one. Its cells are kept, too: a folder that is new, or was
            cleared, goes on where the file stands. Delete a cell in both to have it made again.
        part: where that file has them.
    """

    def __init__(self, folder: Path, threads: int, result: Path | None = None, part: str = "cells") -> None:
        self.folder, self.threads = folder, threads
        stored = json.loads(result.read_text(encoding="utf-8")) if result is not None and result.is_file() else {}
        for cell in stored.get(part, ()):
            if not (path := self._path(cell["settings"])).is_file():
                write_json(path, cell)

    def get(self, settings: Mapping[str, Any], make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """The cell of these settings: found, or made now and stored with its command, provenance and seconds."""
        path = self._path(settings)
        if path.is_file():
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return found
        start, cpu_start, begun = time.monotonic(), time.process_time(), watch()
        told = [f"{name} {settings[name]}" for name in _TOLD if settings.get(name) is not None]
        print(f"== {self.folder.name}: {', '.join(told)}", flush=True)
        cell = {
            "settings": dict(settings), **make(), "seconds": round(time.monotonic() - start, 1),
            "cpu_seconds": round(time.process_time() - cpu_start, 1),
            "command": shlex.join(["python", "-m", _module(), *_telling(sys.argv[1:])]),
            **provenance(self.threads, begun),
        }  # fmt: skip
        write_json(path, cell)
        return cell

    def _path(self, settings: Mapping[str, Any]) -> Path:
        return self.folder / f"{sha256_json(dict(settings))[:16]}.json"

    def all(self) -> list[dict[str, Any]]:
        """Every cell made so far, by whichever command, in the order of their settings."""
        found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(self.folder.glob("*.json"))]
        return sorted(found, key=lambda cell: json.dumps(cell["settings"], sort_keys=True))


def _module() -> str:
    """The program that is running, as `python -m` takes it; its file's name where it is not one of the project's."""
    path = Path(sys.argv[0]).resolve()
    return ".".join(path.relative_to(ROOT).with_suffix("").parts) if path.is_relative_to(ROOT) else path.name


def _telling(arguments: Sequence[str]) -> list[str]:
    """Without the folders of this machine that things are kept in: they make no difference to what is made."""
    kept, rest = list[str](), iter(arguments)
    for argument in rest:
        if argument in ("--work", "--results"):
            next(rest, None)
        elif not argument.startswith(("--work=", "--results=")):
            kept.append(argument)
    return kept
