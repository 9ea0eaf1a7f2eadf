"""A search against fixed recipes, and halving against whole trainings: benchmarks/results/search/<data set>.json.

    python -m benchmarks.searches.run sst2
    python -m benchmarks.searches.run banking77 --trials 40 --sampler random

The space is benchmarks/recipes/search-<data set>.yaml, or search.yaml where there is none. It is searched once, every
trial in full; then what halving would have done to the same trials is replayed (`replay.py`), which runs them on
smaller shares besides. Then the front, `quick` and `fastformers` are measured together on test, in turn; the fixed
recipes are found in the ladder's work folder (benchmarks/ladders/run.py) where it made them, and made there where it
did not. Everything is kept in benchmarks/work/, so a killed run goes on: run the same command again.

Trials train on some thousands of texts (`TEXTS`; of SST-2 whole sentences), so that one takes a minute, not ten. The
teacher and the fixed recipes had all, of SST-2 the phrases too.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks.paths import RECIPES, RESULTS, WORK
from benchmarks.provenance import provenance
from benchmarks.searches.replay import Ran, cpu_seconds, front, ran_as_far_as_halved, rungs_run
from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset, open_dataset
from leanformer.errors import LeanformerError
from leanformer.files import write_json
from leanformer.ladder.entries import Entry, baseline_entries, open_entry
from leanformer.ladder.ladder import measure_ladder
from leanformer.ladder.splits import prepare
from leanformer.machine import fingerprint
from leanformer.measure.speed import SpeedSettings
from leanformer.metrics.pareto import dominates, hypervolume
from leanformer.recipe.library import find_recipe
from leanformer.runtime.cores import allowed_cores
from leanformer.search.jobs.local import SPEED, JobRunner
from leanformer.search.run import Searched, search
from leanformer.search.space.goals import Goals
from leanformer.search.space.halving import share_of_data
from leanformer.search.space.read import read_space
from leanformer.search.space.space import Space
from leanformer.search.study.budget import SearchBudget
from leanformer.search.study.record import chosen_from

FIXED = ("quick", "fastformers")
# What trials train on, where it is not what the teacher did: other files, and so many texts of them, drawn by the seed.
SEARCHED = {"sst2": {"train": "train"}}
TEXTS = {"sst2": 2000, "banking77": 2000}
HOW = (
    "one search of whole trainings; halving is replayed on its trials, each of which was run on the smaller shares "
    "too, as far as halving lets it go; trials that failed in full are left out of both. CPU-seconds count a step that "
    "trials share once, in either way"
)


def compare(
    data: Dataset,
    teacher: Artifact,
    space: Space,
    work: Path,
    *,
    trials: int,
    fixed_data: Dataset | None = None,
    fixed_work: Path | None = None,
    sampler: str = "tpe",
    seed: int = 13,
    threads: int = 1,
    speed: SpeedSettings = SPEED,
    final_speed: SpeedSettings | None = None,
    fixed: tuple[str, ...] = FIXED,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """The search, halving replayed on it, and the fixed recipes; what of it is worth keeping, as JSON.

    `fixed_data`, `fixed_work`: what the fixed recipes train on and where their steps lie; default: as the trials.
    """
    assert space.halving is not None
    final_speed = SpeedSettings() if final_speed is None else final_speed
    whole = replace(space, halving=None, document=dict(space.document or {}) | {"halving": None})
    found = search(
        whole, str(teacher.path), data, work / "whole", budget=SearchBudget(trials=trials), sampler=sampler, seed=seed,
        threads=threads, speed=speed, final_speed=final_speed, say=say,
    )  # fmt: skip
    prepared = prepare(data, teacher, seed=seed, threads=threads)
    seen = replace(prepared.data, test=None)
    runner = JobRunner(teacher, seen, work / "whole.work", threads, speed=speed, say=say)
    ran = ran_as_far_as_halved(space, found.record, runner, work / "rungs", seed, say)
    theirs = replace(prepare(fixed_data or data, teacher, seed=seed, threads=threads).data, test=None)
    makers = JobRunner(teacher, theirs, fixed_work or work / "fixed", threads, speed=speed, say=say)
    entries, notes = _entries(makers, found, fixed, seed, threads)
    report = measure_ladder(
        entries, prepared.data, title=f"{space.name} on {data.name}", metric=prepared.metric, threads=threads,
        speed=final_speed, memory=False, seed=seed, notes=notes, say=say,
    )  # fmt: skip
    return {
        "data": data.name,
        "machine": fingerprint(threads),
        "how": HOW,
        "trials": trials,
        "sampler": sampler,
        "seed": seed,
        "space": space.document,
        "search": _summary(found),
        "halving": compared(space, ran),
        "on_test": [
            {key: getattr(rung, key) for key in ("name", "runtime", "dev_quality", "quality", "quality_low",
             "quality_high", "drop", "latency_ms_p50", "latency_ms_p95", "throughput_per_second", "bytes")}
            for rung in report.rungs
        ],
        "speed": asdict(final_speed),
        "notes": list(report.notes),
    }  # fmt: skip


def _entries(
    runner: JobRunner, found: Searched, fixed: tuple[str, ...], seed: int, threads: int
) -> tuple[list[Entry], list[str]]:
    """The teacher in PyTorch, the last step of each fixed recipe, and the front."""
    entries, notes = baseline_entries(runner.teacher, threads), []
    first = entries[-1].name
    for name in fixed:
        job = {"recipe": find_recipe(name).to_json(), "share": 1.0, "over": None, "seed": seed}
        try:
            entries.append(open_entry(name, first, runner.make(job), threads))
        except LeanformerError as error:
            notes.append(f"{name} could not be run to its end: {error}")
    for number, artifact in found.front.items():
        entries.append(open_entry(f"trial {number}", first, artifact, threads))
    return entries, notes


def _summary(found: Searched) -> dict[str, Any]:
    """A search without what its own report has in full."""
    record = found.record
    kept = ("ended", "spent", "counts", "expected", "predictor", "table", "teacher_quality", "trials")
    shown = {key: record.get(key) for key in kept}
    return shown | {"front_on_dev": record["front"], "chosen_from": chosen_from(record)}


def compared(space: Space, ran: dict[int, list[Ran]]) -> dict[str, Any]:
    """How much of the whole search's front halving found, on dev, and for how much of its compute."""
    goals, halving = space.goals, space.halving
    assert halving is not None
    counts = rungs_run(goals, halving, [[rung.figures for rung in rungs] for rungs in ran.values()])
    finished = [number for number, count in zip(ran, counts, strict=True) if count == len(halving.shares)]
    all_figures = {number: rungs[-1].figures or {} for number, rungs in ran.items()}
    fronts = {
        "halving": front(goals, {number: all_figures[number] for number in finished}),
        "whole": front(goals, all_figures),
    }
    spent = {
        "halving": cpu_seconds(
            [rung for rungs, count in zip(ran.values(), counts, strict=True) for rung in rungs[:count]]
        ),
        "whole": cpu_seconds([rungs[-1] for rungs in ran.values()]),
    }
    ours, theirs = ([goals.costs(all_figures[number]) for number in numbers] for numbers in fronts.values())
    return {
        "shares": list(halving.shares),
        "over": halving.over,
        "trials": len(ran),
        "rungs_run": {str(number): count for number, count in zip(ran, counts, strict=True)},
        "finished": finished,
        "fronts": fronts,
        "cpu_seconds": spent,
        "compute_share": spent["halving"] / max(spent["whole"], 1e-9),
        "of_whole_found_by_halving": len(set(fronts["whole"]) & set(fronts["halving"])),
        "of_whole_dominated_by_halving": sum(any(dominates(a, b) for a in ours) for b in theirs),
        "of_halving_dominated_by_whole": sum(any(dominates(b, a) for b in theirs) for a in ours),
        "hypervolume": _hypervolumes(goals, ours, theirs),
    }


