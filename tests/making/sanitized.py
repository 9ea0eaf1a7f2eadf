"""The native engine compiled with AddressSanitizer and UBSan, and Python processes that run it.

A fault ends such a process with a status that is not 0 and a report on standard error (`FAULT` tells it from others).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from leanformer.runtime.native import build

COMPILER = Path(__file__).parents[1] / "sanitizers" / "c++"
ROOT = Path(__file__).parents[2]
FAULT = re.compile(r"(runtime error: |ERROR: AddressSanitizer|ERROR: UndefinedBehaviorSanitizer).*")


@cache
def _runtime() -> str | None:
    """AddressSanitizer's own library, which a program that is not compiled with it has to load first."""
    if shutil.which("g++") is None:
        return None
    told = subprocess.run(["g++", "-print-file-name=libasan.so"], capture_output=True, text=True, check=False)
    path = told.stdout.strip()
    return path if os.path.isabs(path) and os.path.exists(path) else None


needs_sanitizers = pytest.mark.skipif(_runtime() is None, reason="no g++ with AddressSanitizer")


@cache
def sanitized_library() -> Path:
    """The engine, compiled when it is the first time with these sources (a minute); kept in the user's cache."""
    told = subprocess.run(
        [sys.executable, "-c", "from leanformer.runtime.native.build import library; print(library())"],
        env=os.environ | _own_settings(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    return Path(told.stdout.splitlines()[-1])


def sanitized_environment() -> dict[str, str]:
    """Environment variables under which Python runs the sanitized engine. Commands take it as any other engine."""
    sanitized_library()
    return os.environ | _own_settings() | {
        "LD_PRELOAD": str(_runtime()),
        # Python itself never frees all; huge sizes are to fail as they do without, as a lack of memory.
        "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }  # fmt: skip


def run_sanitized(*arguments: str, timeout_seconds: float = 600, **variables: str) -> subprocess.CompletedProcess[str]:
    """`python ARGUMENTS` from the top of the checkout, with the sanitized engine.

    Args:
        variables: further environment variables.
    """
    return subprocess.run(
        [sys.executable, *arguments], env=sanitized_environment() | variables, cwd=ROOT,
        capture_output=True, text=True, errors="replace", timeout=timeout_seconds, check=False,
    )  # fmt: skip


def _own_settings() -> dict[str, str]:
    # Where a test gives the process another home, the library is still found.
    return {
        "CXX": str(COMPILER),
        "LEANFORMER_COMPILE": "1",
        "LEANFORMER_CACHE": str(build.cache_folder().parent),
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
    }
