"""XtremeDistil's line for classification: recurrent students of texts, in benchmarks/results/xtremedistil/.

    python -m benchmarks.xtremedistil.text_students sst2 trec --strategies D0-S D1 D4.2 --seeds 13 14 15

writes classification.json: for each data set of $LEANFORMER_DATA the teacher's accuracy, that of its students by
strategy and size, on dev and on test, and how fast the student of the last strategy is, in fp32 and int8, beside the
teacher as it comes out of the box. Teachers are those of benchmarks/ladders/run.py, trained when they are not there.
Students learn from the training texts, which their teachers were trained on, and from unlabelled ones where the data
have some. Each cell is stored when it is made, with its scores on the test texts that are not in train
(`accuracy_clean`, macro-F1 as `f1_clean`, `n_clean`). Students are chosen on dev alone, and test is scored once for
each. A small version, within minutes:

    python -m benchmarks.xtremedistil.text_students trec banking77 --strategies D0-S D4.1 --epochs 2 --texts 1000
    --rounds 1
"""

from __future__ import annotations

import argparse
from collections.abc import Collection
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.ladders.run import TEACHERS, open_named, teacher_of
from benchmarks.paths import RESULTS, WORK
from benchmarks.runtime.latency import WAYS, batch_rates
from benchmarks.xtremedistil.cell_store import Cells
from benchmarks.xtremedistil.student_shelf import Shelf, told
from benchmarks.xtremedistil.vocabularies import VOCABULARIES
from leanformer.answers.forms import score_logits
from leanformer.artifact import Artifact
from leanformer.compress.recurrent.distil import BiLstmStudent
from leanformer.compress.recurrent.strategies import STRATEGIES
from leanformer.data.dataset import Dataset
from leanformer.data.leaks import find_leaks
from leanformer.files import write_json
from leanformer.loading import open_predictor
from leanformer.metrics.classification import confusion, macro_f1
from leanformer.models.predictor import TorchPredictor
from leanformer.predictor import Predictor, logits
from leanformer.runtime.cores import allowed_cores


def drawn(data: Dataset, texts: int | None) -> Dataset:
    """The same data with at most so many training texts, drawn by seed."""
    assert data.train is not None
    if texts is None or texts >= len(data.train):
        return data
    rows = np.random.default_rng(13).permutation(len(data.train))[:texts]
    return replace(data, train=data.train.select(int(i) for i in sorted(rows)))


def accuracies(predictor: Predictor, data: Dataset, leaked: np.ndarray) -> dict[str, Any]:
    """Accuracy in points on dev and on test; and on the test texts that are not `leaked` `[n]`, where macro-F1 is told.

    Each is None where no text is left.
    """
    found: dict[str, Any] = {}
    for name in ("dev", "test"):
        examples = getattr(data, name).for_task(predictor.task)
        values = logits(predictor, examples.inputs)
        accuracy = score_logits(values, examples.targets, predictor.task)
        found[name] = {"accuracy": round(100 * accuracy, 2), "n": len(examples)}
        if name == "test":
            rows = np.flatnonzero(~leaked)
            found |= {"accuracy_clean": None, "f1_clean": None, "n_clean": len(rows)}
            if len(rows):
                clean, labels = values[rows], examples.targets[rows]
                counts = confusion(clean.argmax(axis=1), labels, len(predictor.task.labels))
                found["accuracy_clean"] = round(100 * score_logits(clean, labels, predictor.task), 2)
                found["f1_clean"] = round(100 * macro_f1(counts), 2)
    return found


