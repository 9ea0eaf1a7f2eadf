"""Folders of the benchmarks: what they read, where they work and where their results lie."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "benchmarks" / "recipes"
RESULTS = ROOT / "benchmarks" / "results"
WORK = ROOT / "benchmarks" / "work"  # not under version control; what lies here is taken up, not made again


def commit() -> str:
    """The commit that the working tree is at, with a `+` where tracked files other than results differ from it.

    "unknown" without git.
    """

    def git(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)

    try:
        head, changed = git("rev-parse", "--short=12", "HEAD"), git("diff", "--quiet", "HEAD", "--", _NO_RESULTS)
    except OSError:
        return "unknown"
    return "unknown" if head.returncode else head.stdout.strip() + "+" * changed.returncode


# What a benchmark writes does not change what it measures.
_NO_RESULTS = ":(top,exclude)benchmarks/results"
