"""The memory curve: what counts as flat, and that a process is watched while it writes and no longer."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.runtime import memory
from benchmarks.runtime.memory import LineCount, growth, thinned, watched, write_texts

Curve = list[tuple[float, int, int]]


def curve(bytes_per_text: float, texts: int = 1_000_000) -> Curve:
    """Loading up to a tenth of the texts, then a slope with a little noise."""
    loading = [(i / 2, 0, 10_000_000 * i) for i in range(10)]
    steps = range(0, texts + 1, texts // 100)
    return loading + [(5 + i, done, int(1e8 + bytes_per_text * done + 5e5 * (i % 3))) for i, done in enumerate(steps)]


def test_what_keeps_every_text_is_not_flat():
    assert growth(curve(0.0), 1_000_000)["flat"] and growth(curve(3.0), 1_000_000)["flat"]
    found = growth(curve(60.0), 1_000_000)
    assert not found["flat"] and found["bytes_per_text"] == pytest.approx(60, rel=0.05)


def test_too_few_samples_say_nothing():
    with pytest.raises(ValueError, match="use more texts"):
        growth(curve(0.0)[:30], 1_000_000)


def test_a_thinned_curve_keeps_both_ends():
    points = thinned(curve(1.0), 20)
    assert len(points) == 20 and points[0]["texts"] == 0 and points[-1]["texts"] == 1_000_000


def test_texts_are_all_phrases_before_one_comes_again(tmp_path: Path):
    write_texts(["a b", "c\nd", "e"], 8, tmp_path / "texts.txt")
    lines = (tmp_path / "texts.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 8 and set(Counter(lines[:6]).values()) == {2} and "c d" in lines


def test_lines_are_counted_as_they_come(tmp_path: Path):
    path, count = tmp_path / "lines", LineCount()
    path.write_text("one\ntw", encoding="utf-8")
    assert count.update(path) == 1
    with open(path, "a", encoding="utf-8") as handle:
        handle.write("o\nthree\n")
    assert count.update(path) == 3


WRITER = """
import sys, time
kept = []
with open(sys.argv[1], "w") as handle:
    for i in range(20):
        kept.append(bytearray(2_000_000)); handle.write("x\\n"); handle.flush(); time.sleep(0.02)
import os
os.rename(sys.argv[1], sys.argv[2]); kept.clear(); time.sleep(0.3)
"""


def test_a_process_is_watched_until_its_file_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "SECONDS", 0.01)
    partial, whole = tmp_path / "partial", tmp_path / "whole"
    found = watched([sys.executable, "-c", WRITER, str(partial), str(whole)], partial)
    assert whole.is_file() and found[-1][1] > 10
    # What it gave back after the end is not seen: the last sample is the largest.
    assert found[-1][2] == max(resident for _, _, resident in found) and found[-1][2] - found[0][2] > 15_000_000


def test_a_process_that_fails_is_an_error(tmp_path: Path):
    with pytest.raises(subprocess.CalledProcessError):
        watched([sys.executable, "-c", "raise SystemExit(3)"], tmp_path / "none")
