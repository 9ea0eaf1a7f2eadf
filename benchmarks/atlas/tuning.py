"""Ways of fine-tuning, measured alike: benchmarks/results/atlas/tuning.json.

    python -m benchmarks.atlas.tuning
    python -m benchmarks.atlas.tuning --only lora houlsby --sets trec --seeds 13
    python -m benchmarks.atlas.tuning --quick

reads $LEANFORMER_DATA, but for `--quick`. MiniLM is trained in each way for the same steps on the same batches of 16
rows: trec with 20 rows of each class, banking77 with 8, sst2 whole. A seed draws the rows, the head and the order. The
control is full fine-tuning. The learning rate of each technique is the best on dev (200 other rows of train, or the
set's own) of the few in `atlas.yaml`, with the first seed, and is kept for the others. Test, 1,000 rows at most, is
read once by the model of that rate, merged where the technique merges. Its interval is a paired bootstrap of the
difference to the control over rows. One thread; each cell is a process, so that its peak of memory is its own.

Each cell is stored when it is made, so a killed run goes on. `--quick` runs every technique on a tiny model, which says
nothing of quality or time, in seconds, and writes below benchmarks/work/.
"""

from __future__ import annotations

import argparse
import inspect
import multiprocessing
import resource
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.atlas.cells import Unrecorded, write_table
from benchmarks.atlas.entries import Technique, read_atlas
from benchmarks.atlas.finetuned import Start, fine_tune, right, start, toy_start
from benchmarks.atlas.table import about, compared, verdict
from benchmarks.atlas.tasks import LISTS
from benchmarks.ladders.run import data_folder
from benchmarks.paths import RESULTS, WORK
from benchmarks.xtremedistil.cell_store import Cells
from leanformer.data.dataset import open_dataset
from leanformer.train.adapters.adapter import Adapter
from leanformer.train.adapters.kinds import ADAPTERS, adapter
from leanformer.train.adapters.maps import HEAD
from leanformer.train.hooks.hook import Hook, Run
from leanformer.train.objectives.objective import LabelLoss, ObjectivePart, Supervised

BENCH, CONTROL, SEEDS = "tuning", "full", (13, 14, 15)
# Set -> rows of each class, None for all, and optimiser steps.
SETS: dict[str, tuple[int | None, int]] = {"trec": (20, 60), "banking77": (8, 120), "sst2": (None, 2000)}
TOY_STEPS, COUNTED = 4, 16  # steps of a toy cell; tokens of the text whose operations are counted


def made(technique: Technique, options: Mapping[str, Any], begun: Start) -> Adapter | None:
    """The adapter of a technique; None for the whole model."""
    if technique.kind == CONTROL:
        return None
    if technique.kind in ADAPTERS:
        return adapter(technique.kind)
    module, _, name = technique.code.partition(":")
    kind = getattr(import_module(module), name)
    data = {"data": begun.train} if "data" in inspect.signature(kind).parameters else {}
    return kind(**data, **options)  # type: ignore[no-any-return]


def measured(technique: Technique, told: Mapping[str, Any]) -> dict[str, Any]:
    """The cell of one technique, set and seed: every rate scored on dev, and the best one's answers on test."""
    torch.set_num_threads(1)
    begun = toy_start(told["seed"]) if told["quick"] else start(told["set"], told["per_class"], told["seed"])
    dev, best, seconds = dict[str, float](), None, list[float]()
    for rate in told["rates"]:
        model, own = begun.make(told["seed"]), made(technique, told["options"], begun)
        objective, sizes = Supervised(LabelLoss("label")), Counted(own)
        seconds.append(fine_tune(
            model, begun, rate=rate, steps=told["steps"], seed=told["seed"], adapter=own,
            objective=own.around(objective) if isinstance(own, ObjectivePart) else objective,
            hooks=[sizes, *([own] if isinstance(own, Hook) else [])],
        ))  # fmt: skip
        score = right(model, begun.dev)
        dev[str(rate)] = round(100 * score.count("1") / len(score), 2)
        if best is None or dev[str(rate)] > dev[str(best[0])]:
            best = rate, model, sizes
    assert best is not None
    began = time.process_time()
    answers = right(best[1], begun.test)
    infer = time.process_time() - began
    return {
        "rate": best[0], "dev": dev, "right": answers, **best[2].found, "merges": own is None or own.merges,
        "parameters": sum(parameter.numel() for parameter in best[1].parameters()), "flops": operations(best[1]),
        "train_cpu_seconds": round(float(np.mean(seconds)), 2),
        "step_ms": round(1000 * float(np.mean(seconds)) / told["steps"], 2),
        "infer_ms": round(1000 * infer / len(answers), 3),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }  # fmt: skip


class Counted(Hook):
    """Counts before the first step: parameters of the head, those that are trained beside it, bytes of a task."""

    name = "counted"

    def __init__(self, adapter: Adapter | None) -> None:
        self.adapter, self.found = adapter, dict[str, int]()

    def begin(self, run: Run) -> None:
        head = sum(p.numel() for name, p in run.model.named_parameters() if name.startswith(HEAD))
        whole = sum(p.numel() for p in run.model.parameters())
        own = self.adapter
        self.found = {
            "head": head, "trained": (whole if own is None else own.trained_parameters(run.model)) - head,
            "task_bytes": 4 * whole if own is None else own.task_bytes(run.model),
        }  # fmt: skip


