"""Writing so that nothing half-written stays behind, and hashing what was written."""

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
    """Write `text` as UTF-8 by way of `new_file`."""
    with new_file(path) as temporary, open(temporary, "w", encoding="utf-8") as handle:
        handle.write(text)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as readable JSON; not-a-number is refused, because JSON has no such number."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Hand out a temporary name beside `path`; what the block writes there becomes `path` when it ends well.

    Of a symbolic link it is the file behind it that is replaced. Any number of threads may write the same file: the
    last one stands. What a killed process left behind is cleared away first.
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
    """Hand out a temporary folder on the storage of `path`; it becomes `path` only when the block ends well.

    A folder that stood at `path` is replaced in that last moment; after an error it is still there, whole. Of a
    symbolic link it is the folder behind it that is replaced. What a killed process left behind is cleared away first
    (see `restore_folder`).

    Args:
        keep: called with the old folder, if there is one, and the new, just before one takes the other's place: to
            take over what is to stay.

    Raises `NotADirectoryError` where a file stands at `path`.
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
    """Give an `OSError` of the block that names no file, as that of a write to a full disk, this one's name."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(path)
        raise


def restore_folder(path: Path) -> None:
    """Mend what a kill in the middle of `new_folder` left: put the old folder back, remove half-written ones.

    Only leftovers of processes that no longer run are touched.
    """
    path = Path(os.path.realpath(path))
    for left in _leftovers(path):
        _put_back(left, path)
        _remove(left)


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Hand out a new folder beside `path`, which need not exist; it is removed when the block ends.

    What a killed process left of its own is cleared away first.
    """
    for left in _leftovers(path):
        _remove(left)
    with _temporary(path) as place:
        place.mkdir(mode=0o700)
        yield place


def remove_folder(path: Path) -> None:
    """Remove a folder at once under its name, so that a kill leaves it whole or gone; none is no error.

    What a killed process left of it is cleared away too.
    """
    restore_folder(path)
    if path.exists():
        with _temporary(path) as place:
            place.mkdir()
            path.rename(place / _REMOVED)


def _put_back(place: Path, path: Path) -> None:
    """Give `path` back the folder that was set aside in `place`, if nothing took its place."""
    if (place / _OLD).is_dir() and not os.path.lexists(path):
        (place / _OLD).rename(path)


# What a temporary folder holds: the new folder, and the one that was at its place.
_NEW, _OLD, _REMOVED = "new", ".old", ".removed"
_used: set[str] = set()
"""Names of the temporary files and folders that this process is at work on."""


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """A name beside `path` that no other call has; what is there in the end is removed."""
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

    A name alone is not enough to remove a file by: whoever keeps a `.report.json.old` wants it. So ours carry a seal.
    """
    found = sorted(path.parent.glob(f".{glob.escape(_stem(path))}.*.partial"))
    return [left for left in found if is_temporary(left) and not _is_running(left)]


def is_temporary(path: Path) -> bool:
    """Whether a name is one that `new_file`, `new_folder` or `remove_folder` gave."""
    parts = _TEMPORARY.fullmatch(path.name)
    return parts is not None and _seal(parts["name"]) == parts["seal"]


_TEMPORARY = re.compile(
    r"(?P<name>\..*\.(?P<number>\d+)-(?P<machine>[0-9a-f]{8})\.[0-9a-f]{8})-(?P<seal>[0-9a-f]{8})\.partial", re.DOTALL
)


def _stem(path: Path) -> str:
    """The name, or what stands for it where a temporary one made of it would be too long for a file system."""
    return path.name if len(os.fsencode(path.name)) <= 180 else sha256_json(path.name)[:32]


def _seal(name: str) -> str:
    """What nobody else would write into a name."""
    return hashlib.sha256(b"a temporary name of leanformer: " + os.fsencode(name)).hexdigest()[:8]


def _machine() -> str:
    """Storage may be shared, and a process number means something on its own machine alone."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _is_running(left: Path) -> bool:
    """Whether the process that made this temporary file or folder still runs.

    One of another machine may run: whether it does cannot be seen from here.
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
        pass  # it runs, and belongs to somebody else
    return True


def _remove(path: Path) -> None:
    """Remove a temporary file or folder, as far as another process has not done so already."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock file `path` during the block, waiting first for whoever holds it; a dead process holds nothing.

    Other machines are kept out as far as the storage that they share passes locks on (NFS does). Where locks are
    unknown, as on Windows, nobody is. The file stays behind, empty.
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
    """Hash of a JSON value, the same whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
