"""The training loop, readable from top to bottom. The variable parts are passed in.

    attach the adapter                                 # Adapter: adds parameters; what it freezes is not saved
    hooks: begin                                       # may freeze and thaw; there is no optimiser yet
    the optimiser over the groups of model or adapter, and objective
    load the checkpoint, including hooks' state
    for epoch in epochs:
        for rows in feed.steps(epoch):                 # Feed: which rows, in which order
            hooks: before_step                         # may change weights and the optimiser's groups
            the rate of each group by the schedule
            for block in feed.blocks(rows):            # Feed: how rows are collated
                loss = objective(model, block)         # Objective: under autocast
                (loss * share of the step).backward()
            clip the gradient, optimiser step
            hooks: after_step                          # may change weights and keep state
            now and then: checkpoint
        hooks: before_score                            # may swap in other weights; eval mode
        score on dev; keep the best weights
        hooks: after_score                             # restores the weights
        hooks: after_epoch                             # may keep state
        checkpoint
    restore the best weights
    hooks: end                                         # thaws what was frozen
    merge the adapter

A run is a function of its arguments: killed at any moment and started again, it resumes from the last checkpoint
and ends with the same bytes, given the same number of threads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from leanformer.errors import LeanformerError
from leanformer.files import sha256_json
from leanformer.progress import Pace, Status
from leanformer.train import checkpoint
from leanformer.train.adapters.adapter import Adapter
from leanformer.train.feeds.feed import Feed
from leanformer.train.hooks.hook import Hook, Run
from leanformer.train.objectives.objective import Objective
from leanformer.train.optimisers import Group, Optimiser, adamw
from leanformer.train.precision import autocast, resolve
from leanformer.train.progress import Progress
from leanformer.train.schedules import rate
from leanformer.train.settings import FitSettings


@dataclass(frozen=True)
class Plan:
    """How to run the training, apart from the model, the objective and the rows.

    Attributes:
        settings: see `FitSettings`.
        score: the dev score of the current model; higher is better. Called in eval mode after each epoch.
        folder: folder for checkpoints; None: the run is short, and none are written.
        identity: hash of the inputs (data, starting weights, objective). A checkpoint of a run with another identity or
            other settings is ignored.
        device: the device to train on.
        adapter: what to train instead of the whole model; None: the model.
        say: receives progress messages. warn: receives a message about a damaged checkpoint, which is not loaded; None:
            `say`.
        optimiser: makes the optimiser of the parameters' groups.
        spare: whether the best weights are left on the disk, in the checkpoint, instead of being held in memory.
    """

    settings: FitSettings
    score: Callable[[], float]
    folder: Path | None
    identity: str
    device: torch.device
    adapter: Adapter | None = None
    say: Callable[[str], None] = lambda line: None
    warn: Callable[[str], None] | None = None
    optimiser: Optimiser = adamw
    spare: bool = False


@dataclass(frozen=True)
class FitResult:
    """The result of a run: the dev score after each epoch, the best epoch (from 0; -1 if the start was best and
    kept), the training seconds, and the adapter, which is merged into the model.
    """

    scores: tuple[float, ...]
    best_epoch: int
    seconds: float
    adapter: Adapter | None = field(default=None, kw_only=True)


def fit(model: nn.Module, objective: Objective, feed: Feed, plan: Plan, hooks: Sequence[Hook] = ()) -> FitResult:
    """Train `model` (and the objective's own parameters) in place, ending with the best weights by dev score.

    Hooks are called in order, after a score in reverse order. Raises `LeanformerError` if the loss is not finite.
    """
    settings, device = plan.settings, plan.device
    precision = resolve(settings.precision, device)
    model.to(device)
    if plan.adapter is not None:
        torch.manual_seed(plan.settings.seed)  # of what the adapter draws
        plan.adapter.attach(model)
    together = nn.ModuleDict({"model": model, "objective": objective.to(device)})
    fingerprint = sha256_json([plan.identity, precision, {**settings.to_json(), "checkpoint_seconds": None}])
    progress, best = Progress(fingerprint), None
    total = feed.steps_per_epoch * settings.epochs
    run = Run(model, together, settings, progress, total)
    for hook in hooks:
        hook.begin(run)
    trained = [Group(list(model.parameters()))] if plan.adapter is None else plan.adapter.groups(model)
    run.optimizer = optimizer = plan.optimiser([*trained, *objective.groups()], settings)
    torch.manual_seed(settings.seed)
    # What an adapter freezes is known by the identity of the run.
    frozen = set[str]() if plan.adapter is None else {n for n, p in together.named_parameters() if not p.requires_grad}
    kept: dict[str, Any] = {"model": together, "optimizer": optimizer, "hooks": hooks, "left_out": frozen}
    warn = plan.say if plan.warn is None else plan.warn
    if plan.folder and (restored := checkpoint.load_checkpoint(plan.folder, fingerprint, **kept, say=warn)):
        progress, best = restored
        run.progress = progress
        plan.say(f"taken up at epoch {progress.epoch + 1}, step {progress.step}")
    if plan.adapter is not None:
        some, every = (
            sum(p.numel() for p in model.parameters() if p.requires_grad or alike) for alike in (False, True)
        )
        plan.say(f"adapter: trains {some:,} of {every:,} parameters, at a learning rate of {settings.learning_rate:g}")

    if settings.keep_start and progress.best is None:
        progress.best, best = _scored(run, plan, hooks), _copied(together, frozen)
        for hook in reversed(hooks):
            hook.after_score(run)
    started, saved, rows_done = time.monotonic() - progress.seconds, time.monotonic(), 0
    clock, pace = time.monotonic(), Pace()
    while progress.epoch < settings.epochs:
        together.train()
        for rows in feed.steps(progress.epoch)[progress.step :]:
            for hook in hooks:
                hook.before_step(run)
            now = rate(progress.epoch * feed.steps_per_epoch + progress.step, total, settings)
            for group in optimizer.param_groups:
                group["lr"] = now * group.get("times", 1.0)
            loss_value = 0.0
            for block in feed.blocks(rows, device):
                with autocast(precision, device):
                    loss = objective(model, block) * block.share
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
            rows_done += len(rows)
            for hook in hooks:
                hook.after_step(run)
            if plan.folder and time.monotonic() - saved > settings.checkpoint_seconds:
                progress.seconds = time.monotonic() - started
                checkpoint.save(plan.folder, progress=progress, **kept, best=best)
                best = checkpoint.best_on_disk(plan.folder) if plan.spare and best is not None else best
                saved = time.monotonic()
            if pace.due():
                done = progress.epoch * feed.steps_per_epoch + progress.step
                speed = rows_done / (time.monotonic() - clock)
                left = (total - done) * settings.batch_size / speed
                plan.say(Status(
                    f"epoch {progress.epoch + 1}/{settings.epochs}  {100 * done / total:.0f} %  loss {loss_value:.4f}  "
                    f"{speed:.0f} rows/s  {left / 60:.1f} min left  best dev {_shown(progress.best)}"
                ))  # fmt: skip
        value = _scored(run, plan, hooks)
        progress.scores += (value,)
        if progress.best is None or value > progress.best:
            progress.best, progress.best_epoch = value, progress.epoch
            best = _copied(together, frozen)
        for hook in reversed(hooks):
            hook.after_score(run)
        plan.say(f"epoch {progress.epoch + 1}/{settings.epochs}  dev {value:.4f}  best {progress.best:.4f}")
        progress.epoch, progress.step = progress.epoch + 1, 0
        for hook in hooks:
            hook.after_epoch(run)
        progress.seconds = time.monotonic() - started
        if plan.folder:
            checkpoint.save(plan.folder, progress=progress, **kept, best=best)
            best = checkpoint.best_on_disk(plan.folder) if plan.spare and best is not None else best
        saved = time.monotonic()
    if best is not None:
        together.load_state_dict(best, strict=not frozen)
    together.eval()
    for hook in hooks:
        hook.end(run)
    if plan.adapter is not None:
        plan.adapter.merge(model)
    return FitResult(progress.scores, progress.best_epoch, progress.seconds, adapter=plan.adapter)


def _scored(run: Run, plan: Plan, hooks: Sequence[Hook]) -> float:
    """The dev score, in eval mode, of the weights that hooks swap in for it."""
    run.modules.eval()
    for hook in hooks:
        hook.before_score(run)
    return plan.score()


def _copied(module: nn.Module, left_out: Collection[str]) -> dict[str, Tensor]:
    return {n: tensor.detach().cpu().clone() for n, tensor in module.state_dict().items() if n not in left_out}


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
