"""The training loop, readable from top to bottom.

    for epoch in epochs:
        for step in batches by length:                 # epoch_steps
            for block in blocks of the step:           # to_batches, by the token budget
                loss = objective(model, block)         # under autocast
                (loss * share of the step).backward()
            clip the gradient, step, learning rate up (warm-up) then down (linear)
            now and then: checkpoint
        score on dev; keep the best weights; checkpoint
    put the best weights back

A run is a function of its arguments: killed at any moment and started again it goes on from the last checkpoint
and ends with the same bytes, given the same number of threads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from leanformer.errors import LeanformerError
from leanformer.files import sha256_json
from leanformer.train import checkpoint
from leanformer.train.feeds.batches import TrainingSet, epoch_steps, to_batches
from leanformer.train.objectives.objective import Objective
from leanformer.train.precision import autocast, resolve

_LEAST_RATE = 1e-8


@dataclass(frozen=True)
class FitSettings:
    """How to train.

    Attributes:
        epochs: passes over the data.
        batch_size: rows per optimiser step.
        token_budget: most tokens, padding included, per forward pass; larger steps are accumulated.
        learning_rate: at its peak.
        warmup: share of all steps in which the rate rises linearly; afterwards it falls linearly to zero.
        weight_decay: of AdamW, on matrices only, not on biases and norms.
        clip: largest norm of the gradient.
        precision: "auto", "fp32" or "bf16".
        seed: of batch order and dropout.
        language_temperature: 1 sees every text once an epoch; above it languages are sampled more evenly (see
            `batches.drawn_by_group`). Without languages it changes nothing.
        checkpoint_seconds: wall-clock seconds between checkpoints within an epoch.
        schedule: how the rate falls after the warm-up: "linear", or "cosine" (Loshchilov and Hutter 2017), which ends
            at 1e-8 rather than nought.
        keep_start: score the weights that training begins with too, and keep them if nothing is better.
    """

    epochs: int = 3
    batch_size: int = 64
    token_budget: int = 8192
    learning_rate: float = 5e-5
    warmup: float = 0.06
    weight_decay: float = 0.01
    clip: float = 1.0
    precision: str = "auto"
    seed: int = 13
    checkpoint_seconds: float = 60.0
    language_temperature: float = 1.0
    schedule: str = "linear"
    keep_start: bool = False


@dataclass(frozen=True)
class FitResult:
    """What came of a run: the dev score after each epoch, the best epoch (from 0; -1 where the start was best and
    kept), the training seconds.
    """

    scores: tuple[float, ...]
    best_epoch: int
    seconds: float


def fit(
    model: nn.Module,
    objective: Objective,
    data: TrainingSet,
    settings: FitSettings,
    *,
    score: Callable[[], float],
    folder: Path,
    identity: str,
    device: torch.device,
    say: Callable[[str], None] = lambda line: None,
    warn: Callable[[str], None] | None = None,
) -> FitResult:
    """Train `model` (and the objective's own parameters) in place, ending with the best weights by dev score.

    Args:
        score: the dev score of the model as it stands; higher is better. Called in eval mode after each epoch.
        folder: where checkpoints go.
        identity: hash of what was handed in (data, starting weights, objective). A checkpoint of a run with
            another identity or other settings is passed over.
        warn: is told of a damaged checkpoint, which is not taken up; None: `say`.
    """
    precision = resolve(settings.precision, device)
    model.to(device)
    together = nn.ModuleDict({"model": model, "objective": objective.to(device)})
    optimizer = _optimizer(together, settings, objective)
    steps_per_epoch = -(-len(data) // settings.batch_size)
    total = steps_per_epoch * settings.epochs
    fingerprint = sha256_json([identity, precision, {**settings.__dict__, "checkpoint_seconds": None}])
    torch.manual_seed(settings.seed)
    progress, best = checkpoint.Progress(fingerprint), None
    if restored := checkpoint.load(
        folder, fingerprint, model=together, optimizer=optimizer, say=say if warn is None else warn
    ):
        progress, best = restored
        say(f"taken up at epoch {progress.epoch + 1}, step {progress.step}")

    if settings.keep_start and progress.best is None:
        together.eval()
        progress.best, best = score(), _copied(together)
    started, saved, rows_done = time.monotonic() - progress.seconds, time.monotonic(), 0
    clock = time.monotonic()
    while progress.epoch < settings.epochs:
        together.train()
        steps = epoch_steps(
            data, batch_size=settings.batch_size, seed=settings.seed, epoch=progress.epoch,
            temperature=settings.language_temperature,
        )  # fmt: skip
        for indices in steps[progress.step :]:
            rate = _rate(progress.epoch * steps_per_epoch + progress.step, total, settings)
            for group in optimizer.param_groups:
                group["lr"] = rate * group.get("times", 1.0)
            loss_value = 0.0
            for batch in to_batches(data, indices, token_budget=settings.token_budget, device=device):
                with autocast(precision, device):
                    loss = objective(model, batch) * batch.share
                loss.backward()
                loss_value += float(loss.detach())
            if not math.isfinite(loss_value):
                raise LeanformerError(
                    f"the loss became {loss_value} in epoch {progress.epoch + 1}, step {progress.step + 1}\n"
                    "  remedy: a lower learning rate, or precision fp32; the work folder holds the last checkpoint"
                )
            nn.utils.clip_grad_norm_(together.parameters(), settings.clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            progress.step += 1
            rows_done += len(indices)
            if time.monotonic() - saved > settings.checkpoint_seconds:
                progress.seconds = time.monotonic() - started
                checkpoint.save(folder, progress=progress, model=together, optimizer=optimizer, best=best)
                saved = time.monotonic()
            if (progress.step % max(1, steps_per_epoch // 20)) == 0:
                done = progress.epoch * steps_per_epoch + progress.step
                speed = rows_done / (time.monotonic() - clock)
                left = (total - done) * settings.batch_size / speed
                say(
                    f"epoch {progress.epoch + 1}/{settings.epochs}  {100 * done / total:.0f} %  loss {loss_value:.4f}  "
                    f"{speed:.0f} rows/s  {left / 60:.1f} min left  best dev {_shown(progress.best)}"
                )
        together.eval()
        value = score()
        progress.scores += (value,)
        if progress.best is None or value > progress.best:
            progress.best, progress.best_epoch = value, progress.epoch
            best = _copied(together)
        say(f"epoch {progress.epoch + 1}/{settings.epochs}  dev {value:.4f}  best {progress.best:.4f}")
        progress.epoch, progress.step = progress.epoch + 1, 0
        progress.seconds = time.monotonic() - started
        checkpoint.save(folder, progress=progress, model=together, optimizer=optimizer, best=best)
        saved = time.monotonic()
    if best is not None:
        together.load_state_dict(best)
    together.eval()
    return FitResult(progress.scores, progress.best_epoch, progress.seconds)


def _optimizer(module: nn.Module, settings: FitSettings, objective: Objective) -> torch.optim.AdamW:
    """AdamW with decay on matrices only, as BERT is trained; an objective's own parameters at the rate it wants."""
    own = list(objective.parameters()) if objective.own_rate is not None else []
    apart = {id(p) for p in own}
    shared = [p for p in module.parameters() if p.requires_grad and id(p) not in apart]
    matrices, vectors = [p for p in shared if p.ndim >= 2], [p for p in shared if p.ndim < 2]
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": settings.weight_decay}, {"params": vectors, "weight_decay": 0.0},
    ]  # fmt: skip
    if objective.own_rate is not None and own:
        times = objective.own_rate / settings.learning_rate if settings.learning_rate else 0.0
        groups.append({"params": own, "weight_decay": 0.0, "times": times})
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)


def _copied(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in module.state_dict().items()}


def _rate(step: int, total: int, settings: FitSettings) -> float:
    """Linear warm-up, then decay to zero (or nearly so) at the end of the last step."""
    warmup = max(1, round(settings.warmup * total))
    if step < warmup:
        return settings.learning_rate * (step + 1) / warmup
    if settings.schedule == "cosine":
        share = (step - warmup) / max(1, total - warmup)
        return _LEAST_RATE + (settings.learning_rate - _LEAST_RATE) * (1 + math.cos(math.pi * share)) / 2
    return settings.learning_rate * (total - step) / max(1, total - warmup)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
