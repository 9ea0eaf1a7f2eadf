"""The instruction sets for which the engine is compiled, and which of them this CPU probably has."""

from __future__ import annotations

import os
import platform

from leanformer.machine import instruction_sets, tells_instruction_sets

LEVELS = {
    "avx512vnni": ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512vnni", "-mfma"),
    "avx2": ("-mavx2", "-mfma"),
    "generic": (),
}
"""Instruction sets, the best first, with the flags that compile for them."""
GENERIC = "generic"
VARIABLE = "LEANFORMER_LEVEL"
"""Environment variable: the level that is taken, in place of the best that the CPU has."""
_X86 = ("x86_64", "AMD64")


def levels(machine: str | None = None) -> tuple[str, ...]:
    """The instruction sets of an architecture; None: of this one."""
    return tuple(LEVELS) if (machine or platform.machine()) in _X86 else (GENERIC,)


def forced_level() -> str | None:
    """The instruction set in the environment variable, unchanged; None if it is not set."""
    return os.environ.get(VARIABLE) or None


def is_fast() -> bool:
    """Whether a level better than the generic one can be expected, without compiling anything.

    The generic one takes several times as long as ONNX Runtime. An x86 CPU whose instruction sets the system does not
    report almost always has a better one; the compiled engine asks the CPU itself.
    """
    if forced := forced_level():
        return forced != GENERIC
    return levels()[0] != GENERIC and ("avx2" in instruction_sets() or not tells_instruction_sets())
