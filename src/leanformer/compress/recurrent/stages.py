"""Several fits of one student, one after the other, each ending with its best weights on dev."""

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
from leanformer.train.feeds.batches import NOT_ASKED, TrainingSet, to_batches
from leanformer.train.fit import encoder_hash
from leanformer.train.loop import FitSettings, fit
from leanformer.train.objectives.chain import TagChain
from leanformer.train.teacher_outputs import TeacherOutputs


@dataclass(frozen=True)
class Follow:
    """How the student follows the teacher: the answer's form, the teacher's layer, the distance of states, weights; and
    the chain that labels are learnt with, if any (see `objectives.chain`), which goes from fit to fit.
    """

    answer: str
    layer: int = 0
    kind: str = "kld"
    weights: StudentWeights | None = None
    chain: TagChain | None = None


@dataclass(frozen=True)
class Rows:
    """Rows to train on, or to judge by, and what the teacher makes of them (None where labels alone are learnt)."""

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
    """Fit `model` in place, stage by stage; what happened in each, with its trainable parameters.

    A stage that learns from labels keeps its best epoch by `figure`, the others by their loss on dev. The weights that
    a stage begins with are among those that it may keep, unless it is by `figure` and nothing has learnt to answer yet.
    Frozen parts keep every bit.

    Args:
        epochs: of a stage on so many rows. figure: the dev figure of the model as it stands; higher is better.
        work: a folder in which each stage has its checkpoints. Killed and called again with the same arguments, the
            run goes on where it was and ends with the same bytes.
        shared: a folder for the first stage in place of `work`, where it is the same for several runs.
        identity: hash of what was handed in.

    Raises `DataError` where a stage learns from labels alone and there are none.
    """
    done = []
    for number, stage in enumerate(stages, start=1):
        for name, part in model.parts().items():
            part.requires_grad_(name in stage.trains)
        trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
        say(f"fit {number} of {len(stages)}: {stage.name}; {trainable:,} parameters, {', '.join(stage.trains)}")
        data = _labelled(train.data) if stage.labelled_only else train.data
        loss = _objective(stage, follow, train.outputs)
        # What has not learnt to answer yet may answer well by chance.
        answers = any("head" in earlier.trains for earlier in stages[: number - 1])
        own = replace(settings, epochs=epochs(stage, len(data)), keep_start=stage.by_loss or answers)
        score = partial(_nearness, stage, model, dev, follow, own, device) if stage.by_loss else figure
        place = shared if shared is not None and number == 1 else work
        # Runs that have the first stage in common may come to it at once: one fits, the others wait and find it.
        with alone(place / ".lock") if place is shared else nullcontext():
            asked = [identity, number, stage.name, stage.losses, stage.trains, *_before(model, follow)]
            result = fit(
                model, loss, data, own, score=score, device=device, say=say, folder=place / f"fit-{number}",
                identity=sha256_json(asked),
            )  # fmt: skip
        value = figure()
        say(f"fit {number} of {len(stages)}: dev figure {value:.4f}")
        done.append(
            {
                "name": stage.name, "losses": list(stage.losses), "trains": list(stage.trains),
                "trainable_parameters": trainable, "judged_by": "dev loss" if stage.by_loss else "dev figure",
                "scores": list(result.scores), "best_epoch": result.best_epoch + 1, "dev_figure": value,
            }
        )  # fmt: skip
    model.requires_grad_(True)
    return done


def _before(model: BiLstm, follow: Follow) -> list[Any]:
    """What a fit starts from."""
    return [encoder_hash(model), *([] if follow.chain is None else [follow.chain.transitions()])]


def _nearness(
    stage: Stage, model: BiLstm, dev: Rows, follow: Follow, settings: FitSettings, device: torch.device
) -> float:
    """Minus the loss on dev; the model is in eval mode."""
    loss, total = _objective(stage, follow, dev.outputs), 0.0
    with torch.inference_mode():
        every = np.arange(len(dev.data))
        for batch in to_batches(dev.data, every, token_budget=settings.token_budget, device=device):
            total += float(loss(model, batch)) * batch.share
    return -total


def _objective(stage: Stage, follow: Follow, outputs: TeacherOutputs | None) -> StudentLoss:
    return StudentLoss(
        stage.losses, answer=follow.answer, outputs=outputs, layer=follow.layer, kind=follow.kind,
        weights=follow.weights, chain=follow.chain,
    )  # fmt: skip


def _labelled(data: TrainingSet) -> TrainingSet:
    """The rows that have a label."""
    if is_ragged(data.labels):
        known = np.array([bool((row > NOT_ASKED).any() and row.max() >= 0) for row in data.labels])
    elif data.labels.dtype.kind == "f":
        known = ~np.isnan(data.labels)
    else:
        known = (data.labels if data.labels.ndim == 1 else data.labels.max(axis=1)) >= 0
    rows = np.flatnonzero(known).tolist()
    if not rows:
        raise DataError("labels are to be learnt from, and no training text has one")
    return TrainingSet(
        [data.rows[int(i)] for i in rows], data.labels[rows], data.padding_id,
        None if data.groups is None else data.groups[rows], None if data.goes_on is None else data.goes_on[rows],
    )  # fmt: skip
