"""Arrays on disk that are computed chunk by chunk: a note says which chunks are there, with the hash of each.

Written plainly and read through memory maps. (To write through a map on a full disk ends the process by a bus error.)
A chunk whose bytes are not what was noted is computed again, the others stay.
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
    """An array as it lies on disk, a file in NumPy's own format.

    Attributes:
        shape, dtype: of the whole array.
        borders: where each chunk begins along the first axis, and where the last one ends, int64 `[chunks + 1]`.
    """

    shape: tuple[int, ...]
    dtype: str
    borders: np.ndarray

    @property
    def header(self) -> bytes:
        """What stands before the array's own bytes."""
        found = io.BytesIO()
        npy.write_array_header_1_0(
            found, {"descr": np.dtype(self.dtype).str, "fortran_order": False, "shape": self.shape}
        )
        return found.getvalue()

    @property
    def row_bytes(self) -> int:
        """Of one place along the first axis."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) * np.dtype(self.dtype).itemsize


class Chunks:
    """Arrays in a folder, of the same number of chunks.

    Args:
        layouts: name -> layout; an array lies in NAME.npy.
        say: is told of what is damaged.
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
        """The chunks that are not there, or not as they were noted to be, of any of these arrays."""
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
        """Open the files for writing, mended where they are too short, too long or begin in another way."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if not (self._folder / _NOTE).exists():
            self._keep()  # arrays without it were not begun by us, or have lost it
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
            with suppress(OSError):  # of what a full disk had no room for; a chunk that is done was flushed
                file.close()
        self._files = {}

    def write(self, name: str, place: int, values: np.ndarray) -> None:
        """Put values `[n, ...]` at a place along the first axis."""
        layout, file = self._layouts[name], self._files[name]
        with naming(self._path(name)):
            file.seek(len(layout.header) + place * layout.row_bytes)
            file.write(np.ascontiguousarray(values, dtype=layout.dtype).tobytes())

    def done(self, chunk: int) -> None:
        """Note that all of a chunk was written: when this returns, it is on the disk."""
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
        """Note that nothing is there."""
        self._note = {}
        self._keep()

    def array(self, name: str) -> np.ndarray:
        """An array to be read, from the disk where it is large."""
        layout = self._layouts[name]
        return np.memmap(self._path(name), layout.dtype, "r", len(layout.header), layout.shape)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.npy"


def _digest(file: Any, layout: Layout, chunk: int) -> str:
    """Hash of the bytes of a chunk, as far as they are there."""
    digest = hashlib.sha256()
    first, end = (int(border) for border in layout.borders[chunk : chunk + 2])
    file.seek(len(layout.header) + first * layout.row_bytes)
    left = (end - first) * layout.row_bytes
    while left and (part := file.read(min(left, 1 << 20))):
        digest.update(part)
        left -= len(part)
    return digest.hexdigest()
