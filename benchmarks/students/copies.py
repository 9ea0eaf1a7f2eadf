"""What students gain by copies of their training texts with words replaced: benchmarks/results/students/copies.json.

    python -m benchmarks.students.copies
    python -m benchmarks.students.copies --seeds 13 14 15 --sets trec

reads $LEANFORMER_DATA and the teachers that `benchmarks.ladders.run` left in benchmarks/work. All students of a data
set have the same start (layers of their teacher, evenly spaced) and the same number of optimiser steps; the learning
rate is chosen on dev for each way, and test is read for the chosen one alone. `gain` is accuracy on test minus that of
students of the teacher's answers to the training texts themselves, in points, with a paired bootstrap interval over the
texts, the seeds of a text together. CPU seconds include the teacher's answers.

Every student is stored when it is made, so a killed run goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.ladders.run import open_named
from benchmarks.paths import RESULTS, WORK
from benchmarks.students.starts import compared, mean, right
from benchmarks.xtremedistil.cell_store import Cells
from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.compress.distil.distil import Distil
from leanformer.data.dataset import Dataset
from leanformer.errors import LeanformerError
from leanformer.files import remove_folder, sha256_json, write_json
from leanformer.runtime.cores import allowed_cores
from leanformer.step import Context

# Options of `compress.distil` for each way. The first is what the others are compared with.
WAYS: dict[str, dict[str, Any]] = {
    "teacher's answers": {},
    "labels alone": {"hard": 1.0},
    "copies": {"copies": 8},
    "copies, fewer words": {"copies": 8, "copied_share": 0.2},
}
FIRST = next(iter(WAYS))


@dataclass(frozen=True)
class Sizes:
    """How much is done.

    Attributes:
        steps: data set -> optimiser steps of each student, about.
        rates: learning rates.
        layers: of the students.
    """

    steps: Mapping[str, int] = field(default_factory=lambda: {"trec": 1400, "banking77": 2600})
    rates: tuple[float, ...] = (2e-4,)
    layers: int = 3
    batch_size: int = 32


class Table:
    """The cells of the table: students, and the tests of chosen ones."""

    def __init__(self, work: Path, teachers: Path, result: Path | None, sizes: Sizes) -> None:
        self.work, self.teachers, self.sizes, self.threads = work, teachers, sizes, allowed_cores()
        self.cells = Cells(work / "cells", self.threads, result)
        torch.set_num_threads(self.threads)

    def teacher(self, name: str) -> Artifact:
        folder = self.teachers / name / "teacher"
        if not is_artifact(folder):
            raise LeanformerError(
                f"{folder}: there is no teacher\n  remedy: python -m benchmarks.ladders.run {name} trains it first"
            )
        return open_artifact(folder)

    def _settings(self, name: str, way: str, rate: float, seed: int) -> dict[str, Any]:
        return {
            "kind": "student", "set": name, "way": way, "options": WAYS[way], "rate": rate, "seed": seed,
            "layers": self.sizes.layers, "steps": self.sizes.steps[name], "batch_size": self.sizes.batch_size,
            "teacher": self.teacher(name).content_hash,
        }  # fmt: skip

    def student(self, name: str, way: str, rate: float, seed: int) -> dict[str, Any]:
        """Dev accuracy and cost of one student."""
        settings = self._settings(name, way, rate, seed)

        def made() -> dict[str, Any]:
            data = open_named(name)
            assert data.dev is not None
            artifact = self._distilled(data, settings)
            return {
                "dev": round(100 * float(np.mean(right(artifact, data.dev))), 2),
                "epochs": artifact.history[-1]["options"]["epochs"],
            }

        return self.cells.get(settings, made)

    def _distilled(self, data: Dataset, settings: Mapping[str, Any]) -> Artifact:
        key = sha256_json(dict(settings))[:16]
        folder, sizes = self.work / "students" / key, self.sizes
        if is_artifact(folder):
            return open_artifact(folder)
        assert data.train is not None
        rows = len(data.train) * (1 + settings["options"].get("copies", 0))
        step = Distil(
            layers=sizes.layers, trial_texts=0, batch_size=sizes.batch_size, learning_rate=settings["rate"],
            epochs=max(1, round(settings["steps"] * sizes.batch_size / rows)), **settings["options"],
        )  # fmt: skip
        teacher = self.teacher(settings["set"])
        # No store of the teacher's answers: each student pays for its own.
        context = Context(
            replace(data, test=None), {"teacher": teacher}, self.work / "running" / key,
            self.work / "running" / f"{key}-cache", seed=settings["seed"], threads=self.threads, say=_say,
        )  # fmt: skip
        made = step(teacher, context, folder)
        for done in (context.work, context.cache):
            remove_folder(done)
        return made

    def tested(self, name: str, way: str, rate: float, seed: int) -> dict[str, Any]:
        """The chosen student on test, text by text."""
        settings = self._settings(name, way, rate, seed)

        def made() -> dict[str, Any]:
            data = open_named(name)
            assert data.test is not None
            hits = right(self._distilled(data, settings), data.test)
            return {"test": round(100 * float(hits.mean()), 2), "right": "".join("1" if hit else "0" for hit in hits)}

        return self.cells.get(settings | {"kind": "test"}, made)

    def rows(self, name: str, seeds: Sequence[int]) -> list[dict[str, Any]]:
        """Make what is missing, and compare: a row for each way."""
        students = {
            way: {rate: [self.student(name, way, rate, seed) for seed in seeds] for rate in self.sizes.rates}
            for way in WAYS
        }
        chosen = {way: max(by_rate, key=lambda rate: mean(by_rate[rate], "dev")) for way, by_rate in students.items()}
        tests = {way: [self.tested(name, way, rate, seed) for seed in seeds] for way, rate in chosen.items()}
        return [
            {
                "set": name, "way": way, "seeds": list(seeds), "rate": chosen[way],
                "optimiser_steps": self.sizes.steps[name],
                **{key: mean(students[way][chosen[way]], key) for key in ("cpu_seconds", "epochs", "dev")},
                "test": mean(tests[way], "test"),
                **compared(tests[way], tests[FIRST]),
            }
            for way in WAYS
        ]  # fmt: skip


def _say(line: str) -> None:
    if "rows/s" not in line:
        print(line, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    sizes = Sizes()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[13])
    parser.add_argument("--sets", nargs="+", choices=list(sizes.steps), default=list(sizes.steps), metavar="SET")
    given = parser.parse_args(arguments)
    result = RESULTS / "students" / "copies.json"
    table = Table(WORK / "copies", WORK, result, sizes)
    result.parent.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for name in given.sets:
        rows += table.rows(name, given.seeds)
        write_json(result, {"summary": rows, "cells": table.cells.all()})
    for row in rows:
        gain = f"{row['gain']:+6.2f} ({row['low']:+.2f} to {row['high']:+.2f})" if "gain" in row else ""
        print(f"{row['set']:10} {row['way']:24} dev {row['dev']:6.2f}  test {row['test']:6.2f} {gain}")


if __name__ == "__main__":
    main()
