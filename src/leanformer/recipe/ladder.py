"""The ladder: one rung per thing added, from the plain PyTorch program on, all measured in one run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError
from leanformer.machine import fingerprint
from leanformer.measure.cost import price, usd_per_100m
from leanformer.measure.memory import measure_memory
from leanformer.measure.quality import measure_quality
from leanformer.measure.speed import SpeedSettings, measure_speed
from leanformer.predictor import Predictor, logits
from leanformer.report import Report, Rung

PADDED_TO = 128


@dataclass(frozen=True)
class Entry:
    """A rung to be measured: how it is called, what it builds on, what runs it, and whether it may be chosen."""

    name: str
    after: str | None
    artifact: Artifact
    predictor: Predictor
    runtime: str
    chooseable: bool
    lossless: bool
    # Scores dev and test in place of `predictor`, where it is the same model run in a slower way.
    scorer: Predictor | None = None


def baseline_entries(teacher: Artifact, threads: int) -> list[Entry]:
    """The teacher in PyTorch, fp32: padded to 128 and one at a time; unpadded; in batches by length."""
    import torch

    from leanformer.models.predictor import TorchPredictor

    torch.set_num_threads(threads)
    single, batched = TorchPredictor(teacher, batch_tokens=None), TorchPredictor(teacher)
    width = min(max(PADDED_TO, teacher.max_tokens), single.positions)
    padded = TorchPredictor(teacher, pad_to=width, batch_tokens=None)
    names = (f"PyTorch, padded to {width}", "no padding", "batches by length")
    one_by_one = "PyTorch fp32, one text at a time"
    # Only a model that cannot be exported may be kept as it came.
    kept = teacher.format == "transformers"
    return [
        Entry(names[0], None, teacher, padded, one_by_one, chooseable=False, lossless=True, scorer=batched),
        Entry(names[1], names[0], teacher, single, one_by_one, chooseable=False, lossless=True, scorer=batched),
        Entry(names[2], names[1], teacher, batched, "PyTorch fp32, batches", chooseable=kept, lossless=True),
    ]


def measure_ladder(
    entries: Sequence[Entry],
    data: Dataset,
    *,
    title: str,
    metric: str,
    threads: int,
    speed: SpeedSettings,
    usd_per_hour: float | None = None,
    memory: bool = True,
    seed: int = 13,
    notes: Sequence[str] = (),
    say: Callable[[str], None] = lambda line: None,
) -> Report:
    """Measure all entries on the same texts and threads. The first is the reference, the second the unpadded one.

    The test split is scored once per model. Raises `DataError` without a labelled test split; without dev,
    the dev figures are those of no split and no choice can be made, so that is refused too.
    """
    test, dev = _labelled(data, "test"), _labelled(data, "dev")
    test_labels, dev_labels = np.asarray(test.labels), np.asarray(dev.labels)
    say(f"scoring {len(entries)} rungs on {len(dev)} dev and {len(test)} test texts")
    scorers = {id(one.scorer or one.predictor): one.scorer or one.predictor for one in entries}
    by_scorer = {key: (logits(each, test.texts), logits(each, dev.texts)) for key, each in scorers.items()}
    scores = [by_scorer[id(one.scorer or one.predictor)][0] for one in entries]
    dev_scores = [by_scorer[id(one.scorer or one.predictor)][1] for one in entries]
    say("timing all rungs in turn")
    speeds = measure_speed([one.predictor for one in entries], test.texts, speed, seed=seed, say=say)
    cost = price(usd_per_hour, threads)
    rungs: list[Rung] = []
    peaks: dict[str, int | None] = {}
    for i, one in enumerate(entries):
        if memory and one.artifact.content_hash not in peaks:
            opener = "leanformer.loading:open_predictor"
            peaks[one.artifact.content_hash] = measure_memory(one.artifact, test.texts[:500], opener, threads)
        rate = speeds[i].throughput_per_second
        before = next((s for e, s in zip(entries, speeds, strict=True) if e.name == one.after), speeds[0])
        parameters = one.artifact.properties.get("parameters")
        rungs.append(
            Rung(
                name=one.name,
                after=one.after,
                runtime=one.runtime,
                dev_quality=float((dev_scores[i].argmax(axis=1) == dev_labels).mean()),
                metric=metric,
                n=len(test),
                **asdict(measure_quality(scores[i], test_labels, scores[0], data.task)),
                **asdict(speeds[i]),
                speedup=rate / speeds[0].throughput_per_second,
                speedup_over_unpadded=rate / speeds[min(1, len(speeds) - 1)].throughput_per_second,
                marginal=rate / before.throughput_per_second,
                usd_per_100m=usd_per_100m(rate, cost["usd_per_hour"]),
                bytes=one.artifact.bytes,
                parameters=None if parameters is None else int(parameters),
                peak_memory_bytes=peaks.get(one.artifact.content_hash),
                format=one.artifact.format,
                content_hash=one.artifact.content_hash,
                chooseable=one.chooseable,
                lossless=one.lossless,
            )
        )
    return Report(
        title=title,
        rungs=tuple(rungs),
        machine=fingerprint(threads),
        data=describe(data),
        price=cost,
        notes=(*data.notes, *notes),
    )


def describe(data: Dataset) -> dict[str, Any]:
    """Name, content hashes and sizes of the splits."""
    return {
        "name": data.name,
        "content_hash": data.content_hash,
        "training_hash": data.training_hash,
        "overlap": data.overlap,
        "rows": {
            split: len(examples)
            for split in ("train", "dev", "test", "unlabelled")
            if (examples := getattr(data, split)) is not None
        },
    }


def _labelled(data: Dataset, split: str) -> Examples:
    examples: Examples | None = getattr(data, split)
    if examples is None or examples.labels is None:
        raise DataError(
            f"there is no labelled {split} split to measure on", path=data.name,
            remedy=f"add {split}.jsonl, or name a file: --split {split}=FILE",
        )  # fmt: skip
    return examples
