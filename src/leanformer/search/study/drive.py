"""Driving a study: trials are sampled, run by an executor, and stopped or promoted, until the budget is spent."""

from __future__ import annotations

from collections.abc import Callable

from leanformer.errors import RecipeError
from leanformer.search.jobs.executor import Executor, Job
from leanformer.search.space.halving import with_share
from leanformer.search.space.holes import describe
from leanformer.search.study.budget import SearchBudget
from leanformer.search.study.journal import Event
from leanformer.search.study.study import Study
from leanformer.search.study.trial import FAILED, FINISHED, RUNNING, STOPPED, Trial

# After this many trials in a row that are not run, the rest of the space is not worth sampling.
_FRUITLESS = 60
# If this many first trials fail, something is wrong with the recipe, not with its values.
_ALL_FAILED = 5


def drive(study: Study, budget: SearchBudget, executor: Executor, seed: int, say: Callable[[str], None]) -> str:
    """Run trials until the budget is spent or nothing is left to try; returns why it ended.

    A trial that was running when an earlier run was killed is run first; the recipe's cache has its finished steps.
    Raises `RecipeError` if all of the first trials fail.
    """
    for earlier in study.trials:  # killed between a result and the decision on it
        if earlier.state == RUNNING and earlier.decided < len(earlier.results):
            _decide(study, earlier, say)
    ready = study.of_state(RUNNING)
    in_hand = 0
    while True:
        why = budget.reached(study.now()) or ""
        while not why and in_hand < executor.workers:
            if ready:
                trial: Trial | None = ready.pop(0)
            elif not budget.allows_trial(study.count):
                why = f"{study.count} trials are done"
                break
            else:
                trial = _ask(study, say)
            if trial is None:
                why = "nothing is left to try"
                break
            executor.submit(_job(study, trial, seed))
            in_hand += 1
        if not in_hand:
            return why
        job, result = executor.take()
        in_hand -= 1
        trial = study.trials[job["trial"]]
        study.write({"event": "measured", "trial": trial.number, "rung": job["rung"], "result": result})
        if trial.state == RUNNING:
            _decide(study, trial, say)
        else:
            say(f"trial {trial.number}: {trial.state}: {trial.reason}")
            _check_failures(study)
        if trial.state == RUNNING:
            ready.append(trial)


def _ask(study: Study, say: Callable[[str], None]) -> Trial | None:
    """The next trial that has to be run; others are recorded as skipped or repeated."""
    for _ in range(_FRUITLESS):
        number = len(study.trials)
        params = study.sampler.ask(number)
        if params is None:
            return None
        event: Event = {"event": "asked", "trial": number, "params": params}
        if (of := study.repeats(params)) is not None:
            study.write(event | {"of": of})
            continue
        reason = None
        try:
            filled = study.space.of(params)
        except RecipeError as error:  # values that cannot be combined
            reason = str(error)
        else:
            if study.judge is not None:
                predicted = study.judge.predict(filled)
                event |= {} if predicted is None else {"predicted": predicted}
                reason = study.judge.hopeless(predicted, study.of_state(FINISHED))
        if reason is None:
            study.write(event)
            say(f"trial {number}: {describe(list(params.items()))}")
            return study.trials[number]
        study.write(event | {"skipped": reason})
        say(f"trial {number}: skipped: {reason}")
    return None


def _job(study: Study, trial: Trial, seed: int) -> Job:
    """The executor's next job for a trial; see `search.jobs.executor`."""
    rung, halving, filled = len(trial.results), study.space.halving, study.filled[trial.number]
    share, over = study.shares[rung], None if halving is None else halving.over
    recipe = with_share(filled.recipe, share) if over == "epochs" else filled.recipe
    return {
        "trial": trial.number, "rung": rung, "share": share, "over": over, "seed": seed,
        "recipe": recipe.to_json(), "runtime": filled.runtime,
    }  # fmt: skip


def _decide(study: Study, trial: Trial, say: Callable[[str], None]) -> None:
    """Decide whether a measured trial is promoted to the next rung."""
    rung, goes_on = len(trial.results) - 1, study.survives(trial)
    study.write({"event": "decided", "trial": trial.number, "rung": rung, "goes_on": goes_on})
    goals = study.space.goals
    shown = describe([(name, trial.figures.get(name)) for name in goals.names])
    share = "" if study.shares[rung] == 1 else f" with {study.shares[rung]:.0%} of the training"
    say(f"trial {trial.number}: {'goes on' if goes_on else trial.state}{share}: {shown}")
    if trial.state == FINISHED:
        if lost := trial.figures.get("lost"):
            say(f"trial {trial.number} loses on dev: {', '.join(lost)}")
        say(f"  {progress(study)}")


def progress(study: Study) -> str:
    """How far the search is, and its front."""
    front = ", ".join(
        f"{trial.number} ({describe([(name, trial.figures.get(name)) for name in study.space.goals.names])})"
        for trial in study.front()
    )
    stopped, spent = len(study.of_state(STOPPED)), study.now()
    return (
        f"{study.count} trials, {stopped} stopped early, {spent.wall_seconds / 60:.1f} min; "
        f"front: {front or _nothing(study)}"
    )


def _nothing(study: Study) -> str:
    return "what keeps the bounds loses a label yet" if study.kept_off() else "nothing keeps the bounds yet"


def _check_failures(study: Study) -> None:
    ended = [trial for trial in study.trials if trial.ran and trial.state != RUNNING]
    if len(ended) >= _ALL_FAILED and all(trial.state == FAILED for trial in ended):
        raise RecipeError(
            f"{study.space.source}: the first {len(ended)} trials all failed; the last one: {ended[-1].reason}"
        )
