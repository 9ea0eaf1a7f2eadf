"""Loads the library of the engine: the one that came with the package, or one compiled here.

Without the first, it is compiled once with this machine's C++ compiler, into the user's cache folder.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import platform
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

from leanformer.errors import MissingCompilerError
from leanformer.files import alone, new_file, scratch_folder, sha256_file, write_text
from leanformer.runtime.native.compiler import (
    CompilerCall,
    CompilerTimeoutError,
    compile_all,
    compilers_at_once,
    find_compiler,
    identity,
    may_compile,
)
from leanformer.runtime.native.shipped import NONE_CAME, shipped_library
from leanformer.runtime.native.sources import FIRST, FLAGS, FOLDER, sources_hash, units

# Seconds for a small unit, which shows whether the program is a compiler at all, and for all other units together.
_FIRST_SECONDS, _SECONDS = 60.0, 900.0
_LOCK = "building.lock"
_DIGEST_LETTERS = 16


class _Build(NamedTuple):
    """The inputs of a library, and its path: the name has a hash of these inputs, and one of the library's bytes."""

    compiler: list[str]
    folder: Path
    cause: str

    def found(self) -> Path | None:
        """An existing library for these inputs. One whose bytes do not match the hash in its name is removed."""
        for path in sorted(self.folder.glob(f"native-{self.cause}-*.so")):
            if _digest(path) == path.stem.rpartition("-")[2]:
                return path
            _say(f"{path} is damaged, or not ours, and is rebuilt")
            with suppress(OSError):
                path.unlink()
        return None

    @property
    def failure(self) -> Path:
        """A file that records that this compiler takes long and produces nothing usable."""
        return self.folder / f"native-{self.cause}.failed"


@cache
def library() -> Path:
    """The library compiled here; takes seconds to a minute the first time with these sources and this compiler.

    Raises `MissingCompilerError` if there is no compiler, if it fails, or if the result cannot be stored safely.
    """
    build = _build()
    return build.found() or _made(build)


def load_library(uses: Callable[[ctypes.CDLL], object]) -> ctypes.CDLL:
    """Load the library into this process and test it with `uses`: the one that came with the package, or `library`.

    One compiled here that cannot be loaded is rebuilt once.

    Raises as `library` does, and if a new library cannot be loaded either.
    """
    shipped = shipped_library()
    if shipped.path is not None:
        try:
            return _tried(shipped.path, uses)
        except (OSError, AttributeError) as error:
            warnings.warn(f"{shipped.path}: cannot be loaded, and another is compiled ({error})", stacklevel=2)
    elif shipped.problem not in ("", NONE_CAME):
        _say(f"{shipped.problem}; one compiled here is used")
    path = library()
    try:
        return _tried(path, uses)
    except (OSError, AttributeError) as error:
        _say(f"{path} cannot be loaded, and is rebuilt ({error})")
        library.cache_clear()
        build = _build()
        try:
            path.unlink(missing_ok=True)
            return _tried(_made(build), uses)
        except (OSError, AttributeError) as again:
            problem = f"{path}: what was compiled with {build.compiler[0]} cannot be loaded ({again})"
            for left in build.folder.glob(f"native-{build.cause}-*.so"):
                with suppress(OSError):
                    left.unlink()
            raise _remembered(build, problem) from again


def can_run() -> bool:
    """Whether a library came with the package, or there is a compiler, or one is named; not whether it works."""
    return shipped_library().path is not None or may_compile()


def _tried(path: Path, uses: Callable[[ctypes.CDLL], object]) -> ctypes.CDLL:
    result = ctypes.CDLL(str(path))
    uses(result)
    return result


def _build() -> _Build:
    compiler, libc = find_compiler(), ""
    with suppress(AttributeError, ValueError, OSError):
        libc = os.confstr("CS_GNU_LIBC_VERSION") or ""
    told = (compiler, identity(compiler), sources_hash(), platform.machine(), libc)
    return _Build(compiler, cache_folder(), hashlib.sha256(repr(told).encode()).hexdigest()[:16])