def _hypervolumes(
    goals: Goals, ours: list[tuple[float, ...]], theirs: list[tuple[float, ...]]
) -> dict[str, Any] | None:
    """The areas that both fronts dominate, from a little behind the worst point of both; for two goals only."""
    both = [*ours, *theirs]
    if not both or len(goals.names) != 2:
        return None
    reference = tuple(max(point[i] for point in both) + 0.1 * _width(both, i) for i in range(2))
    areas = [hypervolume(each, reference) for each in (ours, theirs)]  # type: ignore[arg-type]
    return {
        "halving": areas[0], "whole": areas[1], "reference": list(reference),
        "share": areas[0] / areas[1] if areas[1] else None,
    }  # fmt: skip


def _width(points: list[tuple[float, ...]], goal: int) -> float:
    values = [point[goal] for point in points]
    return max(values) - min(values) or max(abs(values[0]), 1e-9)


def searched(name: str, full: Dataset, seed: int) -> Dataset:
    """The data of a search on the data set `name`, of which `full` is what its teacher was trained on."""
    from benchmarks.ladders.run import data_folder

    splits = SEARCHED.get(name)
    data = full if splits is None else replace(open_dataset(str(data_folder(name)), splits=splits), name=full.name)
    if name not in TEXTS or data.train is None:
        return data
    return share_of_data(data, min(1.0, TEXTS[name] / len(data.train)), seed)


def stored(folder: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """Of each recipe the last rung of the newest report that the ladder left in `folder`, with the machine."""
    found: dict[str, Any] = {}
    for path in sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime):
        value = json.loads(path.read_text(encoding="utf-8"))
        for name in names:
            if str(value.get("title", "")).startswith(f"{name} on "):
                last = value["rungs"][-1]
                kept = ("name", "dev_quality", "quality", "latency_ms_p50", "latency_ms_p95", "throughput_per_second")
                found[name] = {key: last[key] for key in (*kept, "bytes")} | {
                    "file": path.name, "machine": value["machine"],
                }  # fmt: skip
    return found


def main() -> None:
    from benchmarks.ladders.run import open_named, teacher_of

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=("sst2", "banking77", "trec"))
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--sampler", default="tpe")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--space", type=Path)
    parser.add_argument("--fixed", nargs="*", default=FIXED, help="fixed recipes to measure beside the front")
    given = parser.parse_args()
    own = RECIPES / f"search-{given.dataset}.yaml"
    space = read_space(given.space or (own if own.is_file() else RECIPES / "search.yaml"))
    full = open_named(given.dataset)
    teacher = teacher_of(given.dataset, full)
    data = searched(given.dataset, full, given.seed)
    work, results = WORK / given.dataset, RESULTS
    made = compare(
        data, teacher, space, work / f"search-{space.name}", trials=given.trials, fixed_data=full,
        fixed_work=work / "compress", sampler=given.sampler, seed=given.seed, threads=allowed_cores(),
        fixed=tuple(given.fixed), say=lambda line: print(line, flush=True),
    )  # fmt: skip
    assert data.train is not None
    made |= provenance()
    made["training_texts"] = len(data.train)
    made["stored"] = stored(results / given.dataset, FIXED)
    path = results / "search" / f"{given.dataset}.json"
    write_json(path, made)
    print(json.dumps({key: made[key] for key in ("halving", "on_test", "stored")}, indent=2))


if __name__ == "__main__":
    main()
