"""A small model in seconds, without PyTorch: linear on n-grams, and measured on held-out rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from leanformer.answers.forms import decide, form_of, metric_name, metric_of
from leanformer.artifact import Artifact, open_artifact
from leanformer.curate.written import write_splits
from leanformer.data.carving import carve_dev, strata
from leanformer.data.dataset import SPLITS, Dataset
from leanformer.data.overlap import normalise_all
from leanformer.data.used_texts import UsedTexts, attach
from leanformer.data.variety import require_variety
from leanformer.errors import DataError, LeanformerError
from leanformer.linear.fit import check_task, fit_linear
from leanformer.loading import open_predictor
from leanformer.measure.speed import SpeedSettings, measure_speed
from leanformer.metrics.bootstrap import interval
from leanformer.outputs.folders import new_output
from leanformer.outputs.ours import theirs
from leanformer.predictor import EngineUsed, logits
from leanformer.tiny.store import write_linear

STEP = "quickstart"
_MAX_TOKENS = 128  # that of a Transformer which it may be combined with; n-grams are those of whole texts
_SPEED = SpeedSettings(rounds=3, latency_texts=30, seconds=1.0)


@dataclass(frozen=True)
class Quickstart:
    """The model, and its figures on the held-out rows.

    Attributes:
        metric: name of the figure. quality: its value; low, high: a 95 % bootstrap interval. n: held-out rows.
        constant: the figure of the answer that is most frequent in train; None unless each text has one label.
        texts_per_second: with all threads, tokenizing included. engine: what runs the model here.
        data: the folder that the splits were written to; None if there was a test split.
    """

    artifact: Artifact
    metric: str
    quality: float
    low: float
    high: float
    n: int
    constant: float | None
    texts_per_second: float
    engine: EngineUsed
    data: Path | None


def quickstart(
    data: Dataset, output: Path, *, seed: int = 13, threads: int | None = None, say: Callable[[str], None]
) -> Quickstart:
    """Train on `data`, write the artifact to `output`, and measure it on test.

    Without a test split a tenth of train is held out, and all splits are written to `output` plus ".data", so that
    other models can be trained and measured on the same rows.

    Raises `LeanformerError` for a task that models on n-grams cannot do, and what `fit_linear` raises.
    """
    check_task(data.task)
    require_variety(data)
    place = None
    if data.test is None:
        data, place = _with_test(data, seed), output.with_name(output.name + ".data")
        _write_data(data, place, say)
        say(f"there is no test split: {len(data.test or ())} rows of train are held out; all splits are in {place}")
    fitted = fit_linear(replace(data, test=None), seed=seed)
    say(f"n-grams of {' and '.join(fitted.kinds)}, C {fitted.strength:g}: {fitted.dev_quality:.4f} on dev")
    options = {"ngrams": " and ".join(fitted.kinds), "C": fitted.strength, "seed": seed}
    assert data.dev is not None and data.test is not None
    with new_output(output, say) as temporary:
        write_linear(
            fitted.predictor, temporary, data.dev, max_tokens=_MAX_TOKENS,
            history=[{"step": STEP, "options": options, "parent": None}],
        )  # fmt: skip
        attach(open_artifact(temporary), data.used_texts | UsedTexts.of(test=data.test))
    artifact = open_artifact(output)
    predictor, test = open_predictor(artifact, threads=threads), data.test
    form, answers = form_of(artifact.task), decide(logits(predictor, test.inputs), artifact.task)
    low, high = interval(form.of_rows(answers, test.targets, artifact.task), len(test))
    speed = measure_speed([predictor], test.inputs, _SPEED, seed=seed)[0]
    return Quickstart(
        artifact, metric_name(artifact.task), metric_of(artifact.task)(answers, test.targets), low, high, len(test),
        _constant(data), speed.throughput_per_second, predictor.engine_used, place,
    )  # fmt: skip


def _with_test(data: Dataset, seed: int) -> Dataset:
    """The data with a tenth of train as test, drawn as dev is."""
    train = data.train
    rows = () if train is None else carve_dev(normalise_all(train.inputs), strata(train), seed + 1)
    if train is None or not rows:
        raise DataError(
            "there is no test split, and no row of train to spare for one", path=data.name,
            remedy="give more labelled rows: at least three of each label",
        )  # fmt: skip
    left = np.setdiff1d(np.arange(len(train)), rows).tolist()
    return replace(data, train=train.select(left), test=train.select(rows))


def _write_data(data: Dataset, folder: Path, say: Callable[[str], None]) -> None:
    if folder.exists() and (not folder.is_dir() or theirs(folder)):
        raise LeanformerError(
            f"{folder}: exists, and is not as an earlier quickstart wrote it; it will not be overwritten\n"
            "  remedy: another --output"
        )
    # As JSON Lines, whatever they were: a file that was divided is no source of one split.
    parts = {split: replace(part, lines=None) for split in SPLITS if (part := getattr(data, split)) is not None}
    with new_output(folder, say) as temporary:
        write_splits(temporary, replace(data, **parts), {}, kind=data.task.kind)


def _constant(data: Dataset) -> float | None:
    """The figure on test of always giving the label that is most frequent in train."""
    if not form_of(data.task).exclusive or data.train is None or data.test is None:
        return None
    most = int(np.bincount(data.train.targets).argmax())
    return metric_of(data.task)(np.full(len(data.test), most), data.test.targets)