def operations(model: torch.nn.Module) -> int:
    """Floating point operations of a text of `COUNTED` tokens, by PyTorch's counter."""
    model.requires_grad_(False)  # the counter follows gradients otherwise
    ids = torch.full((1, COUNTED), 5)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.eval()(ids, torch.ones_like(ids))
    return int(counter.get_total_flops())


class Tuning:
    """The cells of the bench.

    Args:
        work: where cells are kept. result: the table's file. quick: toy sizes, in this process.
    """

    def __init__(self, work: Path, result: Path, *, quick: bool = False) -> None:
        self.result, self.quick = result, quick
        self.cells = (Unrecorded if quick else Cells)(work, 1, result)

    def quality(self, technique: Technique, name: str, seed: int) -> dict[str, Any]:
        """The cell of one technique, set and seed."""
        if self.quick:
            rates = technique.rates[:1]
        else:
            first = seed == SEEDS[0]
            rates = technique.rates if first else (self.quality(technique, name, SEEDS[0])["rate"],)
        settings = {
            **asked(technique, name), "seed": seed, "rates": list(rates), "quick": self.quick,
            "data": "toy" if self.quick else content(name),
        }  # fmt: skip
        return self.cells.get(
            settings, lambda: measured(technique, settings) if self.quick else apart(technique, settings)
        )

    def write(self, techniques: Sequence[Technique]) -> list[dict[str, Any]]:
        """Store the table of all cells made so far; its rows."""
        return write_table(self.result, self.cells, lambda cells: table(techniques, cells))


def asked(technique: Technique, name: str) -> dict[str, Any]:
    """What all seeds of a technique and set have in common; cells of other options or steps are not in the table."""
    toy = name == LISTS
    per_class, steps = (None, TOY_STEPS) if toy else SETS[name]
    return {
        "kind": technique.kind, "options": dict(technique.toy if toy else technique.options), "set": name,
        "per_class": per_class, "steps": steps,
    }  # fmt: skip


@cache
def content(name: str) -> str:
    """Hash of a data set."""
    return open_dataset(data_folder(name), carve=False).content_hash


def apart(technique: Technique, told: Mapping[str, Any]) -> dict[str, Any]:
    """`measured` in a process of its own; imports are made once for all of them, where the system can fork."""
    can_fork = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if can_fork else "spawn")
    if can_fork:
        context.set_forkserver_preload(["benchmarks.atlas.finetuned"])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(measured, technique, told).result()


def table(techniques: Sequence[Technique], cells: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each technique and set that has been measured with a seed of the control's."""
    found: dict[tuple[str, str], dict[int, Mapping[str, Any]]] = {}
    by_kind = {technique.kind: technique for technique in techniques}
    for cell in cells:
        told = cell["settings"]
        technique = by_kind.get(told["kind"])
        if technique is not None and asked(technique, told["set"]).items() <= told.items():
            found.setdefault((told["kind"], told["set"]), {})[told["seed"]] = cell
    rows = []
    for name in sorted({name for _, name in found}, key=[*SETS, LISTS].index):
        control = found.get((CONTROL, name), {})
        for technique in techniques:
            own = found.get((technique.kind, name), {})
            if set(own) & set(control):
                rows.append(about(technique, CONTROL) | {"set": name} | _row(own, control, technique.kind))
    return rows


def _row(own: Mapping[int, Mapping[str, Any]], control: Mapping[int, Mapping[str, Any]], kind: str) -> dict[str, Any]:
    row = compared(*({seed: cell["right"] for seed, cell in each.items()} for each in (own, control)))
    first = own[min(own)]
    row |= {"per_class": first["settings"]["per_class"], "steps": first["settings"]["steps"], "engine": "PyTorch"}
    row |= {
        key: first[key] for key in ("parameters", "head", "trained", "task_bytes", "merges", "flops", "rate", "dev")
    }
    row["bytes"] = 4 * first["parameters"]
    for key in ("train_cpu_seconds", "step_ms", "infer_ms"):
        row[key] = round(float(np.mean([cell[key] for cell in own.values()])), 3)
    row["peak_mb"] = max(cell["peak_mb"] for cell in own.values())
    return row | {"verdict": None if kind == CONTROL else verdict(row["low"], row["high"])}


def main(arguments: Sequence[str] | None = None) -> None:
    techniques = [technique for technique in read_atlas().bench(BENCH) if technique.code]
    kinds = [technique.kind for technique in techniques]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", choices=kinds, default=kinds, metavar="KIND", help="in this order; full first"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="SET")
    parser.add_argument("--quick", action="store_true", help="every technique on a tiny model, in seconds")
    given = parser.parse_args(arguments)
    if given.quick:
        given.sets, given.seeds = [LISTS], [13]
    work = WORK / "atlas" / ("quick-tuning" if given.quick else BENCH)
    result = work / "quick.json" if given.quick else RESULTS / "atlas" / f"{BENCH}.json"
    bench = Tuning(work / "cells", result, quick=given.quick)
    for name in given.sets:
        for seed in given.seeds:
            for kind in dict.fromkeys((CONTROL, *given.only)):
                bench.quality(techniques[kinds.index(kind)], name, seed)
                bench.write(techniques)
    for row in bench.write(techniques):
        print(
            f"{row['technique']:36} {row['set']:14} {row['quality']:6.2f} {row['difference']:+6.2f} "
            f"({row['low']:+.2f} to {row['high']:+.2f}) {row['verdict'] or 'the control'}; {row['trained']:,} trained, "
            f"{row['step_ms']:.0f} ms a step, rate {row['rate']:g}"
        )


if __name__ == "__main__":
    main()
