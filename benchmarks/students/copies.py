"""What students gain by copies of their training texts with words replaced: benchmarks/results/students/copies.json.

    python -m benchmarks.students.copies
    python -m benchmarks.students.copies --seeds 13 14 15 --sets trec

reads $LEANFORMER_DATA and the teachers that `benchmarks.ladders.run` left in benchmarks/work. All students of a data
set have the same start (layers of their teacher, evenly spaced) and the same number of optimiser steps; the learning
rate is chosen on dev for each way, and test is read for the chosen one alone. `gain` is accuracy on test minus that of
students of the teacher's answers to the training texts themselves, in points, with a paired bootstrap interval over the
texts, the seeds of a text together; `gain_longer` is the same over such students with a third more steps. CPU
seconds include the teacher's answers to texts and copies; look at them before you call the two alike in time.

Controls beside them: copies with random words in place of neighbours, students that are not trained, a linear model on
n-grams; and the teacher. `clean` is accuracy on the texts of test that do not stand in train.

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
from leanformer.compress.distil.substitution import copies_of
from leanformer.compress.prune.layer_drop import LayerDrop
from leanformer.data.dataset import Dataset
from leanformer.data.leaks import find_leaks
from leanformer.errors import LeanformerError
from leanformer.files import remove_folder, sha256_json, write_json
from leanformer.finetune.choose import floor_answers
from leanformer.models.store import read_model
from leanformer.runtime.cores import allowed_cores
from leanformer.step import Context

# Options of `compress.distil` for each way. The first is what the others are compared with. `steps` is a factor.
WAYS: dict[str, dict[str, Any]] = {
    "teacher's answers": {},
    "teacher's answers, longer": {"steps": 1.35},
    "labels alone": {"hard": 1.0},
    "copies": {"copies": 8},
    "copies of random words": {"random copies": 8},
}
FIRST, LONGER = list(WAYS)[:2]
BESIDE = ("not trained", "linear on n-grams", "teacher")
_COPIED_SHARE = 0.4  # of `compress.distil`, unless it is told otherwise


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
            "layers": self.sizes.layers, "steps": self.steps(name, way), "batch_size": self.sizes.batch_size,
            "teacher": self.teacher(name).content_hash,
        }  # fmt: skip

    def distilled(self, name: str, way: str, rate: float, seed: int) -> Artifact:
        """The student, made now or found."""
        return self._distilled(open_named(name), self._settings(name, way, rate, seed))

    def steps(self, name: str, way: str) -> int:
        """Optimiser steps, about: whole epochs are trained."""
        return round(self.sizes.steps[name] * WAYS[way].get("steps", 1))

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
        options = {option: value for option, value in settings["options"].items() if option in ("copies", "hard")}
        random_copies = settings["options"].get("random copies", 0)
        rows = len(data.train) * (1 + options.get("copies", random_copies))
        step = Distil(
            layers=sizes.layers, trial_texts=0, batch_size=sizes.batch_size, learning_rate=settings["rate"],
            epochs=max(1, round(settings["steps"] * sizes.batch_size / rows)), **options,
        )  # fmt: skip
        teacher = self.teacher(settings["set"])
        # No store of the teacher's answers: each student pays for its own.
        context = Context(
            replace(data, test=None), {"teacher": teacher}, self.work / "running" / key,
            self.work / "running" / f"{key}-cache", seed=settings["seed"], threads=self.threads, say=_say,
        )  # fmt: skip
        if random_copies:  # what is near in a table of random vectors is random
            width = (read_model(teacher).config.vocabulary, 64)
            table = np.random.default_rng(settings["seed"]).standard_normal(width, np.float32)
            made_up = copies_of(data.train, teacher, context, random_copies, _COPIED_SHARE, table)
            context = replace(context, data=replace(context.data, unlabelled=made_up))
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

    def beside(self, name: str, what: str, seed: int) -> dict[str, Any]:
        """A control that has nothing to choose, on test, text by text."""
        settings = {"kind": "beside", "set": name, "what": what, "seed": seed, "layers": self.sizes.layers}

        def made() -> dict[str, Any]:
            data, teacher = open_named(name), self.teacher(name)
            assert data.train is not None and data.test is not None
            if what == "linear on n-grams":
                hits = floor_answers(data.train, data.test, seed) == np.asarray(data.test.labels)
            elif what == "teacher":
                hits = right(teacher, data.test)
            else:
                context = Context(
                    replace(data, test=None), {"teacher": teacher}, self.work / "running" / "untrained",
                    self.work / "running" / "untrained-cache", seed=seed, threads=self.threads, say=_say,
                )  # fmt: skip
                folder = self.work / "students" / f"untrained-{name}-{self.sizes.layers}"
                remove_folder(folder)
                depth = len(read_model(teacher).config.layers)
                step = LayerDrop(drop=depth - self.sizes.layers, strategy="odd_alternate")
                hits = right(step(teacher, context, folder), data.test)
            return {"test": round(100 * float(hits.mean()), 2), "right": "".join("1" if hit else "0" for hit in hits)}

        return self.cells.get(settings | {"teacher": self.teacher(name).content_hash}, made)

    def rows(self, name: str, seeds: Sequence[int]) -> list[dict[str, Any]]:
        """Make what is missing, and compare: a row for each way, and for each control beside them."""
        students = {
            way: {rate: [self.student(name, way, rate, seed) for seed in seeds] for rate in self.sizes.rates}
            for way in WAYS
        }
        chosen = {way: max(by_rate, key=lambda rate: mean(by_rate[rate], "dev")) for way, by_rate in students.items()}
        tests = {way: [self.tested(name, way, rate, seed) for seed in seeds] for way, rate in chosen.items()}
        clean = clean_rows(name)
        rows = [
            {
                "set": name, "way": way, "seeds": list(seeds), "rate": chosen[way],
                "optimiser_steps": self.steps(name, way),
                **{key: mean(students[way][chosen[way]], key) for key in ("cpu_seconds", "epochs", "dev")},
                **_on_test(tests[way], tests[FIRST], tests[LONGER], clean),
            }
            for way in WAYS
        ]  # fmt: skip
        for what in BESIDE:
            found = [self.beside(name, what, seed) for seed in seeds[: 1 if what == "teacher" else None]]
            rows.append({"set": name, "way": what} | _on_test(found, tests[FIRST], tests[LONGER], clean))
        return rows


def _on_test(
    found: Sequence[Mapping[str, Any]],
    first: Sequence[Mapping[str, Any]],
    longer: Sequence[Mapping[str, Any]],
    clean: Sequence[int],
) -> dict[str, Any]:
    """Accuracy on test and on its clean texts, and the gains, in points."""
    hits = np.mean([[int(hit) for hit in cell["right"]] for cell in found], axis=0)
    row = {"test": mean(found, "test"), "clean": round(100 * float(hits[clean].mean()), 2), "n_clean": len(clean)}
    over = {f"{key}_longer": value for key, value in compared(found, longer).items() if key != "n"}
    return row | compared(found, first) | (over if found is not first else {})


def clean_rows(name: str) -> list[int]:
    """The rows of test that neither equal nor nearly equal one of train."""
    leaks = find_leaks(open_named(name), "test")
    assert leaks is not None and leaks.near is not None, "texts are few enough to compare nearly"
    return np.flatnonzero(~(leaks.exact | leaks.near)).tolist()


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
        dev = f"dev {row['dev']:6.2f}" if "dev" in row else " " * 10
        print(f"{row['set']:10} {row['way']:26} {dev}  test {row['test']:6.2f} {gain}")


if __name__ == "__main__":
    main()
