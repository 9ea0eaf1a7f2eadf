"""A search against fixed recipes, and halving against whole trainings: benchmarks/results/search/<data set>.json.

    python benchmarks/search.py sst2
    python benchmarks/search.py banking77 --trials 40 --sampler random

The space is benchmarks/recipes/search.yaml. It is searched twice with one seed and as many trials: once with successive
halving, once with every trial trained in full, each in a work folder of its own, so that neither pays for the other.
Then the front of the first, `quick` and `fastformers` are measured together on test, in turn. Everything is kept in
benchmarks/work/, so a killed run goes on: give the same command again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset
from leanformer.errors import LeanformerError
from leanformer.files import write_json
from leanformer.machine import fingerprint
from leanformer.measure.speed import SpeedSettings
from leanformer.metrics.pareto import dominates, hypervolume
from leanformer.recipe.evaluation import prepare
from leanformer.recipe.find import find_recipe
from leanformer.recipe.ladder import Entry, baseline_entries, measure_ladder, open_entry
from leanformer.runtime.cores import allowed_cores
from leanformer.search.budget import Budget
from leanformer.search.local import SPEED, Runner
from leanformer.search.read import read_space
from leanformer.search.record import chosen_from
from leanformer.search.run import Searched, search
from leanformer.search.space import Space

HERE = Path(__file__).resolve().parent
FIXED = ("quick", "fastformers")


def compare(
    data: Dataset,
    teacher: Artifact,
    space: Space,
    work: Path,
    *,
    trials: int,
    sampler: str = "tpe",
    seed: int = 13,
    threads: int = 1,
    speed: SpeedSettings = SPEED,
    final_speed: SpeedSettings | None = None,
    fixed: tuple[str, ...] = FIXED,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Both searches and the fixed recipes; what of it is worth keeping, as JSON."""
    final_speed = SpeedSettings() if final_speed is None else final_speed
    found: dict[str, Searched] = {}
    for name, one in (("halving", space), ("whole trainings", replace(space, halving=None))):
        say(f"== {name}")
        document = dict(space.document or {}) | ({} if one.halving else {"halving": None})
        found[name] = search(
            replace(one, document=document), str(teacher.path), data, work / name.split()[0],
            budget=Budget(trials=trials), sampler=sampler, seed=seed, threads=threads, speed=speed,
            final_speed=final_speed, say=say,
        )  # fmt: skip
    prepared = prepare(data, teacher, seed=seed, threads=threads)
    runner = Runner(teacher, replace(prepared.data, test=None), work / "fixed", threads, speed=speed, say=say)
    entries, notes = _entries(runner, found["halving"], fixed, seed, threads)
    report = measure_ladder(
        entries, prepared.data, title=f"{space.name} on {data.name}", metric=prepared.metric, threads=threads,
        speed=final_speed, memory=False, seed=seed, notes=notes, say=say,
    )  # fmt: skip
    return {
        "data": data.name,
        "machine": fingerprint(threads),
        "trials": trials,
        "sampler": sampler,
        "seed": seed,
        "space": space.document,
        "searches": {name: _summary(one) for name, one in found.items()},
        "fronts": _fronts(found["halving"].record, found["whole trainings"].record),
        "on_test": [
            {key: getattr(rung, key) for key in ("name", "runtime", "dev_quality", "quality", "quality_low",
             "quality_high", "drop", "latency_ms_p50", "latency_ms_p95", "throughput_per_second", "bytes")}
            for rung in report.rungs
        ],
        "speed": asdict(final_speed),
        "notes": list(report.notes),
    }  # fmt: skip


def _entries(
    runner: Runner, found: Searched, fixed: tuple[str, ...], seed: int, threads: int
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
    kept = ("shares", "ended", "spent", "counts", "expected", "predictor", "table", "teacher_quality")
    front = [record["trials"][number] for number in record["front"]]
    return {key: record.get(key) for key in kept} | {"front_on_dev": front, "chosen_from": chosen_from(record)}


def _fronts(halved: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    """How much of the whole search's front halving found, on dev, and for how much of its compute."""
    names = [one["figure"] for one in halved["goals"]]
    signs = [-1.0 if one["maximise"] else 1.0 for one in halved["goals"]]

    def costs(record: dict[str, Any], number: int) -> tuple[float, ...]:
        figures = record["trials"][number]["figures"]
        return tuple(sign * figures[name] for sign, name in zip(signs, names, strict=True))

    ours, theirs = ([costs(one, i) for i in one["front"]] for one in (halved, whole))
    both = [*ours, *theirs]
    found: dict[str, Any] = {
        "cpu_seconds": {"halving": halved["spent"]["cpu_seconds"], "whole": whole["spent"]["cpu_seconds"]},
        "compute_share": halved["spent"]["cpu_seconds"] / max(whole["spent"]["cpu_seconds"], 1e-9),
        "points": {"halving": len(ours), "whole": len(theirs)},
        "of_whole_dominated_by_halving": sum(any(dominates(a, b) for a in ours) for b in theirs),
        "of_halving_dominated_by_whole": sum(any(dominates(b, a) for b in theirs) for a in ours),
    }
    if both and len(names) == 2:
        # A little behind the worst point of both, so that every point counts.
        reference = tuple(max(one[i] for one in both) + 0.1 * _width(both, i) for i in range(2))
        areas = [hypervolume(each, reference) for each in (ours, theirs)]  # type: ignore[arg-type]
        found["hypervolume"] = {"halving": areas[0], "whole": areas[1], "reference": list(reference)}
        found["hypervolume_share"] = areas[0] / areas[1] if areas[1] else None
    return found


def _width(points: list[tuple[float, ...]], goal: int) -> float:
    values = [one[goal] for one in points]
    return max(values) - min(values) or max(abs(values[0]), 1e-9)


def main() -> None:
    from ladder import open_named, teacher_of

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", choices=("sst2", "banking77", "trec"))
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--sampler", default="tpe")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--space", type=Path, default=HERE / "recipes" / "search.yaml")
    given = parser.parse_args()
    data = open_named(given.dataset)
    made = compare(
        data, teacher_of(given.dataset, data), read_space(given.space), HERE / "work" / given.dataset / "search",
        trials=given.trials, sampler=given.sampler, seed=given.seed, threads=allowed_cores(),
    )  # fmt: skip
    path = HERE / "results" / "search" / f"{given.dataset}.json"
    write_json(path, made)
    print(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
