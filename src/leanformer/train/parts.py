"""Optional parts of a run: hooks, and parts that change its feed, its objective or the trained parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from leanformer.train.adapters.adapter import Adapter
from leanformer.train.feeds.feed import Feed, FeedPart
from leanformer.train.fit_options import made_parts
from leanformer.train.hooks.hook import Hook
from leanformer.train.hooks.within_memory import WithinMemory
from leanformer.train.loop import FitResult, Plan, fit
from leanformer.train.objectives.objective import Objective, ObjectivePart
from leanformer.train.optimisers import EightBitStates


def fit_with_parts(
    model: nn.Module, objective: Objective, feed: Feed, plan: Plan, hooks: Sequence[Hook] = ()
) -> FitResult:
    """`fit` with the parts named in the plan's settings; their hooks come after `hooks`."""
    hooks, settings, within = list(hooks), plan.settings, None
    for part in made_parts(settings.parts):
        match part:
            case WithinMemory():
                within = part
            case Hook():
                hooks.append(part)
            case FeedPart():
                feed = part.around(feed, epochs=settings.epochs, seed=settings.seed)
            case ObjectivePart():
                objective = part.around(objective)
            case Adapter():
                plan = replace(plan, adapter=part)
            case EightBitStates():
                plan = replace(plan, optimiser=part)
            case _:
                raise TypeError(
                    f"{part!r} is neither a hook nor a part of feed or objective nor an adapter nor an optimiser"
                )
    if within is not None:  # it plans for all others
        feed, plan = within.around(objective, feed, plan)
        hooks.append(within)
    return fit(model, objective, feed, plan, hooks)
