"""What the tests of the native engine share: whether it can be compiled here, and for which instruction sets."""

from __future__ import annotations

import pytest

from leanformer.errors import LeanformerError, MissingCompilerError
from leanformer.runtime import native_engine
from leanformer.runtime.native import build

try:
    build.library()
    COMPILED = True
except MissingCompilerError:  # pragma: no cover
    COMPILED = False
needs_compiler = pytest.mark.skipif(not COMPILED, reason="no C++ compiler")


def usable_levels(*, recurrent: bool = False) -> list[str]:
    """The instruction sets that this CPU has, the best first."""

    def works(level: str) -> bool:
        try:
            native_engine._level(level, recurrent=recurrent)
        except LeanformerError:
            return False
        return True

    return [one for one in build.levels() if COMPILED and works(one)]
