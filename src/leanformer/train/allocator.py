"""How the C library hands out memory, so that a peak is what a training holds, and not what it once held."""

from __future__ import annotations

import ctypes
import sys

_M_MMAP_THRESHOLD = -3  # of malloc.h
LEAST_BYTES = 1 << 17  # glibc's own value at the start of a process


def return_freed_memory() -> bool:
    """Let tensors of 128 KB and more go back to the system as soon as they are freed; for the whole process.

    glibc raises the size from which on it does so, up to 32 MB, by what was freed, and keeps the rest: after blocks of
    different shapes a training holds more than its tensors. Returns whether the C library can be told.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_M_MMAP_THRESHOLD, LEAST_BYTES))


def resident_bytes() -> int | None:
    """The resident memory of this process; None where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
    except OSError:
        return None
    return pages * _page_bytes()


def _page_bytes() -> int:
    import resource

    return resource.getpagesize()
