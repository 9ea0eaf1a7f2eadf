"""A disk without room: a message with file and remedy, status 1, and with room the same bytes as ever."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.dying import prepare
from tests.making.tiny import LABELS, tiny_dataset

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")]
QUICK = ("--device", "cpu", "--threads", "1")
COMMANDS = {
    "train": ("train", "../data", "--encoder", "../start", "--output", "teacher", "--epochs", "2", *QUICK),
    "compress": (
        "compress", "../start", "--data", "../data", "--output", "lean", "--recipe", "../recipe.yaml", "--goal", "size",
        "--max-drop", "100", "--no-memory", "--rounds", "1", *QUICK,
    ),
    "search": (
        "search", "../search.yaml", "--model", "../start", "--data", "../data", "--output", "found", "--trials", "3",
        "--rounds", "1", *QUICK,
    ),
}  # fmt: skip


def can_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
    )
    return tried.returncode == 0


def filled(folder: Path, limit: str, size: int, command: str) -> dict[str, Any]:
    prepare(folder)
    data = tiny_dataset()
    (folder / "data").mkdir()
    for split in ("train", "dev", "test"):
        part = getattr(data, split)
        rows = [{"text": text, "label": LABELS[i]} for text, i in zip(part.texts, part.labels, strict=True)]
        (folder / "data" / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    namespace = ["unshare", "-rm"] if limit == "disk" else []
    program = [sys.executable, "-m", "tests.e2e.filling"]
    done = subprocess.run(
        [*namespace, *program, str(folder), limit, str(size), *COMMANDS[command]],
        cwd=ROOT, capture_output=True, text=True, timeout=900,
        env=os.environ | {"PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}/src:{ROOT}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    value: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return value


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """What each command makes where there is room from the first."""
    made = {}
    for command in COMMANDS:
        found = filled(tmp_path_factory.mktemp(command), "file", 1 << 40, command)
        assert found["first"][0] == 0, found
        made[command] = found["made"]
    return made


def is_told(found: dict[str, Any]) -> bool:
    """Whether there was no room; and if so, it was said as it should be."""
    status, said = found["first"]
    if status == 0:
        return False
    *_, problem, remedy = said.splitlines()
    assert status == 1, said
    assert problem.startswith("error: /") and problem.endswith((": No space left on device", ": File too large"))
    assert ".partial" not in problem
    assert remedy.startswith("  remedy: ") and "run the same command again; it goes on" in remedy
    assert "Traceback" not in said
    return True


def tried(sizes: dict[str, tuple[int, ...]]) -> list[tuple[str, int]]:
    """Pairs of a command and a size: each size with one or two commands, which write through the same functions.

    A run costs seconds; with $LEANFORMER_EVERY_DISK every command is tried with every size.
    """
    if os.environ.get("LEANFORMER_EVERY_DISK"):
        sizes = dict.fromkeys(COMMANDS, tuple(sorted({size for each in sizes.values() for size in each})))
    return [(command, size) for command, each in sizes.items() for size in each]


@pytest.mark.parametrize(
    ("command", "size"), tried({"train": (500, 20_000), "compress": (500, 120_000), "search": (20_000, 60_000)})
)
def test_no_file_may_be_larger(command: str, size: int, expected: dict[str, Any], tmp_path: Path):
    found = filled(tmp_path, "file", size, command)
    assert is_told(found)
    assert found["second"][0] == 0, found["second"][1]
    assert found["made"] == expected[command]


@pytest.mark.skipif(not can_mount(), reason="needs a namespace with a file system of its own")
@pytest.mark.parametrize(
    ("command", "size"),
    tried({"train": (8, 250, 550), "compress": (100, 250, 400, 700, 1000), "search": (8, 400, 850)}),
)
def test_a_disk_that_is_full(command: str, size: int, expected: dict[str, Any], tmp_path: Path):
    found = filled(tmp_path, "disk", size, command)
    assert is_told(found) or size > 300
    assert found["second"][0] == 0, found["second"][1]
    assert found["made"] == expected[command]
