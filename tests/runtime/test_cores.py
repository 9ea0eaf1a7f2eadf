"""How many cores a process may use, on folders that look like those of cgroup versions 1 and 2."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from leanformer.runtime import cores
from leanformer.runtime.cores import allowed_cores, physical_cores, places, quota


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
    ("content", "expected"),
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
def test_version_2(content: str, expected: int, tmp_path: Path):
    assert allowed_cores(version_2(tmp_path, content)) == expected


@pytest.mark.parametrize(
    ("limit", "period", "expected"),
    [("200000", "100000", 2), ("10000\n", "100000\n", 1), ("-1\n", "100000\n", 8), ("x", "100000", 8), ("5", "0", 8)],
)
def test_version_1(limit: str, period: str, expected: int, tmp_path: Path):
    assert allowed_cores(version_1(tmp_path, limit, period)) == expected


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


def own_groups(folder: Path, *lines: str) -> Path:
    (folder / "own").write_text("".join(f"{line}\n" for line in lines))
    return folder / "own"


def limited(folder: Path, content: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpu.max").write_text(content)


def test_the_smallest_quota_on_the_way_up_counts(tmp_path: Path):
    own = own_groups(tmp_path, "0::/slice/service/inner")
    limited(tmp_path / "slice", "250000 100000")
    limited(tmp_path / "slice" / "service", "700000 100000")
    limited(tmp_path / "slice" / "service" / "inner", "max 100000")
    limited(tmp_path / "slice" / "neighbour", "100000 100000")
    assert quota(tmp_path, own) == 2.5
    assert allowed_cores(tmp_path, own) == 2
    limited(tmp_path / "slice" / "service" / "inner", "50000 100000")
    assert quota(tmp_path, own) == 0.5
    assert allowed_cores(tmp_path, own) == 1


def test_version_1_groups_nest_too(tmp_path: Path):
    own = own_groups(tmp_path, "4:memory:/elsewhere", "3:cpu,cpuacct:/docker/abc", "0::/")
    for name, quota_us in (("", "600000"), ("docker", "-1"), ("docker/abc", "300000")):
        folder = tmp_path / "cpu,cpuacct" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "cpu.cfs_quota_us").write_text(quota_us)
        (folder / "cpu.cfs_period_us").write_text("100000")
    assert quota(tmp_path, own) == 3
    (tmp_path / "cpu,cpuacct" / "docker" / "abc" / "cpu.cfs_quota_us").write_text("-1")
    assert quota(tmp_path, own) == 6


@pytest.mark.parametrize("line", ["0::/host/path/that/is/not/mounted/here", "0::/../..", "0::/", "nonsense", ""])
def test_in_a_container_the_mount_itself_is_the_group(line: str, tmp_path: Path):
    own = own_groups(tmp_path, line)
    limited(tmp_path, "300000 100000")
    assert quota(tmp_path, own) == 3
    assert quota(tmp_path, tmp_path / "missing") == 3


def topology(folder: Path, siblings: dict[int, str], name: str = "core_cpus_list") -> Path:
    for number, listed in siblings.items():
        (folder / f"cpu{number}" / "topology").mkdir(parents=True)
        (folder / f"cpu{number}" / "topology" / name).write_text(f"{listed}\n")
    return folder


@pytest.mark.parametrize("name", ["core_cpus_list", "thread_siblings_list"])
def test_siblings_are_one_core(name: str, tmp_path: Path):
    folder = topology(tmp_path, {0: "0,4", 1: "1,5", 4: "0,4", 5: "1,5", 2: "2-3", 3: "2-3"}, name)
    assert physical_cores(range(6), folder) == [frozenset({0, 4}), frozenset({1, 5}), frozenset({2, 3})]
    assert physical_cores({4, 5, 1}, folder) == [frozenset({1, 5}), frozenset({4})], "only what is allowed"


def test_without_topology_each_processor_is_a_core(tmp_path: Path):
    assert physical_cores({3, 1}, tmp_path) == [frozenset({1}), frozenset({3})]
    assert physical_cores({1}, topology(tmp_path, {1: "garbage"})) == [frozenset({1})]


def test_workers_are_pinned_only_where_they_fill_the_machine(monkeypatch: pytest.MonkeyPatch):
    pairs = [frozenset({i, i + 4}) for i in range(4)]
    monkeypatch.setattr(cores, "physical_cores", lambda: pairs)
    monkeypatch.setattr(cores, "quota", lambda: None)
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, processors: None, raising=False)
    assert places(4, 1) == pairs
    assert places(2, 2) == [pairs[0] | pairs[1], pairs[2] | pairs[3]]
    assert places(3, 1) is None and places(8, 1) is None and places(1, 1) is None
    monkeypatch.setattr(cores, "quota", lambda: 4.0)
    assert places(4, 1) is None, "under a quota the processors are shared with others"
    monkeypatch.setattr(cores, "quota", lambda: 8.0)
    assert places(4, 1) == pairs
    monkeypatch.delattr(os, "sched_setaffinity")
    assert places(4, 1) is None