def _digest(path: Path) -> str:
    try:
        return sha256_file(path)[:_DIGEST_LETTERS]
    except OSError:
        return ""


def _made(build: _Build) -> Path:
    """Compile the library, or wait if another process is compiling it."""
    try:
        if hasattr(os, "statvfs") and os.statvfs(build.folder).f_flag & getattr(os, "ST_NOEXEC", 0):
            raise MissingCompilerError(
                f"{build.folder}: what lies there cannot be run, because its storage is mounted noexec",
                "set LEANFORMER_CACHE to a folder on other storage",
            )
        if build.failure.exists():
            raise _remembered(build, build.failure.read_text(encoding="utf-8", errors="replace"))
        _say("compiling the native engine for this machine, once; it takes up to a minute ...")
        with alone(build.folder / _LOCK):
            if (path := build.found()) is not None:
                return path
            with scratch_folder(build.folder / "building") as scratch:
                built = compile_library(build.compiler, scratch)
                path = build.folder / f"native-{build.cause}-{_digest(built)}.so"
                with new_file(path) as temporary:
                    os.replace(built, temporary)
            return path
    except CompilerTimeoutError as error:
        raise _remembered(build, str(error).partition("\n")[0]) from error
    except OSError as error:
        raise MissingCompilerError(
            f"{error.filename or build.folder}: the compiled engine cannot be kept ({error.strerror})",
            "make room there, or set LEANFORMER_CACHE to a folder that you can write to",
        ) from error


def _remembered(build: _Build, problem: str) -> MissingCompilerError:
    """Record the failure, so that it is not repeated at every start: compiling takes a minute."""
    with suppress(OSError):
        write_text(build.failure, problem)
    remedy = f"another compiler (CXX=g++); to try this one again, remove {build.failure}"
    return MissingCompilerError(problem, remedy)


def _say(line: str) -> None:
    """Print to a terminal only: the output of servers and programs is left alone."""
    if sys.stderr is not None and sys.stderr.isatty():
        print(f"leanformer: {line}", file=sys.stderr, flush=True)
    else:
        logging.getLogger(__name__).info(line)


def cache_folder() -> Path:
    """Folder of compiled libraries, which only this user can write to.

    Raises `MissingCompilerError` if somebody else could put a library there.
    """
    remedy = "set LEANFORMER_CACHE to a folder that you can write to"
    named = os.environ.get("LEANFORMER_CACHE")
    try:
        base = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "leanformer"
    except RuntimeError as error:  # no HOME, and a user unknown to the system, as in many containers
        raise MissingCompilerError("no folder for the compiled engine: this user has no home folder", remedy) from error
    folder = base / "native"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        raise MissingCompilerError(
            f"{folder}: no folder for the compiled engine ({error.strerror})",
            remedy,
        ) from error
    if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o022):
        raise MissingCompilerError(
            f"{folder}: others can write there, and what lies in it is loaded as a library",
            f"chmod go-w {folder}, or set LEANFORMER_CACHE to a folder of your own",
        )
    return folder


def compile_library(
    compiler: Sequence[str],
    scratch: Path,
    *,
    machine: str | None = None,
    link: Sequence[str] = (),
    link_seconds: float = _FIRST_SECONDS,
) -> Path:
    """Compile the library in the folder `scratch`.

    Args:
        machine: architecture; None: this one.
        link: more flags for linking, which may take `link_seconds`.

    Raises what `compile_all` raises.
    """

    def job(name: str, source: str, *flags: str) -> CompilerCall:
        return CompilerCall(
            [*compiler, *FLAGS, *flags, "-c", str(FOLDER / source), "-o", str(scratch / name)], scratch / name
        )

    parts, built = units(machine), scratch / "engine.so"
    compile_all([job("levels.o", FIRST)], _FIRST_SECONDS)
    compile_all([job(name, *rest) for name, rest in parts.items()], _SECONDS, compilers_at_once())
    objects = (str(scratch / name) for name in (*parts, "levels.o"))
    linked = CompilerCall([*compiler, "-shared", "-pthread", *objects, *link, "-o", str(built)], built)
    compile_all([linked], link_seconds)
    return built
