"""The ladder: one rung per thing added, from the plain PyTorch program on, all measured in one run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from leanformer.answers.forms import decide, form_of, score_logits
from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError
from leanformer.formats import format_of
from leanformer.ladder.on_request import NOTHING, Further, Subject
from leanformer.ladder.operations import UNKNOWN_WORK, work_of
from leanformer.loading import open_predictor
from leanformer.machine import fingerprint
from leanformer.measure.cost import price, usd_per_100m
from leanformer.measure.data_reuse import texts_hash
from leanformer.measure.energy import EnergySettings
from leanformer.measure.inference import meter_inference
from leanformer.measure.lost import lost_labels
from leanformer.measure.lost_quality import describe_loss
from leanformer.measure.machine_peak import measure_peak
from leanformer.measure.memory import measure_memory
from leanformer.measure.quality import measure_quality
from leanformer.measure.speed import SpeedSettings, measure_speed
from leanformer.predictor import Predictor, logits
from leanformer.report import Report, Rung
from leanformer.task import Task

PADDED_TO = 128
_ENGINES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "native": "our engine"}
UNPADDED = "no padding"
OPENER, UNTUNED = "leanformer.loading:open_predictor", "leanformer.loading:open_untuned"


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
    # "module:function" or "module:Class" that opens the predictor in the fresh process that memory is measured in.
    opener: str = OPENER


def baseline_entries(teacher: Artifact, threads: int) -> list[Entry]:
    """The teacher in PyTorch, fp32: padded to 128 and one at a time; unpadded; in batches by length."""
    import torch

    from leanformer.models.predictor import TorchPredictor

    torch.set_num_threads(threads)
    single, batched = TorchPredictor(teacher, batch_tokens=None), TorchPredictor(teacher)
    width = min(PADDED_TO, single.positions)
    padded = TorchPredictor(teacher, pad_to=width, batch_tokens=None)
    names = (f"PyTorch, padded to {width}", UNPADDED, "batches by length")
    foreign = format_of(teacher).foreign
    module = "PyTorch fp32, " + ("transformers" if foreign else "our module")
    one_by_one = f"{module}, one text at a time"
    # Only a model that cannot be exported may be chosen as it came.
    return [
        Entry(names[0], None, teacher, padded, one_by_one, chooseable=False, lossless=True, scorer=batched),
        Entry(names[1], names[0], teacher, single, one_by_one, chooseable=False, lossless=True, scorer=batched),
        Entry(names[2], names[1], teacher, batched, f"{module}, batches", chooseable=foreign, lossless=True),
    ]


def open_entry(name: str, after: str | None, artifact: Artifact, threads: int, *, lossless: bool = False) -> Entry:
    """A rung of an artifact that a step made, run as it will be: graphs on one-thread workers."""
    predictor = open_predictor(artifact, threads=threads)
    engine = _ENGINES.get(getattr(predictor, "engine", ""), "another engine")
    runtime = format_of(artifact).rung.format(
        engine=engine, precision=artifact.properties.get("precision", ""), threads=threads
    )
    return Entry(name, after, artifact, predictor, runtime, True, lossless)


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
    energy: EnergySettings | None = None,
    further: Further = NOTHING,
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
    prepared = further.prepare(test, threads)
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
    peak = measure_peak()
    metered = [_metered(one, test, energy, speed.seconds, seed, say) for one in entries]
    cost = price(usd_per_hour, threads)
    first = id(entries[0].scorer or entries[0].predictor)
    rungs: list[Rung] = []
    peaks: dict[tuple[str, str], int | None] = {}
    for i, one in enumerate(entries):
        if further.again():
            say(f"scoring again: {one.name}")
        tuned = getattr(one.predictor, "tuning", None) is not None
        opener = one.opener if one.opener != OPENER or tuned else UNTUNED
        opened = one.artifact.content_hash, opener
        if memory and opened not in peaks:
            peaks[opened] = measure_memory(one.artifact, test.inputs[:500], opener, threads)
        rate = speeds[i].throughput_per_second
        before = next((s for e, s in zip(entries, speeds, strict=True) if e.name == one.after), speeds[0])
        parameters = one.artifact.properties.get("parameters")
        scorer = id(one.scorer or one.predictor)
        dev_pair = None if dev is None else (dev_scores[scorer], dev.targets)
        # The rows of a foreign predictor may be anything, such as whole batches.
        ours_opened = one.opener == OPENER
        lengths = [len(row) for row in (one.predictor if ours_opened else entries[0].predictor).tokenize(test.inputs)]
        loss = _loss(scores[i], scores[0], test, data.task, lengths, dev_pair)
        ours, theirs = (None, None) if loss is None else (scores[i].argmax(axis=1), scores[0].argmax(axis=1))
        subject = Subject(one.artifact, one.scorer or one.predictor, test, ours, theirs, prepared)
        if loss is not None:
            loss |= further.measured(subject, in_loss=True)
        done = work_of(one.artifact, one.predictor, lengths) if ours_opened else dict(UNKNOWN_WORK)
        inner = one.artifact.properties.get("parameters_without_embeddings")
        rungs.append(
            Rung(
                name=one.name,
                after=one.after,
                runtime=one.runtime,
                dev_quality=on_dev.get(scorer),
                lost=() if dev is None else _lost(scorers, dev_scores, scorer, first, dev),
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
                peak_memory_bytes=peaks.get(opened),
                format=one.artifact.format,
                content_hash=one.artifact.content_hash,
                chooseable=one.chooseable,
                lossless=one.lossless,
                loss=loss,
                measured=further.measured(subject, in_loss=False),
                lineage=tuple({"step": e["step"], "options": e.get("options", {})} for e in one.artifact.history),
                **done,
                energy=metered[i],
                parameters_without_embeddings=None if inner is None else int(inner),
                peak_share=_share(done["flops_per_text"], speeds[i].inference_per_second, peak.flops_per_second),
            )
        )
    return Report(
        title=title,
        rungs=tuple(rungs),
        machine=fingerprint(threads),
        data=describe(data),
        price=cost,
        peak=asdict(peak),
        notes=(*data.notes, *notes),
    )


def _lost(
    scorers: dict[int, Predictor], scores: dict[int, np.ndarray], ours: int, first: int, dev: Examples
) -> tuple[str, ...]:
    """The labels that a rung loses on dev against the first one; of that itself none."""
    if ours == first:
        return ()
    answers, reference = (decide(scores[one], scorers[one].task) for one in (ours, first))
    return lost_labels(answers, reference, dev.targets, scorers[ours].task)


def _loss(
    values: np.ndarray,
    reference: np.ndarray,
    test: Examples,
    task: Task,
    lengths: list[int],
    dev: tuple[np.ndarray, np.ndarray] | None,
) -> dict[str, Any] | None:
    """Where quality was lost, by class and length; None for kinds whose answers are not one label of several."""
    return describe_loss(values, reference, test.targets, task, lengths, dev) if form_of(task).exclusive else None


def _metered(
    entry: Entry, test: Examples, settings: EnergySettings | None, seconds: float, seed: int, say: Callable[[str], None]
) -> dict[str, Any] | None:
    if settings is None:
        return None
    say(f"metering energy for {settings.seconds:g} s: {entry.name}")
    return asdict(meter_inference(entry.predictor, test.inputs, settings, seconds=seconds, seed=seed))


def _share(flops_per_text: float | None, texts_per_second: float, peak: float) -> float | None:
    return None if flops_per_text is None else flops_per_text * texts_per_second / peak


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
