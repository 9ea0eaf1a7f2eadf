"""Arrays on disk that are computed in chunks; a record lists the finished chunks with their hashes.

They are written with plain file writes and read through memory maps. (Writing through a memory map on a full disk kills
the process with a bus error.) A chunk whose bytes do not match its hash is computed again; the others are kept.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from leanformer.files import naming
from leanformer.kept import damaged, keep, kept

_NOTE = "done.json"
_AGAIN = "what is damaged of it is computed again"


@dataclass(frozen=True)
class Layout:
    """The layout of an array on disk, a file in NumPy's own format.

    Attributes:
        shape, dtype: of the whole array.
        borders: start of each chunk along the first axis, and the end of the last one, int64 `[chunks + 1]`.
    """

    shape: tuple[int, ...]
    dtype: str
    borders: np.ndarray

    @property
    def header(self) -> bytes:
        """The bytes before the array's data."""
        found = io.BytesIO()
        npy.write_array_header_1_0(
            found, {"descr": np.dtype(self.dtype).str, "fortran_order": False, "shape": self.shape}
        )
        return found.getvalue()

    @property
    def row_bytes(self) -> int:
        """Bytes per index of the first axis."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) * np.dtype(self.dtype).itemsize


class Chunks:
    """Arrays in a folder, all with the same number of chunks.

    Args:
        layouts: name -> layout; the array is stored in NAME.npy.
        say: receives messages about damaged data.
    """

    def __init__(self, folder: Path, layouts: Mapping[str, Layout], say: Callable[[str], None]) -> None:
        self._folder, self._layouts, self._say = folder, dict(layouts), say
        self._note: dict[str, dict[str, str]] = {}
        self._files: dict[str, IO[bytes]] = {}
        if (note := kept(folder / _NOTE, say, again="the teacher's outputs are computed again")) is not None:
            self._note = note["chunks"]
        elif not (folder / _NOTE).exists() and any(self._path(name).exists() for name in layouts):
            damaged(folder / _NOTE, say, again="the teacher's outputs are computed again", how="missing")

    @property
    def count(self) -> int:
        return len(next(iter(self._layouts.values())).borders) - 1

    def lacking(self, names: Iterable[str]) -> list[int]:
        """The chunks that are missing, or do not match their hash, in any of these arrays."""
        wrong = {chunk for chunk in range(self.count) if str(chunk) not in self._note}
        for name in names:
            if len(wrong) == self.count:
                break
            found = self._differing(name) - wrong
            if found:
                damaged(
                    self._path(name), self._say, again=_AGAIN, how="damaged" if self._path(name).exists() else "missing"
                )
            wrong |= found
        return sorted(wrong)

    def _differing(self, name: str) -> set[int]:
        noted = {int(chunk) for chunk in self._note}
        if not self._path(name).is_file():
            return noted
        layout = self._layouts[name]
        with open(self._path(name), "rb") as file:
            if file.read(len(layout.header)) != layout.header:
                return noted
            return {
                chunk for chunk in sorted(noted) if _digest(file, layout, chunk) != self._note[str(chunk)].get(name)
            }

    def __enter__(self) -> Chunks:
        """Open the files for writing; files of the wrong length or with another header are repaired."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if not (self._folder / _NOTE).exists():
            self._keep()  # arrays without a record are not ours, or have lost it
        for name, layout in self._layouts.items():
            self._path(name).touch()
            self._files[name] = file = open(self._path(name), "rb+")
            with naming(self._path(name)):
                file.write(layout.header)
                file.flush()
            os.truncate(self._path(name), len(layout.header) + layout.shape[0] * layout.row_bytes)
        return self

    def __exit__(self, *error: object) -> None:
        for file in self._files.values():
            with suppress(OSError):  # data that a full disk had no room for; finished chunks were flushed
                file.close()
        self._files = {}

    def write(self, name: str, place: int, values: np.ndarray) -> None:
        """Write values `[n, ...]` at an index of the first axis."""
        layout, file = self._layouts[name], self._files[name]
        with naming(self._path(name)):
            file.seek(len(layout.header) + place * layout.row_bytes)
            file.write(np.ascontiguousarray(values, dtype=layout.dtype).tobytes())

    def done(self, chunk: int) -> None:
        """Record a chunk as complete; it is on disk when this returns."""
        hashes = {}
        for name, file in self._files.items():
            with naming(self._path(name)):
                file.flush()
                os.fsync(file.fileno())
            hashes[name] = _digest(file, self._layouts[name], chunk)
        self._note[str(chunk)] = hashes
        self._keep()

    def _keep(self) -> None:
        keep(self._folder / _NOTE, {"chunks": self._note})

    def forget(self) -> None:
        """Record that no chunk is complete."""
        self._note = {}
        self._keep()

    def array(self, name: str) -> np.ndarray:
        """A read-only memory map of an array."""
        layout = self._layouts[name]
        return np.memmap(self._path(name), layout.dtype, "r", len(layout.header), layout.shape)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.npy"


def _digest(file: Any, layout: Layout, chunk: int) -> str:
    """Hash of the bytes of a chunk, as far as they exist."""
    digest = hashlib.sha256()
    first, end = (int(border) for border in layout.borders[chunk : chunk + 2])
    file.seek(len(layout.header) + first * layout.row_bytes)
    left = (end - first) * layout.row_bytes
    while left and (part := file.read(min(left, 1 << 20))):
        digest.update(part)
        left -= len(part)
    return digest.hexdigest()
