"""Writing files and folders so that nothing half-written is left behind, and hashing them."""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import platform
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 through `new_file`."""
    with new_file(path) as temporary, open(temporary, "w", encoding="utf-8") as handle:
        handle.write(text)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as readable JSON; NaN is refused, because JSON has no such number."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name next to `path`; the file written there becomes `path` if the block succeeds.

    If `path` is a symbolic link, its target is replaced. Any number of threads may write the same file: the last one
    wins. Leftovers of a killed process are removed first.
    """
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in _leftovers(path):
        _remove(left)
    with _temporary(path) as temporary:
        yield temporary
        with open(temporary, "rb+") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)


@contextmanager
def new_folder(path: Path, keep: Callable[[Path, Path], object] = lambda old, new: None) -> Iterator[Path]:
    """Yield a temporary folder on the storage of `path`; it becomes `path` only if the block succeeds.

    An existing folder at `path` is replaced at the last moment; after an error it is still there, unchanged. If `path`
    is a symbolic link, its target is replaced. Leftovers of a killed process are removed first (see `restore_folder`).

    Args:
        keep: called with the old folder, if there is one, and the new one, just before the replacement, to copy what
            must be kept.

    Raises `NotADirectoryError` if there is a file at `path`.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    restore_folder(path)
    with _temporary(path) as place:
        (place / _NEW).mkdir(parents=True)
        try:
            yield place / _NEW
            if path.exists():
                keep(path, place / _NEW)
                path.rename(place / _OLD)
            (place / _NEW).rename(path)
            if (place / _OLD).exists():
                (place / _OLD).rename(place / _REMOVED)  # half of it must never come back
        finally:
            _put_back(place, path)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add this file name to an `OSError` of the block that has none, such as a write error on a full disk."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(path)
        raise


def restore_folder(path: Path) -> None:
    """Repair what a kill during `new_folder` left: put the old folder back, remove half-written ones.

    Only leftovers of processes that no longer run are touched.
    """
    path = Path(os.path.realpath(path))
    for left in _leftovers(path):
        _put_back(left, path)
        _remove(left)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder next to `path`, which need not exist; it is removed when the block ends.

    Leftovers of a killed process are removed first.
    """
    for left in _leftovers(path):
        _remove(left)
    with _temporary(path) as place:
        place.mkdir(mode=0o700)
        yield place


def remove_folder(path: Path) -> None:
    """Remove a folder atomically, so that a kill leaves it complete or gone; a missing folder is not an error.

    Leftovers of a killed process are removed too.
    """
    restore_folder(path)
    if path.exists():
        with _temporary(path) as place:
            place.mkdir()
            path.rename(place / _REMOVED)


def _put_back(place: Path, path: Path) -> None:
    """Rename the folder set aside in `place` back to `path`, unless there is a new one."""
    if (place / _OLD).is_dir() and not os.path.lexists(path):
        (place / _OLD).rename(path)


# Contents of a temporary folder: the new folder, and the old one from its place.
_NEW, _OLD, _REMOVED = "new", ".old", ".removed"
_used: set[str] = set()
"""Names of the temporary files and folders that this process is at work on."""


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """A name next to `path` that no other call uses; whatever is there at the end is removed."""
    name = f".{_stem(path)}.{os.getpid()}-{_machine()}.{secrets.token_hex(4)}"
    temporary = path.with_name(f"{name}-{_seal(name)}.partial")
    _used.add(temporary.name)
    try:
        with naming(path):
            yield temporary
    finally:
        _remove(temporary)
        _used.discard(temporary.name)


def _leftovers(path: Path) -> list[Path]:
    """Temporary files and folders of `path` whose process has ended.

    A name pattern alone is not enough for removing a file: somebody may want to keep a `.report.json.old`. Our names
    therefore contain a checksum.
    """
    found = sorted(path.parent.glob(f".{glob.escape(_stem(path))}.*.partial"))
    return [left for left in found if is_temporary(left) and not _is_running(left)]


def is_temporary(path: Path) -> bool:
    """Whether a name was made by `new_file`, `new_folder` or `remove_folder`."""
    parts = _TEMPORARY.fullmatch(path.name)
    return parts is not None and _seal(parts["name"]) == parts["seal"]


_TEMPORARY = re.compile(
    r"(?P<name>\..*\.(?P<number>\d+)-(?P<machine>[0-9a-f]{8})\.[0-9a-f]{8})-(?P<seal>[0-9a-f]{8})\.partial", re.DOTALL
)


def _stem(path: Path) -> str:
    """The name, or a hash of it if a temporary name made from it would be too long for a file system."""
    return path.name if len(os.fsencode(path.name)) <= 180 else sha256_json(path.name)[:32]


def _seal(name: str) -> str:
    """A checksum by which our temporary names are recognised."""
    return hashlib.sha256(b"a temporary name of leanformer: " + os.fsencode(name)).hexdigest()[:8]


def _machine() -> str:
    """A hash of the machine's name: on shared storage, a process id is only meaningful with its machine."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _is_running(left: Path) -> bool:
    """Whether the process that made this temporary file or folder still runs.

    A process of another machine is assumed to run, because that cannot be checked from here.
    """
    parts = _TEMPORARY.fullmatch(left.name)
    assert parts is not None
    number, machine = parts["number"], parts["machine"]
    if machine != _machine():
        return True
    if int(number) == os.getpid():
        return left.name in _used
    try:
        os.kill(int(number), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it runs, under another user
    return True


def _remove(path: Path) -> None:
    """Remove a temporary file or folder, unless another process has already done so."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock file `path` during the block, waiting first for its current holder; dead processes hold no lock.

    Other machines are locked out if their shared storage supports locks (NFS does). On systems without such locks, such
    as Windows, nothing is locked. The file is left behind, empty.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "ab") as file:
        with suppress(ImportError, OSError):
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def sha256_file(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        while chunk := handle.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_json(value: Any) -> str:
    """Hash of a JSON value, independent of the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
