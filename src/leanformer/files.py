"""Writing so that nothing half-written stays behind, and hashing what was written."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


def write_text(path: Path, text: str) -> None:
    """Write `text` under a temporary name in the same folder, then rename it to `path`.

    What a killed process left behind under such a name is cleared away first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear_partial(path)
    temporary = path.with_name(f".{path.name}.{_owner()}.text.partial")
    try:
        with open(temporary, "w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as readable JSON; not-a-number is refused, because JSON has no such number."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Hand out a temporary folder beside `path`; it becomes `path` only when the block ends well.

    A folder that stood at `path` is replaced in that last moment; after an error it is still there, whole. What a
    killed process left behind is cleared away first (see `restore_folder`).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    restore_folder(path)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.{_owner()}.", suffix=".partial", dir=path.parent))
    # mkdtemp makes folders that only their owner may enter; an artifact is to be read by others too.
    umask = os.umask(0)
    os.umask(umask)
    temporary.chmod(0o777 & ~umask)
    try:
        yield temporary
        if path.exists():
            old = temporary.with_suffix(".old")
            path.rename(old)
            try:
                temporary.rename(path)
            except OSError:
                old.rename(path)
                raise
            shutil.rmtree(old)
        else:
            temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def restore_folder(path: Path) -> None:
    """Mend what a kill in the middle of `new_folder` left: put the old folder back, remove half-written ones.

    Only leftovers of processes that no longer run are touched.
    """
    for left in sorted(path.parent.glob(f".{glob.escape(path.name)}.*.old")):
        if not _is_running(left):
            if path.exists():
                shutil.rmtree(left)
            else:
                left.rename(path)
    _clear_partial(path)


def remove_folder(path: Path) -> None:
    """Remove a folder at once under its name, so that a kill leaves it whole or gone; none is no error.

    What a killed process left of it is cleared away too.
    """
    restore_folder(path)
    if path.exists():
        doomed = path.with_name(f".{path.name}.{_owner()}.removed.partial")
        path.rename(doomed)
        shutil.rmtree(doomed)


def _clear_partial(path: Path) -> None:
    """Remove what processes that no longer run left half-written, or half-removed, of `path`."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        if not _is_running(left):
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink(missing_ok=True)


def _owner() -> str:
    """This process, as temporary names have it: its number, and its machine, for storage may be shared."""
    return f"{os.getpid()}-{_machine()}"


def _machine() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:8]


def _is_running(left: Path) -> bool:
    """Whether the process that made this temporary file or folder is another one that still runs.

    One of another machine may run: whether it does cannot be seen from here.
    """
    number, _, machine = left.name.split(".")[-3].partition("-")
    if not number.isdigit():
        return False
    if machine and machine != _machine():
        return True
    if int(number) == os.getpid():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it runs, and belongs to somebody else
    return True


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
