"""Sequence mixers, measured alike: benchmarks/results/atlas/sequences.json.

    python -m benchmarks.atlas.sequences
    python -m benchmarks.atlas.sequences --only performer nystrom --seeds 13
    python -m benchmarks.atlas.sequences --parts times
    python -m benchmarks.atlas.sequences --quick

reads $LEANFORMER_DATA, but for `--quick`. Quality is accuracy on test of a model of two layers and a width of 128
from random weights, with the same number of parameters, steps and batches for every kind of attention: nested lists
(made by `tasks.py`, up to 128 tokens), 20newsgroups at 256 words, movie_reviews at 512. Its interval is a paired
bootstrap of the difference to softmax attention. The learning rate is fixed beforehand, and no dev split chooses
anything. Times and memory are those of one layer's attention (`timing.py`), one thread.

Each cell is stored when it is made, so a killed run goes on. `--quick` runs every kind at toy size, which says nothing
of quality or time, in seconds, and writes below benchmarks/work/.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from benchmarks.atlas.cells import Unrecorded, write_table
from benchmarks.atlas.entries import Technique, read_atlas
from benchmarks.atlas.table import about, compared, overtakes, slope, verdict
from benchmarks.atlas.tasks import LISTS, TEXTS, Task, nested_lists, texts
from benchmarks.atlas.timing import LENGTHS, timed
from benchmarks.atlas.training import Sizes, parameters, right, shape, trained
from benchmarks.paths import RESULTS, ROOT, WORK
from benchmarks.xtremedistil.cell_store import Cells
from leanformer.files import sha256_json
from leanformer.shapes.attention import KINDS

BENCH, CONTROL, SEEDS, SETS = "sequences", "softmax", (13, 14, 15), (LISTS, *TEXTS)
SIZES = Sizes(steps={LISTS: 400, "20newsgroups": 150, "movie_reviews": 60})
QUICK = Sizes(steps={LISTS: 3}, hidden=32, ffn=64, batch=4)


class Sequences:
    """The cells of the bench.

    Args:
        work: where cells are kept. result: the table's file. quick: toy sizes, in this process.
    """

    def __init__(self, work: Path, result: Path, *, quick: bool = False) -> None:
        self.result, self.quick, self.sizes = result, quick, QUICK if quick else SIZES
        self.cells = (Unrecorded if quick else Cells)(work, 1, result)
        self._tasks: dict[str, Task] = {}
        torch.set_num_threads(1)

    def task(self, name: str) -> Task:
        """A task, made when it is first asked for."""
        if name not in self._tasks:
            rows = self.sizes.steps[name] * self.sizes.batch
            lists = name == LISTS
            sizes = (12, 12, 24) if self.quick else (rows, 1000)
            self._tasks[name] = nested_lists(*sizes) if lists else texts(name)
        return self._tasks[name]

    def options(self, technique: Technique) -> dict[str, Any]:
        """The options of the kind: the usual ones, or those for texts of a few tokens."""
        return asdict(KINDS[technique.kind](**(technique.toy if self.quick else {})))  # type: ignore[call-overload]

    def quality(self, technique: Technique, name: str, seed: int) -> dict[str, Any]:
        """The cell of one training."""
        task, options = self.task(name), self.options(technique)
        settings = {
            "part": "quality", "kind": technique.kind, "options": options, "set": name, "seed": seed,
            "sizes": asdict(self.sizes) | {"steps": self.sizes.steps[name]},
            "data": sha256_json([task.length, task.train, task.test])[:16],
        }  # fmt: skip

        def made() -> dict[str, Any]:
            config = shape(task, self.sizes, technique.kind, options)
            model, seconds = trained(config, task, self.sizes, seed)
            return {
                "right": right(model, task.test), "train_cpu_seconds": round(seconds, 1),
                "parameters": parameters(config), "ffn": config.layers[0].ffn,
                "flops": config.shape().flops(1, task.length), "tokens": task.length,
            }  # fmt: skip

        return self.cells.get(settings, made)

    def times(self, technique: Technique) -> dict[str, Any]:
        """The cell of times and memory at all lengths."""
        options = dict(technique.toy) if self.quick else {}
        lengths = (16, 32, 64) if self.quick else LENGTHS
        settings = {"part": "times", "kind": technique.kind, "options": options, "lengths": list(lengths)}

        def made() -> dict[str, Any]:
            if self.quick:
                return {"times": timed(technique.kind, options, lengths, width=32, heads=4, seconds=0.0)}
            command = [sys.executable, "-m", "benchmarks.atlas.timing", technique.kind]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(f"{technique.kind}: {done.stderr}")
            return {"times": json.loads(done.stdout.splitlines()[-1])}

        return self.cells.get(settings, made)

    def write(self, techniques: Sequence[Technique]) -> list[dict[str, Any]]:
        """Store the table of all cells made so far; its rows."""
        return write_table(self.result, self.cells, lambda cells: table(techniques, cells))


def table(techniques: Sequence[Technique], cells: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each technique and set that has been measured, and one without a set where there are times alone."""
    by_kind: dict[str, dict[str, dict[int, Mapping[str, Any]]]] = {}
    times: dict[str, list[dict[str, Any]]] = {}
    for cell in cells:
        told = cell["settings"]
        if told["part"] == "times":
            times[told["kind"]] = cell["times"]
        else:
            by_kind.setdefault(told["kind"], {}).setdefault(told["set"], {})[told["seed"]] = cell
    rows, controls = [], by_kind.get(CONTROL, {})
    for technique in techniques:
        start = about(technique, CONTROL) | _timed(times.get(technique.kind, []), times.get(CONTROL, []))
        sets = {
            name: own for name, own in by_kind.get(technique.kind, {}).items() if set(own) & set(controls.get(name, {}))
        }
        rows += [start | _measured(own, controls[name], technique.kind) | {"set": name} for name, own in sets.items()]
        if not sets and technique.kind in times:
            rows.append(start | {"set": None})
    return rows


