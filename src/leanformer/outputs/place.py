"""Whether a folder or a file can be written, checked before the work and not after it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from leanformer.errors import LeanformerError

_MOUNTS = Path("/proc/self/mountinfo")


def folder_place(path: Path) -> Path:
    """The folder at `path`, absolute and with links resolved, checked so that a new folder can replace it as a whole.

    Raises `LeanformerError` if it is a file or a mount point, cannot be created or replaced, or contains the current
    folder: the shell would be left in a folder that is gone.
    """
    place = behind(path)
    if place.exists() and not place.is_dir():
        raise LeanformerError(
            f"{path}: exists and is not an artifact but a file; it will not be overwritten\n  remedy: another --output"
        )
    if Path(os.path.realpath(Path.cwd())).is_relative_to(place):
        raise LeanformerError(
            f"{path}: is or holds the folder that you are in, and would be replaced\n  remedy: name a new folder"
        )
    for mount in _mounts():
        if mount == place:
            raise LeanformerError(
                f"{path}: is a mount point, which cannot be replaced as a whole\n"
                f"  remedy: a folder in it: --output {path / 'lean'}"
            )
        if mount.is_relative_to(place):
            raise LeanformerError(
                f"{path}: something is mounted in it, at {mount}; it will not be overwritten\n"
                "  remedy: another --output"
            )
    _check_above(path, place)
    if place.exists() and not os.access(place, os.W_OK | os.X_OK):
        raise LeanformerError(f"{path}: may not be written to, so it cannot be replaced\n  remedy: another --output")
    _check_name(place.with_name(place.name + ".work"))
    return place


def file_place(path: Path) -> Path:
    """The file at `path`, likewise. Raises `LeanformerError` if it cannot be written or is not a regular file."""
    place = behind(path)
    if place.is_dir():
        raise LeanformerError(f"{path}: a folder; it cannot be written\n  remedy: name a file in it")
    if place.exists() and not place.is_file():
        raise LeanformerError(f"{path}: is no regular file; it cannot be replaced\n  remedy: name a new file")
    if place in _mounts():
        raise LeanformerError(f"{path}: is a mount point, which cannot be replaced\n  remedy: name another file")
    _check_above(path, place)
    _check_name(place)
    return place


def check_apart(place: Path, inputs: Iterable[str | Path]) -> None:
    """Raise `LeanformerError` for an input that is, or is in, the folder to be replaced; hub names are ignored."""
    target = Path(os.path.realpath(place))
    for given in inputs:
        if os.path.exists(given) and Path(os.path.realpath(given)).is_relative_to(target):
            where = "is" if Path(os.path.realpath(given)) == target else "holds"
            raise LeanformerError(
                f"{place}: {where} {given}, which is read; it will not be overwritten\n  remedy: another --output"
            )


def behind(path: Path) -> Path:
    """`path` with links resolved. Raises `LeanformerError` if they are broken."""
    place = Path(os.path.realpath(path))
    if place.is_symlink():
        raise LeanformerError(
            f"{path}: a symbolic link that leads back to itself\n  remedy: remove it, or another name"
        )
    return place


def _check_above(path: Path, place: Path) -> None:
    above = next(parent for parent in place.parents if parent.exists())
    if not above.is_dir():
        raise LeanformerError(f"{path}: cannot be made, for {above} is not a folder\n  remedy: name another place")
    if not os.access(above, os.W_OK | os.X_OK):
        raise LeanformerError(f"{path}: cannot be made, for {above} may not be written to\n  remedy: another place")


def _check_name(place: Path) -> None:
    """Raises `OSError` for an invalid name, such as one that is too long."""
    with suppress(FileNotFoundError, NotADirectoryError):
        os.lstat(place)


def _mounts() -> list[Path]:
    """All mount points, including bind mounts, which `os.path.ismount` does not see on the same storage."""
    try:
        lines = _MOUNTS.read_bytes().splitlines()
    except OSError:
        return []  # not Linux
    # Spaces and similar characters are escaped as octal numbers.
    fields = (re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), line.split(b" ")[4]) for line in lines)
    return [Path(os.fsdecode(field)) for field in fields]
