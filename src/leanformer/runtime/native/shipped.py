"""The library that came with the package, compiled elsewhere for this platform (by `hatch_build.py` of a checkout).

It lies in `library/` beside a record of its SHA-256 and of its sources. It is loaded only if it is whole, for this
platform, and of the sources that lie here.
"""

from __future__ import annotations

import os
import platform
import sys
import warnings
from functools import cache
from pathlib import Path
from typing import NamedTuple

from leanformer import schema
from leanformer.files import sha256_file
from leanformer.runtime.native.sources import FOLDER as SOURCES
from leanformer.runtime.native.sources import sources_hash
from leanformer.strict_json import read_json

FOLDER = SOURCES / "library"
LIBRARY, RECORD = "leanformer_native.so", "library.json"
VARIABLE = "LEANFORMER_COMPILE"
"""Environment variable: if set, the library is compiled on this machine, as if none had come with the package."""
NONE_CAME = "no native library came with this package"
_REINSTALL = "pip install --force-reinstall leanformer"
_RECORD = schema.fields({name: schema.text() for name in ("platform", "sha256", "sources", "compiler")})


class Shipped(NamedTuple):
    """The library; or None, and why it is not used, unless the user asks for one compiled here."""

    path: Path | None
    problem: str = ""


def shipped_library() -> Shipped:
    """The library that came with the package, if it may be loaded here. A damaged one is refused with a warning."""
    if os.environ.get(VARIABLE):
        return Shipped(None)
    return _checked()


def this_platform() -> str:
    return f"{sys.platform}-{platform.machine()}"


@cache
def _checked() -> Shipped:
    record, path = FOLDER / RECORD, FOLDER / LIBRARY
    if not record.exists():
        return Shipped(None, NONE_CAME)
    try:
        told = read_json(record)
        _RECORD(told, "the record")
        if told["platform"] != this_platform():
            return Shipped(None, f"the native library of this package is for {told['platform']}")
        if told["sources"] != sources_hash():
            return Shipped(None, "the native library of this package was compiled from other sources")
        if sha256_file(path) != told["sha256"]:
            raise ValueError("its SHA-256 is another than that in its record")
    except (OSError, ValueError) as error:
        return refused(path, str(error))
    return Shipped(path)


def refused(path: Path, reason: str) -> Shipped:
    """Warn that the library cannot be used."""
    problem = f"{path.name} of this package is damaged, and not used ({reason})"
    warnings.warn(f"{problem}: {path}\n  remedy: {_REINSTALL}", stacklevel=2)
    return Shipped(None, problem)
