"""Early exits beside the same model without: benchmarks/results/family/exits.json.

    python -m benchmarks.family.exits trec sst2
    python -m benchmarks.family.exits trec --bounds 1 5 --rounds 3

reads $LEANFORMER_DATA. MiniLM is fine-tuned; heads behind its layers are distilled from its last one with
compress.exits, and the whole goes to int8. For each of `--bounds`, in per cent of answers that may differ from the last
layer's, export.exits calibrates thresholds on dev; where dev has too few rows for a bound, that is said. Quality is in
per cent. Test is read once, and nothing is chosen by it: `chosen` is the fastest bound whose dev figure is at most half
a point below that without exits.

Everything is timed on our engine with one thread, in rounds in which every model has its turn, with 1, 8 and 32 texts
a call and with all of them at once. `engine` is the time from rows of ids to logits, `whole` that from texts. A speedup
is the median over rounds of the time without exits over the time with them, both of the same round; `low` and `high`
are the least and the largest.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.family.run import THREADS, Families
from benchmarks.ladders.run import TEACHERS, encoder_folder
from benchmarks.paths import RESULTS, WORK
from benchmarks.provenance import provenance
from benchmarks.xtremedistil.cell_store import Cells
from leanformer.artifact import Artifact
from leanformer.combine.exits import CalibrateExits
from leanformer.compress.distil.exits import TrainExits
from leanformer.errors import GateError
from leanformer.exits import read_exits
from leanformer.files import sha256_json, write_json
from leanformer.options import options
from leanformer.predictor import logits
from leanformer.runtime.predictor import LightPredictor
from leanformer.step import Make

RESULT = RESULTS / "family" / "exits.json"
SETS = {"trec": None, "sst2": 16000, "ag_news": 2000}
"""Most training texts of each set; None: all."""
BOUNDS = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0)
CALLS = (1, 8, 32, None)
"""Texts a call; None: all of them."""
POINTS = 0.5
TIMED_TEXTS = 500


class ExitCells:
    """The cells of one data set: its exits, each bound, and their times."""

    def __init__(self, name: str, work: Path, result: Path | None, *, rounds: int, **limits: Any) -> None:
        limits = {"train": SETS.get(name)} | limits
        self.family = Families(name, str(encoder_folder(None)), work, None, members=1, steps=1, **limits)
        self.name, self.rounds = name, rounds
        self.cells = Cells(work / "exit-cells", THREADS, result)

    def step(self, step: Make, source: Artifact, kind: str, seed: int = 13) -> Artifact:
        told = [source.content_hash, step.technique, json.loads(json.dumps(options(step)))]
        folder = self.family.work / "made" / f"{kind}-{sha256_json(told)[:16]}"
        return self.family._made(step, source, folder, seed, self.family.teacher())

    def graph(self) -> tuple[Artifact, dict[str, Any]]:
        """The int8 graph with exits that are not calibrated, and the cell of their training."""
        teacher = self.family.teacher()
        step = TrainExits()
        settings = {"kind": "exits", "set": self.name, "step": options(step), "teacher": teacher.content_hash}

        def made() -> dict[str, Any]:
            return {"exits": self.step(step, teacher, "exits").history[-1]["exits"]}

        cell = self.cells.get(json.loads(json.dumps(settings)), made)
        return self.family.int8(self.step(step, teacher, "exits"), teacher, 13), cell

    def calibrated(self, graph: Artifact, bound: float) -> tuple[Artifact | None, str]:
        """The graph with thresholds for a bound on the answers that change, or None and why there are none."""
        step = CalibrateExits(max_loss=bound)
        try:
            return self.step(step, graph, "calibrated"), ""
        except GateError as error:
            return None, str(error)

    def row(self, graph: Artifact, bound: float) -> dict[str, Any]:
        made, why = self.calibrated(graph, bound)
        if made is None:
            return {"bound": bound, "refused": why}
        exits = read_exits(made)
        predictor = LightPredictor(made, threads=THREADS, engine="native", tuning=False)
        found: dict[str, Any] = {"bound": bound, "thresholds": list(exits.thresholds)}
        calibration = made.history[-1]["calibration"]
        found["calibration"] = {name: calibration[name] for name in ("rows", "limit", "answered")}
        return found | self.quality(predictor)

    def quality(self, predictor: LightPredictor) -> dict[str, Any]:
        """Figures on dev and test, the share of answers that differ from the last layer's, and where texts left."""
        found: dict[str, Any] = {}
        whole = LightPredictor(predictor.artifact, threads=THREADS, engine="native", tuning=False, exits=False)
        for split in ("dev", "test"):
            examples = getattr(self.family.whole, split)
            before = predictor.left_at or []
            ours, theirs = (logits(each, examples.inputs).argmax(axis=1) for each in (predictor, whole))
            found[split] = round(100 * float(np.mean(ours == np.asarray(examples.targets))), 2)
            found[f"{split}_changed"] = round(100 * float(np.mean(ours != theirs)), 2)
            if predictor.left_at is not None:
                counts = [now - then for now, then in zip(predictor.left_at, before, strict=True)]
                found[f"{split}_left"] = [round(count / len(examples), 4) for count in counts]
        return found

    def timed(self, graph: Artifact, bounds: Sequence[float]) -> dict[str, Any]:
        """Seconds per round of the model without exits, then with each bound, for each number of texts a call."""
        models: list[LightPredictor] = [
            LightPredictor(graph, threads=THREADS, engine="native", tuning=False, exits=False)
        ]
        for bound in bounds:
            made, _ = self.calibrated(graph, bound)
            assert made is not None
            models.append(LightPredictor(made, threads=THREADS, engine="native", tuning=False))
        assert self.family.whole.test is not None
        texts = list(self.family.whole.test.inputs)[:TIMED_TEXTS]
        rows = models[0].tokenize(texts)
        found: dict[str, Any] = {"texts": len(texts), "tokens": int(sum(map(len, rows))), "calls": {}}
        for count in CALLS:
            size = count or len(texts)
            parts = [slice(start, start + size) for start in range(0, len(texts), size)]

            def engine(model: LightPredictor, parts: list[slice] = parts) -> None:
                for part in parts:
                    model.infer(rows[part])

            def whole(model: LightPredictor, parts: list[slice] = parts) -> None:
                model.forget_words()
                for part in parts:
                    logits(model, texts[part])

            found["calls"][str(count or "all")] = {
                "engine": rounds_of(models, engine, self.rounds), "whole": rounds_of(models, whole, self.rounds),
            }  # fmt: skip
        return found

    def rows(self, bounds: Sequence[float]) -> dict[str, Any]:
        """Make what is missing, and compare."""
        graph, cell = self.graph()
        settings = {"set": self.name, "graph": graph.content_hash}

        def plain() -> dict[str, Any]:
            return self.quality(LightPredictor(graph, threads=THREADS, engine="native", tuning=False, exits=False))

        without = self.cells.get(settings | {"kind": "without"}, plain)
        rows = [
            self.cells.get(settings | {"kind": "bound", "bound": bound}, lambda bound=bound: self.row(graph, bound))
            for bound in bounds
        ]
        shown = [row for row in rows if "refused" not in row]
        timed_bounds = [row["bound"] for row in shown]
        times = self.cells.get(
            settings
            | {"kind": "times", "bounds": timed_bounds, "rounds": self.rounds, "calls": [str(c) for c in CALLS]},
            lambda: self.timed(graph, timed_bounds),
        )
        chosen = chosen_of(without, shown, times)
        return {
            "set": self.name, "exits": cell["exits"], "train_seconds": cell["seconds"],
            "n": {split: len(getattr(self.family.whole, split)) for split in ("dev", "test")},
            "without": {name: without[name] for name in ("dev", "test")} | {"speed": speed_of(times, 0)},
            "rows": [
                {name: row[name] for name in ROW if name in row}
                | ({} if "refused" in row else {"speed": speed_of(times, 1 + shown.index(row))})
                for row in rows
            ],
            "chosen": None if chosen is None else shown[chosen]["bound"],
        }  # fmt: skip