class Line:
    """One data set: its teacher, its students, and where their figures are kept."""

    def __init__(self, name: str, given: argparse.Namespace) -> None:
        self.name, self.given, self.threads = name, given, allowed_cores()
        whole = open_named(name)
        self.teacher, self.data = teacher_of(name, whole), drawn(whole, given.texts)
        assert self.data.train is not None and self.data.test is not None
        # By the whole of train: the teacher was trained on it, and students of fewer texts answer to the same test.
        leaks = find_leaks(whole, "test", near_letters=0)
        assert leaks is not None
        self.leaked = leaks.exact
        self.shelf = Shelf(given.work / name, given.device, self.threads)
        self.shared = {
            "data": name, "teacher": self.teacher.content_hash[:16], "train": len(self.data.train),
            "unlabelled": len(self.data.unlabelled or ()),
            "repeats": {"test_in_train": int(self.leaked.sum())},
        }  # fmt: skip
        torch.set_num_threads(self.threads)

    def student(self, strategy: str, size: str, seed: int) -> Artifact:
        return self.shelf.student(self.step(strategy, size), self.teacher, self.data, seed)

    def step(self, strategy: str, size: str) -> BiLstmStudent:
        embedding, units = (int(part) for part in size.split("x"))
        return BiLstmStudent(
            strategy=strategy, embedding=embedding, units=units, epochs=self.given.epochs,
            batch_size=self.given.batch_size, learning_rate=self.given.learning_rate, vocabulary=self.given.vocabulary,
        )  # fmt: skip

    def settings(self, strategy: str, size: str, seed: int) -> dict[str, Any]:
        return {**self.shared, "seed": seed, **told(self.step(strategy, size))}

    def of_teacher(self) -> dict[str, Any]:
        """The teacher's own figures."""
        found = accuracies(TorchPredictor(self.teacher), self.data, self.leaked)
        return {"parameters": self.teacher.properties["parameters"], **found}

    def trained(self, strategy: str, size: str, seed: int) -> dict[str, Any]:
        """A student and its figures."""
        made = self.student(strategy, size, seed)
        result = made.history[-1]["result"]
        found = accuracies(TorchPredictor(made), self.data, self.leaked)
        return {
            "parameters": made.properties["parameters"],
            **found,
            "pieces": result["pieces"],
            "fits": result["fits"],
        }

    def speed(self, strategy: str, sizes: list[str], seed: int) -> dict[str, Any]:
        """Graphs of the students of these sizes, timed in turn beside the teacher, and what int8 costs."""
        graphs = {}
        for size in sizes:
            fp32, int8 = self.shelf.graphs(self.student(strategy, size, seed), self.teacher, self.data)
            graphs |= {f"{size} fp32": fp32, f"{size} int8": int8}
        assert self.data.test is not None
        texts = [str(input_) for input_ in self.data.test.inputs[: self.given.timed]]
        rates = batch_rates(self.teacher, graphs, texts, self.shelf.work, self.threads, self.given.rounds)
        each = {
            name: {
                "bytes": graph.bytes,
                **accuracies(open_predictor(graph, threads=self.threads), self.data, self.leaked),
                **{f"times_{way}": round(rates[way][name]["times_teacher"], 2) for way in WAYS},
            }
            for name, graph in graphs.items()
        }  # fmt: skip
        return {"graphs": each, "rates": rates}


def fill(cells: Cells, line: Line, given: argparse.Namespace) -> None:
    """All cells of one data set."""
    cells.get({**line.shared, "strategy": "teacher"}, line.of_teacher)
    for size, strategy, seed in product(given.sizes, given.strategies, given.seeds):
        cells.get(line.settings(strategy, size, seed), partial(line.trained, strategy, size, seed))
    if not given.rounds:
        return
    last, seed = given.strategies[-1], given.seeds[0]
    students = [line.settings(last, size, seed) for size in given.sizes]
    timing = {"timed": given.timed, "rounds": given.rounds, "threads": line.threads, "students": students}
    cells.get(line.shared | timing, partial(line.speed, last, given.sizes, seed))


def current(cell: dict[str, Any], names: Collection[str]) -> bool:
    """Whether a cell stays in the table: one without clean scores gives way where its data set is made again."""
    return "repeats" in cell["settings"] or cell["settings"]["data"] not in names


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    choices = [name for name in TEACHERS if name in ("sst2", "trec", "banking77")]
    parser.add_argument("datasets", nargs="+", choices=choices)
    parser.add_argument("--strategies", nargs="+", choices=STRATEGIES, default=["D0-S", "D1", "D4.2"], metavar="NAME")
    parser.add_argument("--sizes", nargs="+", default=["100x200"], help="embedding x units")
    parser.add_argument("--seeds", type=int, nargs="+", default=[13])
    parser.add_argument("--epochs", type=int, default=10, help="of each fit")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=6e-3, help="of each fit; as xtremedistil.py has it")
    parser.add_argument("--texts", type=int, default=None, help="at most so many training texts")
    parser.add_argument("--rounds", type=int, default=5, help="of timing; 0: none")
    parser.add_argument("--timed", type=int, default=1000, help="texts that are timed")
    parser.add_argument("--vocabulary", choices=VOCABULARIES, default="seen", help="the students' pieces")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--work", type=Path, default=WORK / "xtremedistil" / "texts")
    parser.add_argument("--results", type=Path, default=RESULTS / "xtremedistil")
    given = parser.parse_args()
    result = given.results / "classification.json"
    cells = Cells(given.work / "cells" / "classification", allowed_cores(), result)
    for name in given.datasets:
        fill(cells, Line(name, given), given)
    made = [cell for cell in cells.all() if current(cell, given.datasets)]
    write_json(result, {"table": "classification", "cells": made})
    for cell in made:
        s = cell["settings"]
        if "test" in cell:
            what = [s.get(name) for name in ("data", "strategy", "embedding", "units", "train", "seed")]
            print(*(value for value in what if value is not None), cell["test"]["accuracy"], sep="  ")
        for graph, speed in cell.get("graphs", {}).items():
            print(
                s["data"],
                graph,
                speed["test"]["accuracy"],
                *(f"{way} x{speed[f'times_{way}']}" for way in WAYS),
                sep="  ",
            )


if __name__ == "__main__":
    main()
