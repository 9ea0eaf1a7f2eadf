"""Energy and USD of the rungs of a measured ladder beside what FastFormers published: benchmarks/results/energy.json.

    python -m benchmarks.ladders.energy sst2
    python -m benchmarks.ladders.energy sst2 --country DEU --seconds 90

Meters, one after the other, every rung of benchmarks/results/NAME/{thorough,fastformers}.json whose artifact
benchmarks/ladders/run.py left in its work folder, on the test split of $LEANFORMER_DATA (or --data): a minute each,
about twelve minutes in all. Nothing is trained.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.ladders.quality_cost import artifacts_of
from benchmarks.paths import RESULTS, WORK
from benchmarks.provenance import provenance
from leanformer.artifact import open_artifact
from leanformer.data.dataset import open_dataset
from leanformer.errors import LeanformerError
from leanformer.files import write_json
from leanformer.ladder.entries import Entry, baseline_entries, open_entry
from leanformer.measure.cost import price, usd_per_100m
from leanformer.measure.energy import LEAST_SECONDS, EnergySettings, meter_inference
from leanformer.report import Report
from leanformer.runtime.cores import allowed_cores

LADDERS = ("thorough", "fastformers")
PUBLISHED = {
    "source": "Kim and Hassan Awadalla 2020, FastFormers, arXiv 2010.13382",
    "energy_times_less": [6.9, 125.8],
    "energy_said": "energy consumption reduced 6.9x to 125.8x 'according to the metrics used in the SustaiNLP 2020 "
    "shared task', which are the energy of processing the test data of SuperGLUE tasks, metered by "
    "experiment-impact-tracker (abstract; the task's call)",
    "usd_per_100m": [4223, 18],
    "usd_said": "cost of serving 100 million requests on an Azure F16s_v2 (16 virtual cores, 0.677 USD per hour): "
    "BoolQ, one request at a time, the last of its steps several at once (abstract and table 3)",
    "rows": [
        {"added": "PyTorch BERT-base", "seconds": 734.35, "times": 1.0, "accuracy": 74.01, "usd_per_100m": 4223},
        {"added": "dynamic length", "seconds": 209.29, "times": 3.51, "accuracy": 74.01, "usd_per_100m": 1204},
        {"added": "distilled to 4 layers of 312", "seconds": 22.5, "times": 32.64, "accuracy": 74.04,
         "usd_per_100m": 129},
        {"added": "int8 and graph fusion", "seconds": 9.97, "times": 73.66, "accuracy": 73.43, "usd_per_100m": 57},
        {"added": "several instances", "seconds": 5.68, "times": 129.29, "accuracy": 73.43, "usd_per_100m": 33},
        {"added": "pruned to 9 heads, 900 units", "seconds": 4.11, "times": 178.67, "accuracy": 73.36,
         "usd_per_100m": 24},
        {"added": "pruned to 8 heads, 600 units", "seconds": 3.14, "times": 233.87, "accuracy": 72.81,
         "usd_per_100m": 18},
    ],
}  # fmt: skip
WHAT_DIFFERS = (
    "Task and texts: theirs are SuperGLUE tasks, and their cost is for BoolQ (a question with a passage); ours is one "
    "task with short texts. Their first rung pads to 512 tokens, ours to 128.",
    "Model: theirs is BERT-base (12 layers of width 768), ours MiniLM-L6 (6 layers of width 384). Our layers are "
    "smaller by more than a factor of 7 at the start, so the same ratio is harder to reach.",
    "Energy: theirs was measured with experiment-impact-tracker on their machine, and their range covers several "
    "tasks and settings; ours was obtained with codecarbon for each rung of one ladder. The column `source` says "
    "whether a figure was measured or estimated.",
    "An estimate on a virtual machine models power from load and an assumed maximum, plus a constant for memory, so "
    "its ratios are close to those of time. The ratios of CPU-seconds, which are measured, are reported with it.",
    "Cost: the price per core and hour is the same, but our cost is for the cores used (threads), theirs for a "
    "machine with 16. Our throughput is for many texts at once from the first batched rung on, theirs only in the "
    "last steps.",
    "Energy, CPU-seconds and USD are from a single run of one minute per rung, one rung after the other. The "
    "throughput of the stored ladder is the median of interleaved rounds, and differs from it.",
)


def found_entries(reports: dict[str, Report], work: Path, threads: int) -> list[tuple[str, Entry, float]]:
    """Each rung that can be run again, once: the ladder it is from, the rung, its accuracy on test."""
    teacher = open_artifact(work / "teacher")
    plain = {entry.name: entry for entry in baseline_entries(teacher, threads)}
    seen: set[tuple[str, str]] = set()
    entries = []
    for ladder, report in reports.items():
        artifacts = artifacts_of(report, work / "compress" / "steps") | {"": teacher}
        for rung in report.rungs:
            key = (rung.name if rung.name in plain else "", rung.content_hash)
            if key in seen:
                continue
            seen.add(key)
            if rung.name in plain and rung.content_hash == teacher.content_hash:
                entries.append((ladder, plain[rung.name], rung.quality))
            elif rung.name in artifacts:
                entries.append((ladder, open_entry(rung.name, rung.after, artifacts[rung.name], threads), rung.quality))
            else:
                print(f"left out: {rung.name} of {ladder}: its artifact is gone", file=sys.stderr)
    return entries


def row(ladder: str, entry: Entry, accuracy: float, texts: Any, settings: EnergySettings, usd: float) -> dict[str, Any]:
    """What one rung takes for its texts; metered for less than a minute it has no energy."""
    energy = meter_inference(entry.predictor, texts, settings)
    assert energy.texts is not None
    rate = energy.texts / energy.wall_seconds
    carbon = energy.carbon_grams
    return {
        "ladder": ladder, "name": entry.name, "content_hash": entry.artifact.content_hash, "runtime": entry.runtime,
        "accuracy": accuracy, "status": energy.status, "method": energy.method, "texts": energy.texts,
        "wall_seconds": energy.wall_seconds, "parts": energy.parts, "joules_per_1000": energy.joules_per_1000,
        "carbon_grams_per_1000": None if carbon is None else 1000 * carbon / energy.texts,
        "cpu_seconds_per_1000": 1000 * energy.cpu_seconds / energy.texts, "texts_per_second": rate,
        "usd_per_100m": usd_per_100m(rate, usd),
    }  # fmt: skip


def times_less(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with how many times less each takes than the first, for energy, CPU-seconds and USD."""
    first = rows[0]

    def ratio(one: dict[str, Any], key: str) -> float | None:
        return None if one[key] is None or first[key] is None else first[key] / one[key]

    keys = {"energy": "joules_per_1000", "cpu_seconds": "cpu_seconds_per_1000", "usd": "usd_per_100m"}
    return [rung | {f"{name}_times_less": ratio(rung, key) for name, key in keys.items()} for rung in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("--data", help="its folder; default: in $LEANFORMER_DATA")
    parser.add_argument(
        "--work", type=Path, help="where benchmarks/ladders/run.py worked; default: benchmarks/work/NAME"
    )
    parser.add_argument("--seconds", type=float, default=LEAST_SECONDS, help="for each rung; less gives no energy")
    parser.add_argument("--country", help="three letters: counts the carbon of its grid")
    parser.add_argument("--texts", type=int, help="only so many test texts")
    parser.add_argument("--threads", type=int, default=allowed_cores())
    parser.add_argument("--output", type=Path, default=RESULTS / "energy.json")
    arguments = parser.parse_args()
    name = arguments.dataset
    settings = EnergySettings(arguments.country, arguments.seconds)
    work = arguments.work or WORK / name
    paths = {ladder: RESULTS / name / f"{ladder}.json" for ladder in LADDERS}
    reports = {ladder: Report.read(path) for ladder, path in paths.items() if path.is_file()}
    if not reports:
        raise LeanformerError(f"no ladder of {name} is stored\n  remedy: python -m benchmarks.ladders.run {name}")
    entries = found_entries(reports, work, arguments.threads)
    folder = arguments.data or str(Path(os.environ["LEANFORMER_DATA"], name))
    data = open_dataset(folder, labels=entries[0][1].artifact.task.labels)
    assert data.test is not None
    texts = data.test.inputs[: arguments.texts]
    cost = price(None, arguments.threads)
    rows = []
    for ladder, entry, accuracy in entries:
        rows.append(row(ladder, entry, accuracy, texts, settings, cost["usd_per_hour"]))
        print(f"{entry.name}: {rows[-1]['joules_per_1000']} J, {rows[-1]['cpu_seconds_per_1000']:.2f} CPU-s, "
              f"{rows[-1]['usd_per_100m']:.2f} USD/100M", flush=True)  # fmt: skip
    result = {
        "dataset": name, "n": len(texts), **provenance(arguments.threads), "price": cost,
        "settings": asdict(settings), "rungs": times_less(rows), "published": PUBLISHED,
        "what_differs": list(WHAT_DIFFERS),
    }  # fmt: skip
    write_json(arguments.output, result)


if __name__ == "__main__":
    try:
        main()
    except LeanformerError as error:
        sys.exit(f"error: {error}")