ROW = (
    "bound", "refused", "thresholds", "calibration", "dev", "test", "dev_changed", "test_changed", "dev_left",
    "test_left",
)  # fmt: skip


def rounds_of(models: Sequence[Any], run: Callable[[Any], None], rounds: int) -> list[list[float]]:
    """Seconds [round][model] of one run each, after one that does not count; who begins changes from round to round."""
    for model in models:
        run(model)
    found = []
    for number in range(rounds):
        taken = [0.0] * len(models)
        for turn in range(len(models)):
            which = (turn + number) % len(models)
            start = time.perf_counter()
            run(models[which])
            taken[which] = round(time.perf_counter() - start, 6)
        found.append(taken)
    return found


def speed_of(times: dict[str, Any], model: int) -> dict[str, Any]:
    """Texts per second of a model, and its speedup over the first, for each number of texts a call."""
    found: dict[str, Any] = {}
    for calls, kinds in times["calls"].items():
        found[calls] = {}
        for kind, rounds in kinds.items():
            seconds = np.array(rounds)
            ratios = seconds[:, 0] / seconds[:, model]
            found[calls][kind] = {
                "per_second": round(times["texts"] / float(np.median(seconds[:, model])), 1),
                "speedup": round(float(np.median(ratios)), 3), "low": round(float(ratios.min()), 3),
                "high": round(float(ratios.max()), 3),
            }  # fmt: skip
    return found


def chosen_of(without: dict[str, Any], shown: Sequence[dict[str, Any]], times: dict[str, Any]) -> int | None:
    """The row that is fastest with one text a call, of those within `POINTS` on dev; None: there is none."""
    fit = [number for number, row in enumerate(shown) if without["dev"] - row["dev"] <= POINTS + 1e-9]
    return max(fit, key=lambda n: float(speed_of(times, 1 + n)["1"]["engine"]["speedup"]), default=None)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", choices=sorted({*SETS, *TEACHERS}), metavar="SET")
    parser.add_argument("--bounds", type=float, nargs="+", default=list(BOUNDS))
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args(arguments)
    for name in given.sets:
        cells = ExitCells(name, WORK / "exits" / name, RESULT, rounds=given.rounds)
        found = cells.rows(given.bounds)
        stored = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {"sets": [], "cells": []}
        sets = sorted(
            [entry for entry in stored["sets"] if entry["set"] != name] + [found], key=lambda entry: entry["set"]
        )
        kept = [cell for cell in stored["cells"] if cell["settings"]["set"] != name]
        ours = [cell for cell in cells.cells.all() if cell["settings"]["set"] == name]
        RESULT.parent.mkdir(parents=True, exist_ok=True)
        about = {"points": POINTS, "cells": kept + ours, **provenance(THREADS)}
        write_json(RESULT, {"sets": sets} | about)
        print(json.dumps({k: v for k, v in found.items() if k != "rows"}, indent=1))
        for row in found["rows"]:
            speeds = {} if "speed" not in row else {c: v["engine"]["speedup"] for c, v in row["speed"].items()}
            print(row["bound"], row.get("dev"), row.get("test"), row.get("test_left"), speeds)


if __name__ == "__main__":
    main()
