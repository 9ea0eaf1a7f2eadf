"""The ladder: one rung per addition, starting from the plain PyTorch program, all measured in one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import numpy as np

from leanformer.answers.forms import decide, form_of, score_logits
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.data.leaks import Leaks, find_leaks
from leanformer.data.used_texts import recorded
from leanformer.errors import ArtifactError, DataError
from leanformer.ladder.entries import OPENER, UNTUNED, Entry
from leanformer.ladder.floor import over_floor
from leanformer.ladder.on_request import NOTHING, Further, Subject
from leanformer.ladder.operations import UNKNOWN_WORK, work_of
from leanformer.ladder.timing import Choosing, RungStanding, time_rungs
from leanformer.linear.predictor import LinearPredictor
from leanformer.machine import fingerprint
from leanformer.measure.clean_quality import clean_quality
from leanformer.measure.cost import price, usd_per_100m
from leanformer.measure.data_reuse import texts_hash
from leanformer.measure.energy import EnergySettings, meter_inference
from leanformer.measure.lost import lost_labels
from leanformer.measure.lost_quality import describe_loss
from leanformer.measure.machine_peak import measure_peak
from leanformer.measure.memory import measure_memory
from leanformer.measure.quality import measure_quality
from leanformer.measure.speed import SpeedSettings
from leanformer.predictor import Predictor, chunked, logits, token_counts
from leanformer.report import Report, Rung
from leanformer.task import Task, Text


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
    choosing: Choosing | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Report:
    """Measure all entries on the same texts and threads; the first is the reference for comparisons.

    The test split is scored once per model. Raises `DataError` without a labelled test split, and without a labelled
    dev split if a rung is to be chosen (`need_dev`). With `choosing`, timing continues for the rungs that may be chosen
    until the choice is sure (`ladder.contest`).
    """
    test = _labelled(data, "test")
    dev = _labelled(data, "dev") if need_dev or data.dev is not None else None
    prepared = further.prepare(test, threads)
    leaks = {"test": find_leaks(data, "test"), "dev": find_leaks(data, "dev", near_letters=0)}
    say(f"scoring {len(entries)} rungs on {0 if dev is None else len(dev)} dev and {len(test)} test texts")
    scorers = {id(entry.scorer or entry.predictor): entry.scorer or entry.predictor for entry in entries}
    on_test = {key: _scored(predictor, test.inputs) for key, predictor in scorers.items()}
    dev_scores = {} if dev is None else {key: _scored(predictor, dev.inputs) for key, predictor in scorers.items()}
    on_dev = {
        key: score_logits(values, dev.targets, scorers[key].task)
        for key, values in dev_scores.items()
        if dev is not None
    }
    scores = [on_test[id(entry.scorer or entry.predictor)] for entry in entries]
    first = id(entries[0].scorer or entries[0].predictor)
    keys = [id(entry.scorer or entry.predictor) for entry in entries]
    lost = [() if dev is None else _lost(scorers, dev_scores, key, first, dev) for key in keys]
    standings = [
        RungStanding(entry.name, on_dev.get(key), labels, entry.chooseable, entry.lossless)
        for entry, key, labels in zip(entries, keys, lost, strict=True)
    ]
    beside_floor = over_floor(entries, scores, test)
    say("timing all rungs in turn")
    timing = time_rungs(
        entries, standings, data, test, speed, threads=threads, choosing=choosing, seed=seed, say=say
    )  # fmt: skip
    speeds = timing.speeds
    peak = measure_peak()
    metered = [_metered(entry, test, energy, speed.seconds, seed, say) for entry in entries]
    cost = price(usd_per_hour, threads)
    rungs: list[Rung] = []
    peaks: dict[tuple[str, str], int | None] = {}
    for i, entry in enumerate(entries):
        if further.again():
            say(f"scoring again: {entry.name}")
        tuned = getattr(entry.predictor, "tuning", None) is not None
        opener = entry.opener if entry.opener != OPENER or tuned else UNTUNED
        opened = entry.artifact.content_hash, opener
        if memory and opened not in peaks:
            peaks[opened] = measure_memory(entry.artifact, test.inputs[:500], opener, threads)
        rate = speeds[i].throughput_per_second
        parameters = entry.artifact.properties.get("parameters")
        scorer = id(entry.scorer or entry.predictor)
        dev_pair = None if dev is None else (dev_scores[scorer], dev.targets)
        # The rows of a foreign predictor may be anything, for instance whole batches.
        ours_opened = entry.opener == OPENER
        rows, lengths = token_counts(entry.predictor if ours_opened else entries[0].predictor, test.inputs)
        loss = _loss(scores[i], scores[0], test, data.task, lengths, dev_pair)
        ours, theirs = (None, None) if loss is None else (scores[i].argmax(axis=1), scores[0].argmax(axis=1))
        subject = Subject(entry.artifact, entry.scorer or entry.predictor, test, ours, theirs, prepared)
        if loss is not None:
            loss |= further.measured(subject, in_loss=True)
        per_text = len(rows) / len(test)
        done = work_of(entry.artifact, entry.predictor, rows, per_text) if ours_opened else dict(UNKNOWN_WORK)
        inner = entry.artifact.properties.get("parameters_without_embeddings")
        rungs.append(
            Rung(
                name=entry.name,
                after=entry.after,
                runtime=entry.runtime,
                dev_quality=on_dev.get(scorer),
                lost=lost[i],
                metric=metric,
                n=len(test),
                **asdict(
                    measure_quality(
                        scores[i],
                        test.targets,
                        scores[0],
                        entry.artifact.task,
                        entries[0].artifact.task,
                        languages=test.languages,
                    )
                ),
                **clean_quality(
                    scores[i],
                    test.targets,
                    scores[0],
                    entry.artifact.task,
                    entries[0].artifact.task,
                    leaks=leaks["test"],
                ),
                over_floor=beside_floor[i],
                engine=None if (used := getattr(entry.predictor, "engine_used", None)) is None else used.to_json(),
                **asdict(speeds[i]),
                **timing.ratios[i],
                usd_per_100m=usd_per_100m(rate, cost["usd_per_hour"]),
                bytes=entry.artifact.bytes,
                parameters=None if parameters is None else int(parameters),
                peak_memory_bytes=peaks.get(opened),
                format=entry.artifact.format,
                content_hash=entry.artifact.content_hash,
                chooseable=entry.chooseable,
                lossless=entry.lossless,
                loss=loss,
                measured=further.measured(subject, in_loss=False),
                lineage=tuple({"step": e["step"], "options": e.get("options", {})} for e in entry.artifact.history),
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
        data=describe(data, leaks),
        price=cost,
        peak=asdict(peak),
        notes=(*data.notes, *notes, *calibrated_on(test, entries)),
        machine_load=timing.load,
        timing=timing.settings,
    )


def _scored(predictor: Predictor, texts: Sequence[Text]) -> np.ndarray:
    """The logits of all texts; for a linear model, whose rows are a hundred times as large as token ids, in chunks."""
    if not isinstance(predictor, LinearPredictor):
        return logits(predictor, texts)
    return np.concatenate([logits(predictor, part) for part in chunked(texts)])


def _lost(
    scorers: dict[int, Predictor], scores: dict[int, np.ndarray], ours: int, first: int, dev: Examples
) -> tuple[str, ...]:
    """The labels that a rung loses on dev compared with the first rung; none for the first rung itself."""
    if ours == first:
        return ()
    answers, reference = (decide(scores[rung], scorers[rung].task) for rung in (ours, first))
    return lost_labels(answers, reference, dev.targets, scorers[ours].task)


def _loss(
    values: np.ndarray,
    reference: np.ndarray,
    test: Examples,
    task: Task,
    lengths: list[int],
    dev: tuple[np.ndarray, np.ndarray] | None,
) -> dict[str, Any] | None:
    """Where quality was lost, by class and length; None for tasks whose answer is not one label of several."""
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


def describe(data: Dataset, leaks: Mapping[str, Leaks | None]) -> dict[str, Any]:
    """Name, content hashes and sizes of the splits, and the leaks between them."""
    return {
        "name": data.name,
        "content_hash": data.content_hash,
        "training_hash": data.training_hash,
        "overlap": data.overlap,
        "leaks": {split: None if found is None else found.to_json() for split, found in leaks.items()},
        # Hash of the texts alone, so that `leanformer gate` recognises them whatever the split is called.
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


def calibrated_on(test: Examples, entries: Sequence[Entry]) -> list[str]:
    """A sentence for each model that was calibrated on test texts, whose figures are then too good."""
    found: dict[str, str] = {}
    for entry in entries:
        with suppress(ArtifactError):  # `leanformer gate` reports a lost record
            if (used := recorded(entry.artifact)) and (count := used.roles_of(test).count("calibration")):
                found[entry.artifact.content_hash] = (
                    f"{entry.name}: {count:,} of {len(test):,} test texts were used to calibrate it, so that its test "
                    "figures may be too good"
                )
    return [*found.values()]


def _labelled(data: Dataset, split: str) -> Examples:
    examples: Examples | None = getattr(data, split)
    if examples is None or examples.labels is None:
        raise DataError(
            f"there is no labelled {split} split to measure on", path=data.name,
            remedy=f"add {split}.jsonl to the folder, or name a file in it: --split {split}=FILE",
        )  # fmt: skip
    return examples
