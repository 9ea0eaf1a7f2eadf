"""Consecutive fits of one student, each ending with its best weights on dev."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from leanformer.compress.recurrent.objective import StudentLoss, StudentWeights
from leanformer.compress.recurrent.strategies import Stage
from leanformer.errors import DataError
from leanformer.files import alone, sha256_json
from leanformer.models.bilstm import BiLstm
from leanformer.tagging.ragged import is_ragged
from leanformer.train.feeds.batches import NOT_ASKED, TrainingSet
from leanformer.train.feeds.by_group import feed_of
from leanformer.train.fit import encoder_hash
from leanformer.train.hooks.unfreezing import Unfrozen
from leanformer.train.judging import nearness
from leanformer.train.loop import Plan
from leanformer.train.objectives.objective import RowLoss
from leanformer.train.parts import fit_with_parts
from leanformer.train.settings import FitSettings
from leanformer.train.teacher_outputs import TeacherOutputs


@dataclass(frozen=True)
class Follow:
    """How the student follows the teacher: answer form, teacher layer, state distance and weights; and the label loss
    with its parameters (see `StudentLoss`), which is passed on from fit to fit.
    """

    answer: str
    layer: int = 0
    kind: str = "kld"
    weights: StudentWeights | None = None
    labels: RowLoss | None = None


@dataclass(frozen=True)
class Rows:
    """Rows to train on or to evaluate, with the teacher's outputs on them (None if only labels are learnt)."""

    data: TrainingSet
    outputs: TeacherOutputs | None


def fit_stages(
    model: BiLstm,
    stages: Sequence[Stage],
    train: Rows,
    dev: Rows,
    follow: Follow,
    settings: FitSettings,
    *,
    epochs: Callable[[Stage, int], int],
    figure: Callable[[], float],
    work: Path,
    identity: str,
    device: torch.device,
    shared: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> list[dict[str, Any]]:
    """Fit `model` in place, stage by stage; return a record of each with its number of trainable parameters.

    A stage that learns from labels keeps the epoch with the best `figure`, any other the epoch with the lowest dev
    loss. The weights at the start of a stage are a candidate too, unless the stage is judged by `figure` and the head
    has not been trained yet. Frozen parts stay bit-identical.

    Args:
        epochs: number of epochs for a stage and a number of rows. figure: the current dev figure; higher is better.
        work: folder for each stage's checkpoints. If a run is killed and called again with the same arguments, it
            resumes and ends with the same bytes.
        shared: a folder for the first stage instead of `work`, for several runs that share this stage.
        identity: hash of the inputs.

    Raises `DataError` if a stage learns only from labels and there are none.
    """
    done = []
    for number, stage in enumerate(stages, start=1):
        unfrozen = Unfrozen(model.parts(), stage.trains)
        trainable = unfrozen.parameters
        say(f"fit {number} of {len(stages)}: {stage.name}; {trainable:,} parameters, {', '.join(stage.trains)}")
        data = _labelled(train.data) if stage.labelled_only else train.data
        loss, on_dev = (_objective(stage, follow, rows.outputs) for rows in (train, dev))
        # An untrained head may score well by chance.
        answers = any("head" in earlier.trains for earlier in stages[: number - 1])
        own = replace(settings, epochs=epochs(stage, len(data)), keep_start=stage.by_loss or answers)
        near = partial(nearness, model, on_dev, dev.data, token_budget=own.token_budget, device=device)
        place = shared if shared is not None and number == 1 else work
        # Runs that share the first stage may reach it at the same time: one fits, the others wait and reuse the result.
        with alone(place / ".lock") if place is shared else nullcontext():
            asked = [identity, number, stage.name, stage.losses, stage.trains, *_before(model, follow)]
            plan = Plan(
                own, near if stage.by_loss else figure, place / f"fit-{number}", sha256_json(asked), device, say=say
            )
            result = fit_with_parts(model, loss, feed_of(data, own), plan, [unfrozen])
        value = figure()
        say(f"fit {number} of {len(stages)}: dev figure {value:.4f}")
        done.append(
            {
                "name": stage.name, "losses": list(stage.losses), "trains": list(stage.trains),
                "trainable_parameters": trainable, "judged_by": "dev loss" if stage.by_loss else "dev figure",
                "scores": list(result.scores), "best_epoch": result.best_epoch + 1, "dev_figure": value,
            }
        )  # fmt: skip
    return done


def _before(model: BiLstm, follow: Follow) -> list[Any]:
    """The starting point of a fit: the model, and the parameters of the label loss."""
    return [encoder_hash(model), *([] if follow.labels is None else [p.tolist() for p in follow.labels.parameters()])]


def _objective(stage: Stage, follow: Follow, outputs: TeacherOutputs | None) -> StudentLoss:
    return StudentLoss(
        stage.losses, answer=follow.answer, outputs=outputs, layer=follow.layer, kind=follow.kind,
        weights=follow.weights, labels=follow.labels,
    )  # fmt: skip


def _labelled(data: TrainingSet) -> TrainingSet:
    """The rows that have a label."""
    if is_ragged(data.labels):
        known = np.array([bool((row > NOT_ASKED).any() and row.max() >= 0) for row in data.labels])
    elif data.labels.dtype.kind == "f":
        known = ~np.isnan(data.labels)
    else:
        known = (data.labels if data.labels.ndim == 1 else data.labels.max(axis=1)) >= 0
    if not known.any():
        raise DataError("labels are to be learnt from, and no training text has one")
    return data.select(np.flatnonzero(known).tolist())
