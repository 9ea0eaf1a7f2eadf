"""What successive halving would have done to the trials of a search that trained every one in full.

A search of whole trainings is run once. Then its trials are run on the smaller shares too, by the same runner, each up
to the share where halving stops it; halving's decisions are made on these figures in the order of the trials, by the
very function that a search with `halving:` calls. So both ways are compared on the same trials, for little more than
the cost of one. What a replay leaves out: a search that had stopped trials early would have asked for other ones after
them.

Compute is counted by steps: one that several trials share counts once, for whichever of them makes it first, in either
way. A trial's own measuring is what it took beyond the steps that it made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leanformer.metrics.pareto import nondominated_ranks
from leanformer.search.jobs.executor import Job
from leanformer.search.jobs.local import JobRunner
from leanformer.search.space.goals import Goals
from leanformer.search.space.halving import Halving, in_front, with_share
from leanformer.search.space.space import Space
from leanformer.search.study.journal import Journal

FINISHED = "finished"


@dataclass(frozen=True)
class Ran:
    """A trial on one share: its figures, None where it failed; its CPU-seconds: of each step by its folder, and of
    measuring."""

    figures: Mapping[str, Any] | None
    steps: Mapping[str, float]
    measuring: float


# Of a share to which halving did not let a trial go; nobody looks at it.
NOT_RUN = Ran(None, {}, 0.0)


def ran_as_far_as_halved(
    space: Space, record: Mapping[str, Any], runner: JobRunner, folder: Path, seed: int, say: Callable[[str], None]
) -> dict[int, list[Ran]]:
    """Trial number -> what it came to on each share, the whole last; trials that failed on the whole are left out.

    `record` is that of a search of whole trainings, and `runner` works in its folder. What is run here is kept in
    `folder`. A share that halving would not have given a trial is `NOT_RUN`, but for the whole.
    """
    assert space.halving is not None
    halving, shares = space.halving, space.halving.shares
    journal = Journal(folder / "rungs.jsonl")
    known = {(event["trial"], event["rung"]): event["result"] for event in journal.events}
    seen: set[str] = set()
    whole: dict[int, Ran] = {}
    for trial in record["trials"]:  # in the order in which they ran
        if trial["state"] == FINISHED:
            job = _job(space, trial, len(shares) - 1, 1.0, seed)
            whole[trial["trial"]] = _ran(runner, job, trial["figures"], trial["cpu_seconds"], seen)
    found: dict[int, list[Ran]] = {}
    reached: list[list[Mapping[str, Any]]] = [[] for _ in shares]
    try:
        for number in whole:
            rungs: list[Ran] = []
            for rung, share in enumerate(shares[:-1]):
                job = _job(space, record["trials"][number], rung, share, seed)
                if (number, rung) not in known:
                    say(f"trial {number} with {share:.0%} of the training")
                    known[number, rung] = runner(job)
                    journal.add({"event": "ran", "trial": number, "rung": rung, "result": known[number, rung]})
                result = known[number, rung]
                rungs.append(_ran(runner, job, result.get("figures"), result["cpu_seconds"], seen))
                if not _goes_on(space.goals, halving, rungs[-1].figures, reached[rung]):
                    break
            left = len(shares) - 1 - len(rungs)
            found[number] = [*rungs, *[NOT_RUN] * left, whole[number]]
    finally:
        journal.close()
    return found


def _job(space: Space, trial: Mapping[str, Any], rung: int, share: float, seed: int) -> Job:
    assert space.halving is not None
    filled = space.of(trial["params"])
    recipe = with_share(filled.recipe, share) if space.halving.over == "epochs" else filled.recipe
    return {"trial": trial["trial"], "rung": rung, "share": share, "over": space.halving.over, "seed": seed,
            "recipe": recipe.to_json(), "runtime": filled.runtime}  # fmt: skip


def _ran(runner: JobRunner, job: Job, figures: Mapping[str, Any] | None, cpu_seconds: float, seen: set[str]) -> Ran:
    """`seen` holds the steps that earlier jobs made, and then those of this one too."""
    outcome = runner.run(job)  # all found, but for what was left out
    steps: dict[str, float] = {}
    for effort in outcome.efforts:
        if effort.step in outcome.left_out:
            continue
        assert effort.energy is not None
        steps[outcome.artifacts[effort.step].path.name] = float(effort.energy["cpu_seconds"])
    own = sum(seconds for name, seconds in steps.items() if name not in seen)
    seen |= set(steps)
    return Ran(figures, steps, max(0.0, cpu_seconds - own))


def rungs_run(goals: Goals, halving: Halving, figures: Sequence[Sequence[Mapping[str, Any] | None]]) -> list[int]:
    """How many shares halving gives each trial, by its figures on all of them `[trials][shares]`, in their order."""
    reached: list[list[Mapping[str, Any]]] = [[] for _ in halving.shares]
    return [_rungs_of(goals, halving, figure, reached) for figure in figures]


def _rungs_of(
    goals: Goals,
    halving: Halving,
    figures: Sequence[Mapping[str, Any] | None],
    reached: list[list[Mapping[str, Any]]],
) -> int:
    """Of one trial; `reached` has the figures of those that came to each share before, and then its own too."""
    for rung, figure in enumerate(figures):
        if not _goes_on(goals, halving, figure, reached[rung]):
            return rung + 1
    return len(figures)


def _goes_on(goals: Goals, halving: Halving, figures: Mapping[str, Any] | None, there: list[Mapping[str, Any]]) -> bool:
    """Whether a trial goes on from a share; `there` has the figures of those that came to it, and then its own too."""
    if figures is None:
        return False
    there.append(figures)
    costs, passed = [goals.costs(each) for each in there], [goals.violation(each, whole=False) for each in there]
    return in_front(costs, passed, halving.factor)


def cpu_seconds(ran: Sequence[Ran]) -> float:
    """Of these runs together, each step once."""
    steps: dict[str, float] = {}
    for run in ran:
        steps |= run.steps
    return sum(steps.values()) + sum(run.measuring for run in ran)


def front(goals: Goals, figures: Mapping[int, Mapping[str, Any]]) -> list[int]:
    """Numbers of the trials that keep all bounds and that none of these dominates."""
    kept = [number for number, figure in figures.items() if goals.violation(figure) <= 0]
    ranks = nondominated_ranks([goals.costs(figures[number]) for number in kept])
    return [number for number, rank in zip(kept, ranks, strict=True) if rank == 0]
