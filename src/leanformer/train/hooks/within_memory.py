"""A training within a given amount of memory: how it is run is planned before the first step, see `train.memory`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from leanformer.errors import LeanformerError
from leanformer.models.encoder import Encoder
from leanformer.models.scoring import MOST_TOKENS
from leanformer.train import checkpoint
from leanformer.train.activations import measured, small_blocks
from leanformer.train.allocator import resident_bytes, return_freed_memory
from leanformer.train.eight_bit import state_bytes
from leanformer.train.feeds.batches import Batch
from leanformer.train.feeds.budgeted import Budgeted
from leanformer.train.feeds.feed import Feed
from leanformer.train.hooks.hook import Hook, HookState, Run
from leanformer.train.memory import Choice, Need, Passes, fastest, read_bytes
from leanformer.train.objectives.objective import Objective
from leanformer.train.optimisers import EightBitStates, Group
from leanformer.train.precision import autocast, resolve
from leanformer.train.settings import FitSettings

if TYPE_CHECKING:
    from leanformer.train.loop import Plan

_PROCESS = 300_000_000  # of a process with the libraries, where the system does not tell


class WithinMemory(Hook):
    """Plans blocks, gradient checkpointing and the states of the optimiser so that a run fits into an amount of memory.

    The plan is kept in the checkpoints, so that a resumed run is the same run.

    Args:
        amount: such as "2GB", resident memory of the process.

    Raises `LeanformerError` for another value, and when the run begins if nothing fits or it does not run on the CPU.
    """

    name = "memory"

    def __init__(self, amount: str) -> None:
        self._amount, self._most = amount, read_bytes(amount)
        self._choice: Choice | None = None
        self._recomputing: list[Encoder] = []

    def around(self, objective: Objective, feed: Feed, plan: Plan) -> tuple[Feed, Plan]:
        """The feed and the plan of the run to use instead."""
        self._objective, self._plan = objective, plan
        self._feed = Budgeted(feed, plan.settings.token_budget)
        return self._feed, replace(plan, optimiser=self._optimiser, spare=True)

    def _optimiser(self, groups: Sequence[Group], settings: FitSettings) -> torch.optim.Optimizer:
        assert self._choice is not None
        return (EightBitStates(True) if self._choice.eight_bit_states else self._plan.optimiser)(groups, settings)

    def begin(self, run: Run) -> None:
        if self._plan.device.type != "cpu":
            raise LeanformerError(
                f"memory {self._amount}: plans the memory of the process, and this training runs on "
                f"{self._plan.device.type}\n  remedy: --device cpu, or leave `memory` out"
            )
        return_freed_memory()
        folder, encoders = self._plan.folder, [m for m in run.model.modules() if isinstance(m, Encoder)]
        known = None if folder is None else checkpoint.hook_values(folder, run.progress.fingerprint, self.name)
        asked = any(encoder.recomputes for encoder in encoders)
        if known is None:
            self._choice = self._planned(run, encoders, asked)
        else:
            self._choice = Choice(**known)
            self._plan.say(f"memory {self._amount}: {self._choice.told()}, as before")
        self._feed.token_budget = self._choice.token_budget
        self._recomputing = encoders if self._choice.checkpointing and not asked else []
        _recompute(self._recomputing, True)

    def before_score(self, run: Run) -> None:
        self._scoring = MOST_TOKENS.set(min(MOST_TOKENS.get(), self._feed.token_budget))

    def after_score(self, run: Run) -> None:
        MOST_TOKENS.reset(self._scoring)

    def end(self, run: Run) -> None:
        _recompute(self._recomputing, False)

    def state(self) -> HookState:
        assert self._choice is not None
        return HookState({}, {**self._choice.__dict__, "parts": dict(self._choice.parts)})

    def _planned(self, run: Run, encoders: Sequence[Encoder], asked: bool) -> Choice:
        """The fastest way that fits, which is told."""
        eight = [True] if isinstance(self._plan.optimiser, EightBitStates) else [False, True]
        need = self._need(run, encoders, asked)
        budget = run.settings.token_budget
        choice = fastest(need, self._most, budget, eight)
        plain = fastest(need, 1 << 62, budget, eight)
        line = (
            f"memory {self._amount}: {choice.told()}; a peak of about {choice.peak / 1e9:.2f} GB: {choice.parts_told()}"
        )
        self._plan.say(line)
        if choice != plain:
            longer = 100 * (choice.seconds / plain.seconds - 1)
            self._plan.say(
                f"  with {plain.told()} it would be {plain.peak / 1e9:.2f} GB; this is the fastest way that fits, a "
                f"step about {longer:.0f} % longer"
            )
        return choice

    def _need(self, run: Run, encoders: Sequence[Encoder], asked: bool) -> Need:
        data, settings = self._feed.data, run.settings
        precision = resolve(settings.precision, self._plan.device)

        def loss_of(block: Batch) -> Tensor:
            with autocast(precision, self._plan.device):
                loss: Tensor = self._objective(run.model, block) * block.share
            return loss

        run.modules.train()
        blocks, passes = small_blocks(data, self._plan.device), dict[bool, Passes]()
        for recomputes in [True] if asked else [False, *([True] if encoders else [])]:
            _recompute(encoders, recomputes)
            passes[recomputes] = Passes(*measured(run.modules, blocks, loss_of))
        _recompute(encoders, asked)
        # Passes load code and fill caches that stay.
        process = resident_bytes() or _PROCESS + _bytes(run.modules.parameters())
        trained = [parameter for parameter in run.modules.parameters() if parameter.requires_grad]
        tables = sum(m.weight.numel() for m in run.modules.modules() if isinstance(m, nn.Embedding))
        examples = max(len(rows) for rows in self._feed.steps(0))
        counts = 1 if data.counts is None else int(data.counts.max())
        return Need(
            process=process, weights=_bytes(run.modules.parameters()), gradients=_bytes(trained),
            best=_bytes(trained if self._plan.adapter is not None else run.modules.parameters()),
            states={False: 2 * _bytes(trained), True: state_bytes(trained)}, passes=passes,
            rows=examples * counts, longest=int(data.lengths.max()), mean=float(data.lengths.mean()),
            trained=sum(p.numel() for p in trained),
            layers=sum(p.numel() for p in run.modules.parameters()) - tables,
        )  # fmt: skip


def _recompute(encoders: Sequence[Encoder], value: bool) -> None:
    for encoder in encoders:
        encoder.recomputes = value


def _bytes(parameters: object) -> int:
    return sum(p.numel() * p.element_size() for p in parameters)  # type: ignore[attr-defined]
