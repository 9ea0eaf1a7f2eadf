"""The students that ship beside their teacher, in int8 on our engine: benchmarks/results/students/summary.json.

    python -m benchmarks.students.summary trec

takes the students that `benchmarks.students.copies` left in benchmarks/work, of the way that is best on dev, makes int8
models of them, and reads test once more, now with the engine that will run them. A row: points lost against the teacher
(mean over seeds, paired bootstrap interval over texts, the seeds of a text together), `speedup` over the teacher in
PyTorch one text at a time, padded, and `over_batched` over it in batches by length, of the first seed's model, medians
of rounds in turn. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.ladders.run import open_named
from benchmarks.paths import RESULTS, WORK
from benchmarks.provenance import provenance, watch
from benchmarks.students.copies import BESIDE, Sizes, Table, clean_rows
from benchmarks.students.starts import right
from leanformer.answers.forms import form_of
from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.data.dataset import Dataset
from leanformer.errors import LeanformerError
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.files import remove_folder, write_json
from leanformer.ladder.entries import baseline_entries, open_entry
from leanformer.ladder.ladder import measure_ladder
from leanformer.measure.speed import SpeedSettings
from leanformer.metrics.bootstrap import interval
from leanformer.step import Context

RESULT = RESULTS / "students" / "summary.json"
COPIES = RESULTS / "students" / "copies.json"


def chosen(name: str) -> dict[str, Any]:
    """The row of the way that is best on dev. Raises `LeanformerError` if there is none for this set."""
    rows = json.loads(COPIES.read_text(encoding="utf-8"))["summary"] if COPIES.is_file() else []
    ways = [row for row in rows if row["set"] == name and row["way"] not in BESIDE]
    if not ways:
        raise LeanformerError(f"{COPIES}: no students of {name}\n  remedy: python -m benchmarks.students.copies first")
    best: dict[str, Any] = max(ways, key=lambda row: row["dev"])
    return best


def shipped(table: Table, name: str, way: str, rate: float, seed: int, data: Dataset) -> Artifact:
    """The student in int8, made now or found."""
    student = table.distilled(name, way, rate, seed)
    folder = student.path.with_name(f"{student.path.name}-int8")
    if is_artifact(folder):
        return open_artifact(folder)
    made = student
    for step, place in ((Onnx(), folder.with_name(f"{student.path.name}-onnx")), (Int8(), folder)):
        remove_folder(place)
        work = table.work / "running" / place.name
        context = Context(
            data, {"teacher": table.teacher(name)}, work, work.with_name(f"{place.name}-cache"), seed=seed,
            threads=table.threads, say=lambda line: print(line, flush=True),
        )  # fmt: skip
        made = step(made, context, place)
        for done in (context.work, context.cache):
            remove_folder(done)
    return made


def row(table: Table, name: str, speed: SpeedSettings) -> dict[str, Any]:
    """One data set."""
    begun, best, data = watch(), chosen(name), open_named(name)
    assert data.test is not None
    way, seeds = best["way"], best["seeds"]
    models = [shipped(table, name, way, best["rate"], seed, data) for seed in seeds]
    teacher = table.teacher(name)
    theirs = right(teacher, data.test).astype(float)
    lost = theirs - np.mean([right(model, data.test) for model in models], axis=0)
    low, high = interval(lambda rows: 100 * float(lost[rows].mean()), len(lost))
    clean = clean_rows(name)
    entries = baseline_entries(teacher, table.threads)
    entries.append(open_entry("student", entries[0].name, models[0], table.threads))
    report = measure_ladder(
        entries, data, title=name, metric=form_of(data.task).metric, threads=table.threads, speed=speed, memory=False,
        say=lambda line: print(line, flush=True),
    )  # fmt: skip
    rung = report.rungs[-1]
    return {
        "set": name, "metric": rung.metric, "n": len(lost), "seeds": seeds, "way": way, "teacher": float(theirs.mean()),
        "lost": round(100 * float(lost.mean()), 2), "lost_low": round(low, 2), "lost_high": round(high, 2),
        "lost_clean": round(100 * float(lost[clean].mean()), 2), "n_clean": len(clean),
        "speedup": round(rung.speedup, 1),
        "over_batched": None if rung.over_batched is None else round(rung.over_batched, 1),
        "texts_per_second": round(rung.throughput_median, 1), "p50_ms": round(rung.latency_ms_p50, 3),
        "bytes": rung.bytes, "worst_class": rung.worst_class, "worst_class_recall": rung.worst_class_recall,
        "engine": rung.engine, "command": shlex.join(["python", "-m", "benchmarks.students.summary", *sys.argv[1:]]),
        **provenance(table.threads, begun),
    }  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    sizes = Sizes()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", choices=list(sizes.steps), metavar="SET")
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(arguments)
    table = Table(WORK / "copies", WORK, COPIES, sizes)
    for name in given.sets:
        made = row(table, name, SpeedSettings(rounds=given.rounds))
        kept = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else []
        write_json(
            RESULT, sorted([*(entry for entry in kept if entry["set"] != name), made], key=lambda entry: entry["set"])
        )
        print({key: made[key] for key in ("set", "way", "lost", "lost_low", "lost_high", "speedup", "over_batched")})


if __name__ == "__main__":
    main()
