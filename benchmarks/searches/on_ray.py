"""A search and a bulk scoring on a local Ray of two workers, one killed in each: benchmarks/results/search/on_ray.json.

    python -m benchmarks.searches.on_ray --texts 100000 --trials 8

The teacher is the ladder's on trec (benchmarks/ladders/run.py). Scored are its training texts, numbered, so that no two
are alike and one that is lost or there twice is seen; one process without Ray answers them too, and the answers are
compared. The search makes trials on both workers and times them one after another; each trial of its grid must be there
once, with the very model that a search without Ray makes. In either run the worker that is found at a task, once some
results are there, is killed by SIGKILL. Exit status 1 where something is lost, there twice, or no worker was killed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.ladders.run import open_named, teacher_of
from benchmarks.paths import RECIPES, RESULTS, WORK
from benchmarks.provenance import provenance
from benchmarks.xtremedistil.student_shelf import Shelf
from leanformer.answers.prediction import to_record
from leanformer.artifact import Artifact
from leanformer.bulk import numbered
from leanformer.cluster.parts import parts_folder
from leanformer.cluster.scoring import Scored, score_file
from leanformer.data.dataset import Dataset
from leanformer.files import write_json
from leanformer.loading import open_predictor
from leanformer.measure.speed import SpeedSettings
from leanformer.predictor import answers
from leanformer.search.jobs.remote import on_ray
from leanformer.search.run import JOURNAL, Searched, search
from leanformer.search.space.read import read_space
from leanformer.search.space.space import Space
from leanformer.search.study.budget import SearchBudget

WORKERS = 2
# Timings are taken, in one place, but are not what is shown here.
QUICK = SpeedSettings(rounds=1, latency_texts=20, seconds=0.2)
SCORING, MAKING = "ray::_score_part", "ray::make_trial"  # what Ray calls a process that is at such a task


class Killer(threading.Thread):
    """Kills one process below this one whose title begins so, once `ready()`."""

    def __init__(self, title: str, ready: Callable[[], bool]) -> None:
        super().__init__(daemon=True)
        self.title, self.ready, self.killed = title, ready, 0
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.killed and not self.ended.is_set():
            if self.ready() and (pids := [pid for pid in below(os.getpid()) if titled(pid).startswith(self.title)]):
                os.kill(pids[0], signal.SIGKILL)
                self.killed = 1
            time.sleep(0.001)

    def during(self, work: Callable[[], Any]) -> Any:
        self.start()
        try:
            return work()
        finally:
            self.ended.set()
            self.join()


def below(pid: int) -> list[int]:
    """All processes that this one and its own have begun."""
    try:
        own = [int(part) for path in Path(f"/proc/{pid}/task").glob("*/children") for part in path.read_text().split()]
    except OSError:  # it has ended
        return []
    return [process for child in own for process in (child, *below(child))]


def titled(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def scoring(artifact: Artifact, texts: list[str], folder: Path, *, rows: int, kill_after: int) -> dict[str, Any]:
    """All texts scored on Ray, a worker killed once so many parts are there, beside one process without Ray."""
    shutil.rmtree(folder, ignore_errors=True)
    output = folder / "answers.jsonl"
    folder.mkdir(parents=True)
    parts = parts_folder(output)
    killer = Killer(SCORING, lambda: len(list(parts.glob("part-*"))) >= kill_after)

    def on_two() -> Scored:
        return score_file(
            artifact.path, artifact.content_hash, lambda: numbered(texts), output,
            source=f"{len(texts)} texts", address="local", local_cores=WORKERS, rows=rows, tuning=False,
        )  # fmt: skip

    start = time.perf_counter()
    done: Scored = killer.during(on_two)
    seconds = time.perf_counter() - start
    with output.open(encoding="utf-8") as lines:
        records = [json.loads(line) for line in lines]
    start = time.perf_counter()
    alone = list(answers(open_predictor(artifact, threads=1), texts))
    seconds_alone = time.perf_counter() - start
    expected = [{"row": row} | to_record(*scored) for row, scored in enumerate(zip(texts, alone, strict=True), start=1)]
    times = Counter(record["text"] for record in records)
    return {
        "texts": len(texts),
        "parts": done.parts,
        "killed": killer.killed,
        "answers": len(records),
        "lost": len(set(texts) - set(times)),
        "twice": sum(count > 1 for count in times.values()),
        "in_order": [record["text"] for record in records] == texts,
        "unlike_one_process": sum(ours != theirs for ours, theirs in zip(records, expected, strict=False)),
        "left_behind": sorted(path.name for path in folder.iterdir() if path != output),
        "seconds": seconds,
        "seconds_in_one_process": seconds_alone,
    }


def searching(
    space: Space, teacher: Artifact, data: Dataset, folder: Path, *, trials: int, kill_after: int,
    speed: SpeedSettings = QUICK,
) -> dict[str, Any]:  # fmt: skip
    """A grid searched on Ray, a worker killed once so many trials are measured, beside the same without Ray."""
    shutil.rmtree(folder, ignore_errors=True)
    settings: dict[str, Any] = {
        "budget": SearchBudget(trials=trials), "sampler": "grid", "threads": 1, "device": "cpu", "speed": speed,
        "final_speed": speed, "allow_weak_teacher": True, "say": lambda line: None,
    }  # fmt: skip
    journal = folder / "ray.work" / JOURNAL
    killer = Killer(MAKING, lambda: journal.is_file() and journal.read_text().count('"measured"') >= kill_after)
    start = time.perf_counter()

    def on_two() -> Searched:
        with on_ray("local", cores=1, timed=space.goals.needs_time) as executor:
            return search(space, str(teacher.path), data, folder / "ray", executor=executor, **settings)

    found: Searched = killer.during(on_two)
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    search(space, str(teacher.path), data, folder / "alone", **settings)
    seconds_alone = time.perf_counter() - start
    events = events_of(journal)
    measured = Counter(event["trial"] for event in events if event["event"] == "measured")
    ours, theirs = models(events), models(events_of(folder / "alone.work" / JOURNAL))
    return {
        "space": space.document,
        "trials": trials,
        "killed": killer.killed,
        "counts": found.record["counts"],
        "lost": sum(number not in measured for number in range(trials)),
        "twice": sum(count > 1 for count in measured.values()),
        "unlike_one_process": sum(ours.get(key) != value for key, value in theirs.items()),
        "left_behind": sorted(path.name for path in (folder / "ray.work").rglob("*.partial")),
        "front": found.record["front"],
        "seconds": seconds,
        "seconds_in_one_process": seconds_alone,
    }


def events_of(journal: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]


def models(events: list[dict[str, Any]]) -> dict[str, str]:
    """Parameters of each trial -> hash of the model that it made."""
    asked = {
        event["trial"]: json.dumps(event["params"], sort_keys=True) for event in events if event["event"] == "asked"
    }
    return {asked[event["trial"]]: event["result"]["content_hash"] for event in events if event["event"] == "measured"}


def holds(row: dict[str, Any]) -> bool:
    """Whether one worker was killed, and nothing is lost, twice, otherwise than in one process, or left behind."""
    wrong = ("lost", "twice", "unlike_one_process", "left_behind")
    return row["killed"] == 1 and row.get("in_order", True) and not any(row[name] for name in wrong)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=2048, help="in each part")
    parser.add_argument("--trials", type=int, default=8)
    given = parser.parse_args()
    data = open_named("trec")
    teacher, work = teacher_of("trec", data), WORK / "on_ray"
    graph = Shelf(work, "cpu", 1).graphs(teacher, teacher, data)[1]
    assert data.train is not None
    texts = [f"{data.train.texts[i % len(data.train)]} {i}" for i in range(given.texts)]
    made = {
        **provenance(WORKERS),
        "workers": WORKERS,
        "scoring": scoring(graph, texts, work / "scoring", rows=given.rows, kill_after=10),
        "search": searching(
            read_space(RECIPES / "search-on-ray.yaml"), teacher, data, work / "search", trials=given.trials,
            kill_after=2,
        ),
    }  # fmt: skip
    held = {name: holds(made[name]) for name in ("scoring", "search")}
    write_json(RESULTS / "search" / "on_ray.json", {**made, "holds": held})
    print(json.dumps({name: made[name] for name in held} | {"holds": held}, indent=2))
    sys.exit(0 if all(held.values()) else 1)


if __name__ == "__main__":
    main()
