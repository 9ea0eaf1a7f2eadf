"""Compiles the engine with the C++ compiler of this machine, once, into the user's cache folder."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from leanformer.errors import MissingCompilerError

_HERE = Path(__file__).parent
_SOURCES = (
    "encoder.cpp",
    "recurrent.cpp",
    "levels.cpp",
    "encoder.h",
    "arrays.h",
    "attention.h",
    "calls.h",
    "crew.h",
    "linear.h",
    "memory.h",
    "tiles.h",
    "vectors.h",
)
_FLAGS = ("-std=c++17", "-O3", "-fPIC", "-pthread", "-fno-math-errno")
LEVELS = {
    "avx512vnni": ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512vnni", "-mfma"),
    "avx2": ("-mavx2", "-mfma"),
    "generic": (),
}
"""Instruction sets, the best first, with the flags that compile for them."""
_X86 = ("x86_64", "AMD64")


def levels() -> tuple[str, ...]:
    """Those of this architecture."""
    return tuple(LEVELS) if platform.machine() in _X86 else ("generic",)


@cache
def library() -> Path:
    """The compiled library; seconds when it is the first time with these sources and this compiler.

    Raises `MissingCompilerError` where there is none, where it fails, and where the result cannot be kept safely.
    """
    compiler = _compiler()
    cause = hashlib.sha256(repr((compiler, _FLAGS, LEVELS, platform.machine())).encode())
    for name in _SOURCES:
        cause.update((_HERE / name).read_bytes())
    path = _folder() / f"native-{cause.hexdigest()[:16]}.so"
    if not path.is_file():
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".building-") as scratch:
            _compile(compiler, Path(scratch), path)
    return path


def can_build() -> bool:
    """Whether there is a compiler."""
    try:
        return bool(_compiler())
    except MissingCompilerError:
        return False


def _compiler() -> list[str]:
    """The command: $CXX, else a compiler on the path."""
    named = shlex.split(os.environ.get("CXX", ""))
    for candidate in [named] if named else [["c++"], ["g++"], ["clang++"]]:
        if shutil.which(candidate[0]):
            return candidate
    raise MissingCompilerError("the engine native is compiled on the machine that runs it, and no compiler is found")


def _folder() -> Path:
    """Where compiled libraries are kept: a folder that only this user can write to.

    Raises `MissingCompilerError` when somebody else could put a library there.
    """
    remedy = "set LEANFORMER_CACHE to a folder that you can write to"
    named = os.environ.get("LEANFORMER_CACHE")
    try:
        base = Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "leanformer"
    except RuntimeError as error:  # no HOME, and a user that the system does not know, as in many containers
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


def _compile(compiler: list[str], scratch: Path, path: Path) -> None:
    # The least instruction set first: of what the standard library's templates become in every unit the linker keeps
    # the first, and it must run on every CPU.
    units = {
        f"{kind}-{name}.o": (f"{kind}.cpp", f"-DLEVEL={name}", *LEVELS[name])
        for name in reversed(levels())
        for kind in ("encoder", "recurrent")
    }
    units["levels.o"] = ("levels.cpp",)

    def one(item: tuple[str, tuple[str, ...]]) -> None:
        target, (source, *flags) = item
        _call([*compiler, *_FLAGS, *flags, "-c", str(_HERE / source), "-o", str(scratch / target)])

    with ThreadPoolExecutor() as pool:
        list(pool.map(one, units.items()))
    built = scratch / path.name
    _call([*compiler, "-shared", "-pthread", *(str(scratch / name) for name in units), "-o", str(built)])
    os.replace(built, path)


def _call(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise MissingCompilerError(f"{command[0]} cannot be started ({error.strerror})") from error
    if done.returncode:
        raise MissingCompilerError(
            f"the native engine does not compile: {shlex.join(command)}\n{done.stderr[-2000:]}",
            "another compiler (CXX=g++), or another engine",
        )
