"""Models of several sizes from one training beside as many separate trainings: benchmarks/results/family/SET.json.

    python -m benchmarks.family.run trec
    python -m benchmarks.family.run trec --members 3 --steps 300 --seeds 13

reads $LEANFORMER_DATA. Each member of the recipe `family` has a twin: a student of the same shape, distilled from the
same teacher on its own. All twins together are given the CPU seconds that the supernet took, each an equal share; how
many steps that is, is found from a short run of each. Both are quantised and run by our engine. `quality` and
`twin_quality` are of test, `dev` and `twin_dev` of dev, in per cent; `gain` is the member's minus its twin's on test in
points, with a paired bootstrap interval over the texts, the seeds of a text together. `speedup` is the throughput over
that of the teacher in PyTorch, one text at a time. Latencies are taken together, in rounds, at the end.

--steps is the number of optimiser steps of the supernet. Every model is stored when it is made: a killed run goes on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.ladders.run import TEACHERS, data_folder, encoder_folder
from benchmarks.paths import RESULTS, WORK
from benchmarks.provenance import provenance
from benchmarks.xtremedistil.cell_store import Cells
from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.compress.distil.distil import Distil
from leanformer.compress.supernet.extract import Extract
from leanformer.compress.supernet.supernet import Supernet
from leanformer.data.dataset import Dataset, open_dataset
from leanformer.data.examples import Examples
from leanformer.export.int8 import Int8
from leanformer.export.onnx import Onnx
from leanformer.files import remove_folder, sha256_json, write_json
from leanformer.finetune.fine_tune import FineTune
from leanformer.loading import open_predictor
from leanformer.measure.speed import SpeedSettings, measure_speed
from leanformer.metrics.bootstrap import interval
from leanformer.metrics.pareto import pareto_front
from leanformer.models.predictor import TorchPredictor
from leanformer.models.subnet import Member, member_of
from leanformer.options import options
from leanformer.predictor import logits
from leanformer.progress import Status
from leanformer.recipe.library import find_recipe
from leanformer.step import Context, Make
from leanformer.train.teacher_outputs import teacher_outputs
from leanformer.tune.random_model import shape_of
from leanformer.tune.time_model import time_model

THREADS, RATE_STEPS, PRECISION = 1, 24, "int8 mixed"
# The flips of small models against fp32 are part of their quality, which is measured here.
INT8 = Int8(max_flips=1.0, max_mean_share=10.0)


class Families:
    """The cells of one data set: teacher, supernet, members, and their twins.

    Args:
        members: how many of the recipe's members. steps: optimiser steps of the supernet.
        train, dev: most texts of each; None: all.
    """

    def __init__(
        self, name: str, encoder: str, work: Path, result: Path | None, *, members: int | None, steps: int,
        train: int | None = None, dev: int | None = None,
    ) -> None:  # fmt: skip
        self.name, self.encoder, self.work, self.steps = name, encoder, work, steps
        self.cells = Cells(work / "cells", THREADS, result)
        recipe = find_recipe("family")
        self.supernet_step = next(step.step for step in recipe.steps if isinstance(step.step, Supernet))
        extracts = [step.step for step in recipe.steps if isinstance(step.step, Extract)]
        # Evenly spread over the recipe's, which are ordered by size.
        chosen = np.linspace(0, len(extracts) - 1, members or len(extracts)).round().astype(int)
        self.extracts = [extracts[number] for number in dict.fromkeys(chosen.tolist())]
        whole = open_dataset(str(data_folder(name)), splits=TEACHERS[name]["splits"])
        assert whole.train is not None and whole.dev is not None and whole.test is not None
        drawn = np.random.default_rng(13).permutation(len(whole.train))[:train]
        self.whole = replace(
            whole, name=name, unlabelled=None, train=whole.train.select(sorted(drawn.tolist())),
            dev=whole.dev.select(range(min(len(whole.dev), dev or len(whole.dev)))),
        )  # fmt: skip
        torch.set_num_threads(THREADS)

    @property
    def data(self) -> Dataset:
        """What models are made from."""
        return replace(self.whole, test=None)

    def _context(self, folder: Path, seed: int, **artifacts: Artifact) -> Context:
        running = self.work / "running" / folder.name
        return Context(self.data, artifacts, running, self.work / "cache", seed=seed, threads=THREADS, say=_say)

    def _made(self, step: Make, source: Artifact, folder: Path, seed: int, teacher: Artifact) -> Artifact:
        """What the step makes of the source, made now or found in the folder."""
        if is_artifact(folder):
            return open_artifact(folder)
        context = self._context(folder, seed, teacher=teacher)
        made = step(source, context, folder)
        remove_folder(context.work)
        return made

    def teacher(self) -> Artifact:
        fit = TEACHERS[self.name]["settings"]
        step = FineTune(epochs=fit.epochs, batch_size=fit.batch_size, learning_rate=fit.learning_rate)
        folder = self.work / "made" / f"teacher-{sha256_json([options(step), self.data.training_hash])[:16]}"
        if is_artifact(folder):
            return open_artifact(folder)
        return step.teacher_of(self.encoder, self._context(folder, 13), folder, 128)

    def epochs(self, steps: int, batch_size: int) -> int:
        """Whole epochs that are about so many steps, at least one."""
        return max(1, round(steps / -(-len(self.data.train or ()) // batch_size)))

    def supernet(self, seed: int) -> tuple[Artifact, dict[str, Any]]:
        """The supernet, and the cell of its training with the CPU seconds of it."""
        teacher = self.teacher()
        step = replace(self.supernet_step, least_steps=0, epochs=self.epochs(self.steps, self.supernet_step.batch_size))
        return self._trained("supernet", step, seed, teacher)

    def _trained(self, kind: str, step: Make, seed: int, teacher: Artifact) -> tuple[Artifact, dict[str, Any]]:
        told = {"kind": kind, "set": self.name, "seed": seed, "teacher": teacher.content_hash, "step": _plain(step)}
        folder = self.work / "made" / f"{kind}-{sha256_json([told, self.data.training_hash])[:16]}"
        settings = told | {"data": self.data.training_hash}
        self._outputs(teacher)  # before the clock of the cell starts: all students share them

        def made() -> dict[str, Any]:
            return {"parameters": self._made(step, teacher, folder, seed, teacher).properties["parameters"]}

        cell = self.cells.get(settings, made)
        return self._made(step, teacher, folder, seed, teacher), cell

    def _outputs(self, teacher: Artifact) -> None:
        assert self.data.train is not None
        states = range(len(shape_of(teacher).layers) + 1)
        teacher_outputs(
            teacher, self.data.train.inputs, cache=self.work / "cache", hidden=states, device="cpu", say=_say
        )

    def member(self, extract: Extract) -> Member:
        return member_of(shape_of(self.teacher()), extract.depth, extract.width)

    def twin_step(self, member: Member, epochs: int, **others: Any) -> Distil:
        """The distillation of a student of a member's shape, with the supernet's rate, loss and layers."""
        fit = self.supernet_step
        count, depth = len(shape_of(self.teacher()).layers), len(member.layers)
        return Distil(
            layers=tuple(layer + 1 for layer in member.layers), trial_texts=0, heads=member.heads[0],
            ffn=member.units[0], epochs=epochs, batch_size=fit.batch_size, learning_rate=fit.learning_rate,
            temperature=fit.temperature, hidden_weight=fit.hidden_weight,
            hidden_map=tuple((i, i * count // depth) for i in range(depth + 1)), **others,
        )  # fmt: skip

    def twin(self, extract: Extract, seed: int) -> tuple[Artifact, dict[str, Any]]:
        """The member's twin, and the cell of its training."""
        teacher, (_, cell) = self.teacher(), self.supernet(seed)
        member = self.member(extract)
        share = float(cell["cpu_seconds"]) / len(self.extracts)
        steps = max(1, round(share / self.seconds_per_step(extract)))
        return self._trained(
            "twin", self.twin_step(member, self.epochs(steps, self.supernet_step.batch_size)), seed, teacher
        )

    def seconds_per_step(self, extract: Extract) -> float:
        """CPU seconds of an optimiser step of the twin: of three short epochs less those of one, which ends alike."""
        teacher, size = self.teacher(), self.supernet_step.batch_size
        assert self.data.train is not None and self.data.dev is not None
        rows = min(len(self.data.train), RATE_STEPS * size)
        few = replace(self.data, train=self.data.train.select(range(rows)), dev=self.data.dev.select(range(8)))
        member = self.member(extract)
        folder = self.work / "made" / f"rate-{sha256_json([extract.depth, extract.width])[:16]}"

        def seconds(epochs: int) -> float:
            context = replace(self._context(folder, 13, teacher=teacher), data=few)
            start = time.process_time()
            self.twin_step(member, epochs)(teacher, context, folder)
            took = time.process_time() - start
            remove_folder(folder)
            remove_folder(context.work)
            return took

        def made() -> dict[str, Any]:
            seconds(1)  # the teacher's outputs on these few are made here
            return {"per_step": max(1e-4, (seconds(3) - seconds(1)) / (2 * -(-rows // size)))}

        settings = {
            "kind": "rate",
            "set": self.name,
            "step": _plain(self.twin_step(member, 1)),
            "data": few.training_hash,
        }
        return float(self.cells.get(settings, made)["per_step"])

    def int8(self, source: Artifact, teacher: Artifact, seed: int) -> Artifact:
        """The model as it is delivered."""
        folder = self.work / "made" / f"int8-{source.content_hash[:16]}"
        if is_artifact(folder):
            return open_artifact(folder)
        graph = self._made(Onnx(), source, folder.with_name(f"onnx-{source.content_hash[:16]}"), seed, teacher)
        return self._made(INT8, graph, folder, seed, teacher)

    def pair(self, extract: Extract, seed: int) -> tuple[Artifact, Artifact, dict[str, Any]]:
        """A member and its twin in int8, and how right they are on dev and test, text by text."""
        teacher, (supernet, _) = self.teacher(), self.supernet(seed)
        name = f"{extract.depth}-{extract.width}-{seed}-{supernet.content_hash[:16]}"
        member = self._made(extract, supernet, self.work / "made" / f"member-{name}", seed, teacher)
        twin, told = self.twin(extract, seed)
        lean = [self.int8(model, teacher, seed) for model in (member, twin)]
        settings = {
            "kind": "pair", "set": self.name, "seed": seed, "depth": extract.depth, "width": extract.width,
            "member": lean[0].content_hash, "twin": lean[1].content_hash,
        }  # fmt: skip

        def made() -> dict[str, Any]:
            found: dict[str, Any] = {"twin_cpu_seconds": told["cpu_seconds"]}
            for split in ("dev", "test"):
                examples = getattr(self.whole, split)
                found[split] = ["".join("1" if hit else "0" for hit in right(model, examples)) for model in lean]
            return found

        return lean[0], lean[1], self.cells.get(settings, made)

    def rows(self, seeds: Sequence[int]) -> dict[str, Any]:
        """Make what is missing, and compare: a row for each member."""
        pairs = {extract: [self.pair(extract, seed) for seed in seeds] for extract in self.extracts}
        teacher = self.teacher()
        models = [found[0][0] for found in pairs.values()]
        texts = self.whole.test.inputs if self.whole.test is not None else ()
        timed = measure_speed(
            [TorchPredictor(teacher, batch_tokens=None), *(open_predictor(model, threads=THREADS) for model in models)],
            texts, SpeedSettings(rounds=5, seconds=1.0), others=self.data.dev.inputs if self.data.dev else (),
            seldom=[0], say=_say,
        )  # fmt: skip
        model = time_model(teacher, self.work, precision=PRECISION, cores=THREADS, say=_say)
        lengths = [len(row) for row in open_predictor(models[0], threads=THREADS).tokenize(texts)]
        first, *speeds = timed
        rows = []
        for (extract, found), artifact, speed in zip(pairs.items(), models, speeds, strict=True):
            layers = [tuple(layer) for layer in artifact.properties["layers"]]
            rows.append(
                {
                    "depth": extract.depth, "width": extract.width, "layers": [list(layer) for layer in layers],
                    "latency_ms": round(speed.latency_ms_p50, 4),
                    "predicted_ms": round(speed.tokenizer_ms_p50 + model.predict(layers, int(np.median(lengths))), 4),
                    "bytes": artifact.bytes, "parameters": artifact.properties["parameters"],
                    "throughput_per_second": round(speed.throughput_per_second, 1),
                    "speedup": round(speed.throughput_per_second / first.throughput_per_second, 2),
                    "twin_cpu_seconds": round(float(np.mean([cell["twin_cpu_seconds"] for _, _, cell in found])), 1),
                    **compared([cell for _, _, cell in found]),
                }
            )  # fmt: skip
        front = pareto_front([row["latency_ms"] for row in rows], [row["dev"] for row in rows])
        for number, row in enumerate(rows):
            row["on_front"] = number in front
        supernets = [self.supernet(seed)[1] for seed in seeds]
        return {
            "set": self.name, "seeds": list(seeds), "threads": THREADS, "members": rows,
            "minutes": round(float(np.mean([cell["seconds"] for cell in supernets])) / 60, 2),
            "cpu_seconds": round(float(np.mean([cell["cpu_seconds"] for cell in supernets])), 1),
            "twins_cpu_seconds": round(sum(row["twin_cpu_seconds"] for row in rows), 1),
            "steps": self.epochs(self.steps, self.supernet_step.batch_size)
            * -(-len(self.data.train or ()) // self.supernet_step.batch_size),
            "teacher": {
                split: round(100 * float(np.mean(right(teacher, getattr(self.whole, split)))), 2)
                for split in ("dev", "test")
            },
            "n": {split: len(getattr(self.whole, split)) for split in ("dev", "test")},
        }  # fmt: skip


def _plain(step: Make) -> dict[str, Any]:
    return dict(json.loads(json.dumps({"step": step.technique, **options(step)})))  # as a stored cell has it


def right(artifact: Artifact, examples: Examples) -> np.ndarray:
    return logits(open_predictor(artifact, threads=THREADS), examples.inputs).argmax(axis=1) == np.asarray(
        examples.labels
    )


def compared(cells: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Figures of a member and its twin, means over seeds, and the gain on test with its interval."""
    hits = {
        split: np.mean([[[int(hit) for hit in of] for of in cell[split]] for cell in cells], axis=0)
        for split in ("dev", "test")
    }
    ours, theirs = hits["test"]
    gains = ours - theirs
    low, high = interval(lambda rows: 100 * float(gains[rows].mean()), len(gains))
    dev = [round(100 * float(of.mean()), 2) for of in hits["dev"]]
    return {
        "quality": round(100 * float(ours.mean()), 2), "twin_quality": round(100 * float(theirs.mean()), 2),
        "dev": dev[0], "twin_dev": dev[1], "gain": round(100 * float(gains.mean()), 2), "low": round(low, 2),
        "high": round(high, 2), "n": len(gains),
    }  # fmt: skip


def _say(line: str) -> None:
    if not isinstance(line, Status):
        print(line, flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=sorted(TEACHERS))
    parser.add_argument("--members", type=int, default=None, help="how many of the recipe's; default: all")
    parser.add_argument("--steps", type=int, default=1200, help="optimiser steps of the supernet, about")
    parser.add_argument("--seeds", type=int, nargs="+", default=[13])
    parser.add_argument("--train", type=int, default=None, help="most training texts; default: all")
    parser.add_argument("--dev", type=int, default=None, help="most dev texts; default: all")
    given = parser.parse_args(arguments)
    result = RESULTS / "family" / f"{given.set.replace('/', '-')}.json"
    families = Families(
        given.set, str(encoder_folder(None)), WORK / "family" / given.set, result, members=given.members,
        steps=given.steps, train=given.train, dev=given.dev,
    )  # fmt: skip
    found = families.rows(given.seeds)
    result.parent.mkdir(parents=True, exist_ok=True)
    about = {"cells": families.cells.all(), **provenance(THREADS, whole=["training"])}
    write_json(result, found | about)
    for row in found["members"]:
        print(
            f"{row['depth']:4} {row['width']:4}  {row['latency_ms']:.3f} ms (predicted {row['predicted_ms']:.3f})  "
            f"{row['quality']:6.2f}  twin {row['twin_quality']:6.2f}  {row['gain']:+.2f} ({row['low']:+.2f} to "
            f"{row['high']:+.2f})  {row['speedup']:.1f}x"
        )


if __name__ == "__main__":
    main()
