"""How many cores a process may use, on folders that look like those of cgroup versions 1 and 2."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from leanformer.runtime.cores import allowed_cores


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)


def version_2(folder: Path, content: str) -> Path:
    (folder / "cpu.max").write_text(content)
    return folder


def version_1(folder: Path, quota: str, period: str) -> Path:
    (folder / "cpu").mkdir()
    (folder / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (folder / "cpu" / "cpu.cfs_period_us").write_text(period)
    return folder


@pytest.mark.parametrize(
    ("content", "cores"),
    [
        ("200000 100000\n", 2),
        ("350000 100000\n", 3),
        ("50000 100000\n", 1),
        ("1600000 100000\n", 8),
        ("max 100000\n", 8),
        ("", 8),
        ("nonsense\n", 8),
        ("1 2 3\n", 8),
        ("100000 0\n", 8),
    ],
)
def test_version_2(content: str, cores: int, tmp_path: Path):
    assert allowed_cores(version_2(tmp_path, content)) == cores


@pytest.mark.parametrize(
    ("quota", "period", "cores"),
    [("200000", "100000", 2), ("10000\n", "100000\n", 1), ("-1\n", "100000\n", 8), ("x", "100000", 8), ("5", "0", 8)],
)
def test_version_1(quota: str, period: str, cores: int, tmp_path: Path):
    assert allowed_cores(version_1(tmp_path, quota, period)) == cores


def test_version_2_is_asked_first(tmp_path: Path):
    version_1(tmp_path, "700000", "100000")
    assert allowed_cores(version_2(tmp_path, "300000 100000")) == 3


def test_no_cgroup_leaves_the_affinity(tmp_path: Path):
    assert allowed_cores(tmp_path / "nothing") == 8


def test_affinity_is_the_ceiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5}, raising=False)
    assert allowed_cores(version_2(tmp_path, "700000 100000")) == 2
    assert allowed_cores(tmp_path / "nothing") == 2


def test_without_affinity_all_cores_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert allowed_cores(tmp_path) == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert allowed_cores(tmp_path) == 1
