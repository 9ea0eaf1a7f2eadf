"""The ladder: one rung per thing added, from the plain PyTorch program on, all measured in one run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from leanformer.artifact import Artifact
from leanformer.batching import batches_by_length
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError
from leanformer.machine import fingerprint
from leanformer.measure.cost import price, usd_per_100m
from leanformer.measure.flops import shape_of, work
from leanformer.measure.loss import describe_loss
from leanformer.measure.memory import measure_memory
from leanformer.measure.quality import measure_quality
from leanformer.measure.speed import SpeedSettings, measure_speed
from leanformer.measure.used import texts_hash
from leanformer.metrics.primary import score_logits
from leanformer.predictor import Predictor, logits
from leanformer.report import Report, Rung
from leanformer.task import Task

PADDED_TO = 128
UNPADDED = "no padding"


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
    width = min(PADDED_TO, single.positions)
    padded = TorchPredictor(teacher, pad_to=width, batch_tokens=None)
    names = (f"PyTorch, padded to {width}", UNPADDED, "batches by length")
    module = "PyTorch fp32, " + ("transformers" if teacher.format == "transformers" else "our module")
    one_by_one = f"{module}, one text at a time"
    # Only a model that cannot be exported may be kept as it came.
    kept = teacher.format == "transformers"
    return [
        Entry(names[0], None, teacher, padded, one_by_one, chooseable=False, lossless=True, scorer=batched),
        Entry(names[1], names[0], teacher, single, one_by_one, chooseable=False, lossless=True, scorer=batched),
        Entry(names[2], names[1], teacher, batched, f"{module}, batches", chooseable=kept, lossless=True),
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
    need_dev: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> Report:
    """Measure all entries on the same texts and threads; the first is the reference of the comparisons.

    The test split is scored once per model. Raises `DataError` without a labelled test split, and without a
    labelled dev split where a rung is to be chosen (`need_dev`).
    """
    test = _labelled(data, "test")
    dev = _labelled(data, "dev") if need_dev or data.dev is not None else None
    say(f"scoring {len(entries)} rungs on {0 if dev is None else len(dev)} dev and {len(test)} test texts")
    scorers = {id(one.scorer or one.predictor): one.scorer or one.predictor for one in entries}
    on_test = {key: logits(each, test.inputs) for key, each in scorers.items()}
    dev_scores = {} if dev is None else {key: logits(each, dev.inputs) for key, each in scorers.items()}
    on_dev = {
        key: score_logits(each, dev.targets, scorers[key].task) for key, each in dev_scores.items() if dev is not None
    }
    scores = [on_test[id(one.scorer or one.predictor)] for one in entries]
    unpadded = next((i for i, one in enumerate(entries) if one.name == UNPADDED), None)
    say("timing all rungs in turn")
    speeds = measure_speed([one.predictor for one in entries], test.inputs, speed, seed=seed, say=say)
    cost = price(usd_per_hour, threads)
    rungs: list[Rung] = []
    peaks: dict[str, int | None] = {}
    for i, one in enumerate(entries):
        if memory and one.artifact.content_hash not in peaks:
            opener = "leanformer.loading:open_predictor"
            peaks[one.artifact.content_hash] = measure_memory(one.artifact, test.inputs[:500], opener, threads)
        rate = speeds[i].throughput_per_second
        before = next((s for e, s in zip(entries, speeds, strict=True) if e.name == one.after), speeds[0])
        parameters = one.artifact.properties.get("parameters")
        scorer = id(one.scorer or one.predictor)
        dev_pair = None if dev is None else (dev_scores[scorer], dev.targets)
        lengths = [len(row) for row in one.predictor.tokenize(test.inputs)]
        flops, waste = _work(one, lengths)
        rungs.append(
            Rung(
                name=one.name,
                after=one.after,
                runtime=one.runtime,
                dev_quality=on_dev.get(scorer),
                metric=metric,
                n=len(test),
                **asdict(
                    measure_quality(
                        scores[i],
                        test.targets,
                        scores[0],
                        one.artifact.task,
                        entries[0].artifact.task,
                        languages=test.languages,
                    )
                ),
                **asdict(speeds[i]),
                speedup=rate / speeds[0].throughput_per_second,
                speedup_over_unpadded=None if unpadded is None else rate / speeds[unpadded].throughput_per_second,
                marginal=rate / before.throughput_per_second,
                usd_per_100m=usd_per_100m(rate, cost["usd_per_hour"]),
                bytes=one.artifact.bytes,
                parameters=None if parameters is None else int(parameters),
                peak_memory_bytes=peaks.get(one.artifact.content_hash),
                format=one.artifact.format,
                content_hash=one.artifact.content_hash,
                chooseable=one.chooseable,
                lossless=one.lossless,
                loss=_loss(scores[i], scores[0], test, data.task, lengths, dev_pair),
                lineage=tuple({"step": e["step"], "options": e.get("options", {})} for e in one.artifact.history),
                flops_per_text=flops,
                padding_waste=waste,
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


def _loss(
    values: np.ndarray,
    reference: np.ndarray,
    test: Examples,
    task: Task,
    lengths: list[int],
    dev: tuple[np.ndarray, np.ndarray] | None,
) -> dict[str, Any] | None:
    """Where quality was lost, by class and length; None for kinds whose answers are not one label of several."""
    return describe_loss(values, reference, test.targets, task, lengths, dev) if task.answer == "label" else None


def _work(entry: Entry, lengths: list[int]) -> tuple[float | None, float | None]:
    """Operations of the matrix products per text as this rung batches the texts, and the share that is padding.

    None where it is not known: for shapes that `measure.flops` does not count (gated feed-forward blocks, projected
    embeddings, graphs that are not packed for that reason), and for the padding of packs, whose FLOPs here are those
    of the texts' own tokens.
    """
    artifact, properties = entry.artifact, dict(entry.artifact.properties)
    layout = properties.get("layout")
    if layout == "padded":
        return None, None
    if artifact.format == "encoder":
        config = json.loads(artifact.file("encoder.json").read_text(encoding="utf-8"))
        if config.get("gated_ffn") or config.get("embedding"):
            return None, None
        properties |= {"hidden": config["hidden"], "head_size": config["head_size"]}
        properties["layers"] = [[one["heads"], one["ffn"]] for one in config["layers"]]
    tags = artifact.task.answer == "tags"
    shape = shape_of(
        properties, artifact.task.outputs, first_only=artifact.format == "onnx" and not tags, every_token=tags
    )
    if shape is None or not lengths:
        return None, None
    if artifact.format == "onnx":
        return work(shape, [[length] for length in lengths]).per_text, None
    rows = [np.zeros(length, dtype=np.int8) for length in lengths]
    batches = batches_by_length(rows, getattr(entry.predictor, "batch_tokens", None))
    padded = getattr(entry.predictor, "pad_to", None)
    done = work(shape, [[lengths[i] for i in batch] for batch in batches], pad_to=padded)
    return done.per_text, done.waste


def describe(data: Dataset) -> dict[str, Any]:
    """Name, content hashes and sizes of the splits."""
    return {
        "name": data.name,
        "content_hash": data.content_hash,
        "training_hash": data.training_hash,
        "overlap": data.overlap,
        # Of the texts alone, so that `leanformer gate` knows them again whatever they are called.
        "splits": {
            split: texts_hash(examples.inputs)
            for split in ("train", "dev", "test", "unlabelled")
            if (examples := getattr(data, split)) is not None
        },
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
            remedy=f"add {split}.jsonl to the folder, or name a file in it: --split {split}=FILE",
        )  # fmt: skip
    return examples
