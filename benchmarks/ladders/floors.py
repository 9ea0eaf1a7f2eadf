"""The floor of each data set: a linear model on n-grams, and the class that is most frequent in train.

    python -m benchmarks.ladders.floors
    python -m benchmarks.ladders.floors trec banking77

Kind of n-gram and regularisation are chosen on dev, and test is read once. Quality alone is measured, so the machine
may be busy; CPU seconds are those of all threads, choices included. Writes benchmarks/results/floors.json, a list of
rows, and floors_details.json: what dev chose, the machine and the commit. With names, the rows of the other sets are
left as they are. Of training texts with more than 10 million characters a sample is taken; none of these sets has them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.paths import RESULTS
from benchmarks.provenance import provenance
from leanformer.answers.forms import decide, form_of, metric_name, metric_of
from leanformer.data.dataset import Dataset, open_dataset
from leanformer.data.leaks import find_leaks
from leanformer.files import write_json
from leanformer.linear.fit import fit_linear
from leanformer.metrics.bootstrap import interval
from leanformer.predictor import logits
from leanformer.task import Task

LINEAR, MAJORITY = "linear", "majority class"
ROWS, DETAILS = RESULTS / "floors.json", RESULTS / "floors_details.json"
# With the file of a split where it is another one, as the ladders have it.
SETS: dict[str, dict[str, str]] = {
    "banking77": {}, "afrisenti/hau": {}, "trec": {}, "sst2": {"train": "train_phrases"}, "mrpc": {}, "stsb": {},
    "snips": {}, "ag_news": {}, "20newsgroups": {}, "movie_reviews": {}, "goemotions": {}, "mqp": {},
}  # fmt: skip


def floors(name: str, data: Dataset) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows of one set, and what dev chose."""
    assert data.test is not None
    start = time.process_time()
    fitted = fit_linear(data)
    seconds = time.process_time() - start
    task = fitted.predictor.task
    answers = {LINEAR: (decide(logits(fitted.predictor, data.test.inputs), task), seconds)}
    start = time.process_time()
    if (constant := majority(data, task)) is not None:
        answers[MAJORITY] = (constant, time.process_time() - start)
    rows = [_row(name, system, given, task, data, took) for system, (given, took) in answers.items()]
    return rows, {"ngrams": " and ".join(fitted.kinds), "C": fitted.strength, "dev_quality": fitted.dev_quality}


def majority(data: Dataset, task: Task) -> np.ndarray | None:
    """For every test text the label that most training texts have; None for scores, where a constant ranks nothing."""
    assert data.train is not None and data.test is not None
    if task.answer == "score":
        return None
    counts = form_of(task).applies(data.train.targets, len(task.labels)).sum(axis=0)
    most = int(counts.argmax())
    if form_of(task).exclusive:
        return np.full(len(data.test), most)
    return np.tile(np.arange(len(task.labels)) == most, (len(data.test), 1))


def _row(name: str, system: str, answers: np.ndarray, task: Task, data: Dataset, seconds: float) -> dict[str, Any]:
    assert data.test is not None
    targets, leaks = data.test.targets, find_leaks(data, "test", near_letters=0)
    assert leaks is not None
    clean, score = ~leaks.exact, metric_of(task)
    low, high = interval(form_of(task).of_rows(answers, targets, task), len(targets))
    return {
        "set": name, "system": system, "metric": metric_name(task), "quality": score(answers, targets),
        "n": len(targets), "cpu_seconds": round(seconds, 3), "quality_low": low, "quality_high": high,
        "quality_clean": score(answers[clean], targets[clean]), "n_clean": int(clean.sum()),
    }  # fmt: skip


def linear_floor(results: Path, name: str) -> float | None:
    """The quality of the linear model on a set; None where it was not measured."""
    path = results / ROWS.name
    rows = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return next((row["quality"] for row in rows if (row["set"], row["system"]) == (name, LINEAR)), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SETS)}; default: all")
    names = parser.parse_args().sets or list(SETS)
    if unknown := [name for name in names if name not in SETS]:
        parser.error(f"no such set: {', '.join(unknown)}; one of {', '.join(SETS)}")
    root = Path(os.environ.get("LEANFORMER_DATA", ""))
    rows: list[dict[str, Any]] = json.loads(ROWS.read_text(encoding="utf-8")) if ROWS.is_file() else []
    details: dict[str, Any] = json.loads(DETAILS.read_text(encoding="utf-8")) if DETAILS.is_file() else {}
    for name in names:
        if not (root / name).is_dir():
            sys.exit(f"set LEANFORMER_DATA to a folder that holds {name}/ (train, dev, test as JSON Lines)")
        made, chosen = floors(name, open_dataset(str(root / name), splits=SETS[name]))
        rows = [row for row in rows if row["set"] != name] + made
        rows.sort(key=lambda row: list(SETS).index(row["set"]))
        details = details | {name: chosen | provenance(1)}
        write_json(ROWS, rows)
        write_json(DETAILS, {key: details[key] for key in SETS if key in details})
        print(json.dumps([made, chosen]), flush=True)


if __name__ == "__main__":
    main()
