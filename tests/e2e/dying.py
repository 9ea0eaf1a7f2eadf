"""Runs a job again and again in processes that die by SIGKILL at given moments, until one lives to the end.

    python -m tests.e2e.dying FOLDER JOB KILLS FINISH

JOB is "train", "compress" or "search", on the tiny data in FOLDER. KILLS is a JSON list of moments, one per attempt:
["change", n] just before the n-th change to the file system, ["path", part] just before the first change to a path
with `part` in it, ["after", part] before the change after that one, ["seconds", s]. FINISH 1 adds an attempt that is
left alone. Prints a JSON object: where each attempt died, and how many changes the last one made.

Each attempt is a fork of a process that has imported everything, so that dying often costs little.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from leanformer.finetune.fine_tune import fine_tune
from leanformer.measure import speed
from leanformer.recipe.compress import compress
from leanformer.recipe.spec import read_recipe
from leanformer.search.run import search
from leanformer.search.space.read import read_space
from leanformer.search.study.budget import SearchBudget
from leanformer.train.settings import FitSettings
from tests.making.tiny import tiny_artifact, tiny_config, tiny_dataset

RECIPE = """
name: small
steps:
  - {step: export.onnx, name: whole, uses: teacher, rung: our ONNX graph}
  - {step: compress.distil, name: student, uses: teacher, layers: 1, trial_texts: 24, epochs: 3, batch_size: 16,
     learning_rate: 0.003, hidden_weight: 0.1, hidden_map: [[0, 0], [1, 3]], token_budget: 300}
  - {step: compress.trim_vocabulary, name: trimmed}
  - {step: export.onnx, name: student-onnx, rung: student}
  - {step: export.int8, name: student-int8, method: static, max_flips: 1, max_mean_share: 100, rung: int8}
"""

# Goals that no clock has a part in, so that a search that was killed can be held against one that was not.
SEARCH = """
name: small
goals: {maximise: quality, minimise: bytes}
halving: {over: epochs, least: 0.5, factor: 2}
steps:
  - {step: compress.distil, name: student, uses: teacher, layers: {choose: [2, 1]}, trial_texts: 0, epochs: 2,
     batch_size: 16, learning_rate: {range: [0.001, 0.01], log: true}}
  - {step: export.onnx, max_difference: 0.01}
"""


def prepare(folder: Path) -> None:
    """What the jobs start from: an encoder of three layers with dropout, and the recipe."""
    config = tiny_config(layers=tiny_config().layers[:1] * 3, dropout=0.1, attention_dropout=0.1)
    tiny_artifact(folder / "start", config=config)
    (folder / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
    (folder / "search.yaml").write_text(SEARCH, encoding="utf-8")


def train(folder: Path) -> None:
    settings = FitSettings(epochs=4, batch_size=12, learning_rate=3e-3, precision="fp32", checkpoint_seconds=0.0)
    fine_tune(
        str(folder / "start"), tiny_dataset(), folder / "teacher", settings, max_tokens=32,
        work=folder / "teacher.work", device="cpu", say=lambda line: None,
    )  # fmt: skip


def run_compress(folder: Path) -> None:
    speed._SETTLE_SECONDS = 0
    compress(
        str(folder / "teacher"), tiny_dataset(), folder / "lean", recipe=read_recipe(folder / "recipe.yaml"),
        goal="size", max_drop=100, threads=1, device="cpu", memory=False, allow_weak_teacher=True,
        allow_lost_classes=True, say=lambda line: None,
        speed=speed.SpeedSettings(rounds=1, latency_texts=4, seconds=0.01),
    )  # fmt: skip


def run_search(folder: Path) -> None:
    speed._SETTLE_SECONDS = 0
    quick = speed.SpeedSettings(rounds=1, latency_texts=4, seconds=0.01)
    search(
        read_space(folder / "search.yaml"), str(folder / "teacher"), tiny_dataset(), folder / "found",
        budget=SearchBudget(trials=6), threads=1, device="cpu", speed=quick, final_speed=quick,
        allow_weak_teacher=True, allow_lost_classes=True, say=lambda line: None,
    )  # fmt: skip


JOBS: dict[str, Callable[[Path], None]] = {"train": train, "compress": run_compress, "search": run_search}
_CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir")


class Attempt:
    """One run of a job in a child process, and the moment at which it is to die."""

    def __init__(self, job: str, folder: Path, kill: tuple[str, Any] | None) -> None:
        self.job, self.folder, self.kill, self.changes, self.passed = job, folder, kill, 0, False

    def __call__(self) -> tuple[bool, str]:
        """Whether the child lived to the end, and what it said last. Raises `RuntimeError` when it failed."""
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            self._live(writing)
        os.close(writing)
        if self.kill is not None and self.kill[0] == "seconds":
            time.sleep(self.kill[1])
            os.kill(child, signal.SIGKILL)
        with os.fdopen(reading, encoding="utf-8") as pipe:
            said = pipe.read()
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        if not killed and os.waitstatus_to_exitcode(status) != 0:
            raise RuntimeError(f"{self.job} failed, not killed:\n{said}")
        return not killed, said or "in time"

    def _live(self, pipe: int) -> None:
        sys.addaudithook(lambda event, arguments: self._watch(event, arguments, pipe))
        try:
            JOBS[self.job](self.folder)
            os.write(pipe, str(self.changes).encode())
        except BaseException:
            import traceback

            os.write(pipe, traceback.format_exc().encode())
            os._exit(1)
        os._exit(0)

    def _watch(self, event: str, arguments: tuple[Any, ...], pipe: int) -> None:
        """Count a change that is about to be made, and die before it if it is the one."""
        opened = (
            event == "open" and isinstance(arguments[0], str | Path) and bool(arguments[2] & (os.O_WRONLY | os.O_RDWR))
        )
        if not (event in _CHANGES or (opened and str(arguments[0]).startswith(str(self.folder)))):
            return
        self.changes += 1
        path = " ".join(str(argument) for argument in arguments[: 2 if event == "os.rename" else 1])
        kind, value = self.kill or ("never", None)
        now = {"change": self.changes == value, "path": kind == "path" and value in path, "after": self.passed}
        self.passed = self.passed or (kind == "after" and value in path)
        if now.get(kind):
            os.write(pipe, f"{event} {path}".replace(str(self.folder), "").encode())
            os.kill(os.getpid(), signal.SIGKILL)


def main(arguments: list[str]) -> None:
    folder, job, finish = Path(arguments[0]), arguments[1], arguments[3] == "1"
    kills: list[Any] = [tuple(load) for load in json.loads(arguments[2])]
    deaths, changes = [], None
    for kill in [*kills, *([None] if finish else [])]:
        lived, said = Attempt(job, folder, kill)()
        if lived:
            changes = int(said)
            break
        deaths.append(said)
    print(json.dumps({"deaths": deaths, "changes": changes}))


if __name__ == "__main__":
    main(sys.argv[1:])
