"""What the tests of the native engine share: whether it can be compiled here, and for which instruction sets.

`LEANFORMER_LEVEL=avx2 python -m pytest tests/runtime` runs tests at that level; `python -m tests.making.native` prints
those that this CPU has.
"""

from __future__ import annotations

import pytest

from leanformer.errors import LeanformerError, MissingCompilerError
from leanformer.runtime.engines import native_engine
from leanformer.runtime.native import build
from leanformer.runtime.native.levels import is_fast, levels
from leanformer.runtime.native.shipped import shipped_library

try:
    build.library()
    COMPILED = True
except MissingCompilerError:  # pragma: no cover
    COMPILED = False
INT8_DEFAULT = "native" if (COMPILED or shipped_library().path) and is_fast() else "onnxruntime"
"""The engine of int8 graphs where nobody asks for one."""
needs_compiler = pytest.mark.skipif(not COMPILED, reason="no C++ compiler")


def usable_levels(*, recurrent: bool = False) -> list[str]:
    """The instruction sets that this CPU has, the best first."""

    def works(level: str) -> bool:
        try:
            native_engine._level(level, recurrent=recurrent)
        except LeanformerError:
            return False
        return True

    return [level for level in levels() if COMPILED and works(level)]


if __name__ == "__main__":
    print(*usable_levels())
