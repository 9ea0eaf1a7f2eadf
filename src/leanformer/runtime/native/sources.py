"""What the library of the engine is made of: the files, and how each is compiled for each instruction set."""

from __future__ import annotations

import hashlib
from pathlib import Path

from leanformer.runtime.native.levels import LEVELS, levels

FOLDER = Path(__file__).parent
# Compilers differ in which products they fuse with a sum, and so in the last bits; the sources say where (vectors.h).
FLAGS = ("-std=c++17", "-O3", "-fPIC", "-pthread", "-fno-math-errno", "-ffp-contract=off")
FIRST = "levels.cpp"
"""The small unit, which chooses among the others."""


def units(machine: str | None = None) -> dict[str, tuple[str, ...]]:
    """The other units of an architecture (None: this one): object file -> source and flags.

    Sums over n-grams are one unit, which has its two instruction sets inside: they are whole numbers.

    The lowest instruction set first: if several units instantiate the same template of the standard library, the linker
    keeps the first instance, which must run on every CPU.
    """
    return {"ngrams.o": ("ngrams.cpp",)} | {
        f"{kind}-{level}.o": (f"{kind}.cpp", f"-DLEVEL={level}", *LEVELS[level])
        for level in reversed(levels(machine))
        for kind in ("encoder", "recurrent")
    }


def sources_hash() -> str:
    """SHA-256 of all sources and flags: a library of others is not that of this package."""
    whole = hashlib.sha256(repr((FLAGS, LEVELS)).encode())
    for path in sorted([*FOLDER.glob("*.cpp"), *FOLDER.glob("*.h")]):
        whole.update(path.name.encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()
