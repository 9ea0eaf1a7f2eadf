"""Killed at any moment and started again, training and compressing end where they would have ended undisturbed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.artifact import is_artifact, open_artifact
from tests.e2e.dying import prepare

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")]


def run(
    folder: Path, job: str, kills: Sequence[Any] = (), *, finish: bool = True, hash_seed: int = 1
) -> dict[str, Any]:
    """What `dying` reports. Another `hash_seed` gives Python's sets another order, as a new process has it."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.dying", str(folder), job, json.dumps(list(kills)), "1" if finish else "0"],
        cwd=ROOT, capture_output=True, text=True, timeout=900,
        env=os.environ | {"PYTHONHASHSEED": str(hash_seed), "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}/src:{ROOT}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    value: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return value


def hashes(folder: Path) -> dict[str, str]:
    """Every artifact below `folder`, checked against its manifest: path -> content hash."""
    return {
        str(path.parent.relative_to(folder)): open_artifact(path.parent).content_hash
        for path in sorted(folder.rglob("leanformer.json"))
    }


def everything(folder: Path) -> list[str]:
    """Every file and folder, so that nothing more and nothing less may be there."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def rungs(folder: Path) -> list[tuple[str, str]]:
    report = json.loads((folder / "lean" / "report.json").read_text(encoding="utf-8"))
    return [(rung["name"], rung["content_hash"]) for rung in report["rungs"]] + [("chosen", report["choice"]["rung"])]


class Whole:
    """An undisturbed run of both jobs: its folder, and how many changes each made to the file system."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        prepare(folder)
        self.trained = run(folder, "train")["changes"]
        self.after_training = everything(folder)
        self.compressed = run(folder, "compress")["changes"]
        # The weights that are kept are those of the best epoch; were it the first, later ones could go wrong unseen.
        (student,) = (folder / "lean.work" / "steps").glob("student-????????????????")
        best = [open_artifact(path).history[-1]["result"]["best_epoch"] for path in (folder / "teacher", student)]
        assert min(best) > 1, best

    def start(self, folder: Path, *, with_teacher: bool) -> Path:
        folder.mkdir()
        for name in ["start", "recipe.yaml", "search.yaml", *(["teacher"] if with_teacher else [])]:
            source = self.folder / name
            (shutil.copytree if source.is_dir() else shutil.copyfile)(source, folder / name)
        return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return Whole(tmp_path_factory.mktemp("whole"))


def moments(seed: int, changes: int) -> list[tuple[str, int]]:
    """Twelve seeded moments. None is later than a quarter of the way, so that at least three attempts die."""
    generator = np.random.default_rng(seed)
    return [("change", int(n)) for n in generator.integers(1, changes // 4, size=12)]


def test_training(whole: Whole, tmp_path: Path):
    folder = whole.start(tmp_path / "run", with_teacher=False)
    killed = run(folder, "train", moments(1, whole.trained), hash_seed=2)
    assert len(killed["deaths"]) >= 3, killed
    assert hashes(folder) == {name: value for name, value in hashes(whole.folder).items() if "lean" not in name}
    assert everything(folder) == whole.after_training


def test_compressing(whole: Whole, tmp_path: Path):
    folder = whole.start(tmp_path / "run", with_teacher=True)
    killed = run(folder, "compress", moments(2, whole.compressed), hash_seed=3)
    assert len(killed["deaths"]) >= 3, killed
    assert hashes(folder) == hashes(whole.folder)
    assert rungs(folder) == rungs(whole.folder)
    assert everything(folder) == everything(whole.folder)


@pytest.mark.parametrize("job", ["train", "compress"])
def test_at_any_second(whole: Whole, job: str, tmp_path: Path):
    """By the clock, a moment lies in the middle of computing as well."""
    folder = whole.start(tmp_path / "run", with_teacher=job == "compress")
    generator = np.random.default_rng(7)
    run(folder, job, [("seconds", float(generator.uniform(0.05, 1.5))) for _ in range(5)], hash_seed=9)
    expected = hashes(whole.folder)
    assert hashes(folder).items() <= expected.items() and len(hashes(folder)) >= 2
    assert everything(folder) == (whole.after_training if job == "train" else everything(whole.folder))


# In the order in which a run comes to them: just before, or just after, a change to a path that holds these words.
TURNS = (
    ("path", "steps/.whole"), ("after", "steps/.whole"), ("path", "done.json"), ("after", "done.json"),
    ("path", ".trial."), ("path", "trials.json"), ("after", ".removed"), ("path", "hidden_0.npy"),
    ("after", "hidden_0.npy"), ("path", "/.checkpoint."), ("path", ".old"), ("after", ".old"),
    ("path", "steps/.student"), ("path", "running/trimmed"), ("after", "steps/.trimmed"),
    ("after", "running/student-int8"), ("path", "steps/.student-int8"), ("path", "measured-"), ("after", "measured-"),
    ("after", "/.lean."),
)  # fmt: skip


def test_at_every_turn(whole: Whole, tmp_path: Path):
    """At each kind of change, one kind after the other."""
    folder = whole.start(tmp_path / "run", with_teacher=True)
    killed = run(folder, "compress", TURNS)
    assert len(killed["deaths"]) == len(TURNS), killed
    assert hashes(folder) == hashes(whole.folder)
    assert rungs(folder) == rungs(whole.folder)
    assert everything(folder) == everything(whole.folder)


def test_figures_once_taken_are_used_again(whole: Whole, tmp_path: Path):
    """What depended on timing is stored before anything is made of it, and a half-taken figure is no figure."""
    folder = whole.start(tmp_path / "run", with_teacher=True)
    killed = run(folder, "compress", [("path", "measured-"), ("path", "/.lean.")], finish=False)
    assert [part in said for part, said in zip(("measured-", ".lean."), killed["deaths"], strict=True)] == [True, True]
    assert not is_artifact(folder / "lean")
    (measured,) = (folder / "lean.work").glob("measured-*.json")
    taken = json.loads(measured.read_text(encoding="utf-8"))
    stamp = measured.stat().st_mtime_ns
    run(folder, "compress")
    assert measured.stat().st_mtime_ns == stamp
    report = json.loads((folder / "lean" / "report.json").read_text(encoding="utf-8"))
    assert report["rungs"] == taken["rungs"]
    assert rungs(folder) == rungs(whole.folder)