def _measured(
    own: Mapping[int, Mapping[str, Any]], control: Mapping[int, Mapping[str, Any]], kind: str
) -> dict[str, Any]:
    found = compared(*({seed: cell["right"] for seed, cell in each.items()} for each in (own, control)))
    first = next(iter(own.values()))
    found |= {key: first[key] for key in ("parameters", "ffn", "flops", "tokens")} | {"bytes": 4 * first["parameters"]}
    found["train_cpu_seconds"] = round(sum(cell["train_cpu_seconds"] for cell in own.values()) / len(own), 1)
    return found | {"verdict": None if kind == CONTROL else verdict(found["low"], found["high"])}


def _timed(times: Sequence[Mapping[str, Any]], control: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    last = next((line for line in reversed(times) if line["ms"]), None)
    return {
        "engine": "PyTorch", "times": list(times), "slope": slope(times), "overtakes": overtakes(times, control),
        "infer_tokens": last and last["tokens"], "infer_ms": last and last["ms"], "peak_mb": last and last["peak_mb"],
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    techniques = [technique for technique in read_atlas().bench(BENCH) if technique.code]
    kinds = [technique.kind for technique in techniques]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", choices=kinds, default=kinds, metavar="KIND", help="softmax runs with them"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="SET")
    parser.add_argument("--parts", nargs="+", choices=("times", "quality"), default=["quality", "times"])
    parser.add_argument("--quick", action="store_true", help="every kind at toy size, in seconds")
    given = parser.parse_args(arguments)
    if given.quick:
        given.sets, given.seeds = [LISTS], [13]
    work = WORK / "atlas" / ("quick" if given.quick else BENCH)
    result = work / "quick.json" if given.quick else RESULTS / "atlas" / f"{BENCH}.json"
    bench = Sequences(work / "cells", result, quick=given.quick)
    chosen = [technique for technique in techniques if technique.kind in {CONTROL, *given.only}]
    for seed in given.seeds if "quality" in given.parts else ():
        for name in given.sets:
            for technique in chosen:
                bench.quality(technique, name, seed)
            bench.write(techniques)
    for technique in chosen if "times" in given.parts else ():
        bench.times(technique)
    for row in bench.write(techniques):
        gain = (
            f"{row['difference']:+6.2f} ({row['low']:+.2f} to {row['high']:+.2f}) {row['verdict']}"
            if row["set"]
            else ""
        )
        print(f"{row['technique']:36} {row['set'] or '-':14} {gain} slope {row['slope']} overtakes {row['overtakes']}")


if __name__ == "__main__":
    main()
