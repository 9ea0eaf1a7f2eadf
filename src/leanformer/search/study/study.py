"""The study: the state of a search, as the sum of the events in its journal.

A new search and a resumed one use the same code: each event is first written and then applied, and resuming a search
means applying the existing events.

    search    what the search is, the first line
    asked     {"trial", "params", "predicted"?, "of"?: the trial it repeats, "skipped"?: why it is not run}
    measured  {"trial", "rung", "result"}
    decided   {"trial", "rung", "goes_on"}

Each event also has "at": seconds that the search had run by then.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from leanformer.errors import RecipeError
from leanformer.metrics.pareto import nondominated_ranks
from leanformer.search.space.goals import Goals
from leanformer.search.space.halving import in_front
from leanformer.search.space.space import Filled, Space
from leanformer.search.study.budget import Spent
from leanformer.search.study.journal import Event, Journal
from leanformer.search.study.sampler import Sampler
from leanformer.search.study.trial import FAILED, FINISHED, REPEATED, RUNNING, SKIPPED, STOPPED, Trial


class Judge(Protocol):
    """A predictor that may find a trial hopeless before it is run."""

    def predict(self, filled: Filled) -> dict[str, float] | None: ...

    def hopeless(self, predicted: dict[str, float] | None, finished: list[Trial]) -> str | None: ...

    def learn(self, filled: Filled, figures: Mapping[str, Any], rung: int) -> None: ...


class Study:
    """The current state of a search.

    Args:
        identity: what must be equal for a journal to be resumed (space, data, model, seed, sampler), as JSON.
        judge: learns from measurements; None if nothing is predicted.

    Attributes:
        trials: all trials so far, in order. spent: their cost. shares: of the training, for each rung.

    Raises `RecipeError` if the journal is of another search.
    """

    def __init__(
        self, space: Space, sampler: Sampler, journal: Journal, identity: dict[str, Any], judge: Judge | None = None
    ) -> None:
        self.space, self.sampler, self.judge = space, sampler, judge
        self.trials: list[Trial] = []
        self.filled: dict[int, Filled] = {}
        self.spent = Spent()
        self.shares = (1.0,) if space.halving is None else space.halving.shares
        self._journal = journal
        self._first: dict[str, int] = {}  # values -> the first trial with them
        check_identity(journal, identity)
        if not journal.events:
            journal.add(_opening(identity))
        for event in journal.events[1:]:
            self._apply(event, live=False)
        self._before, self._started = self.spent.wall_seconds, time.monotonic()

    def now(self) -> Spent:
        """The cost up to this moment."""
        self.spent.wall_seconds = self._before + time.monotonic() - self._started
        return self.spent

    def write(self, event: Event) -> None:
        """Write an event, and only then apply it."""
        event = event | {"at": round(self.now().wall_seconds, 3)}
        self._journal.add(event)
        self._apply(event, live=True)

    def repeats(self, params: Mapping[str, Any]) -> int | None:
        """The earlier ended trial with these values; None if there is none."""
        earlier = self._first.get(_key(params))
        return None if earlier is None or self.trials[earlier].state == RUNNING else earlier

    def survives(self, trial: Trial) -> bool:
        """Whether a trial is promoted to the next rung: by Optuna's pruner with a single goal, otherwise by rank.

        Call it once per rung, because Optuna records which trials reached it.
        """
        goals, halving, rung = self.space.goals, self.space.halving, len(trial.results) - 1
        if rung == len(self.shares) - 1:
            return False
        assert halving is not None
        if self.sampler.prunes:
            return self.sampler.goes_on(trial.number)
        # The trials that were there before it, and itself as the last.
        reached = [
            candidate
            for candidate in self.trials
            if candidate is not trial and len(candidate.results) > rung and candidate.state != FAILED
        ]
        figures = [candidate.results[rung]["figures"] for candidate in (*reached, trial)]
        violations = [goals.violation(measured, whole=False) for measured in figures]
        return in_front([goals.costs(measured) for measured in figures], violations, halving.factor)

    @property
    def count(self) -> int:
        """Number of trials that were run."""
        return sum(trial.ran for trial in self.trials)

    def of_state(self, state: str) -> list[Trial]:
        return [trial for trial in self.trials if trial.state == state]

    def front(self) -> list[Trial]:
        """The finished trials that keep all bounds and are not dominated by another, sorted by the first goal.

        With a single goal that is the best one. Of trials that made the same model only the first is included.
        """
        return self._front(self.space.goals)

    def kept_off(self) -> list[Trial]:
        """The trials that would be on the front if labels that the teacher finds could be lost."""
        goals = self.space.goals
        return [trial for trial in self._front(replace(goals, allow_lost=True)) if goals.violation(trial.figures) > 0]

    def _front(self, goals: Goals) -> list[Trial]:
        models = set[str]()
        kept = []
        for trial in self.of_state(FINISHED):
            model = json.dumps([trial.results[-1].get("content_hash", trial.number), self.filled[trial.number].runtime])
            if goals.violation(trial.figures) <= 0 and model not in models:
                models.add(model)
                kept.append(trial)
        costs = [goals.costs(trial.figures) for trial in kept]
        front = [trial for trial, rank in zip(kept, nondominated_ranks(costs), strict=True) if rank == 0]
        return sorted(front if len(goals.names) > 1 else front[:1], key=lambda trial: goals.costs(trial.figures))

    # ---- events ----------------------------------------------------------------------------------------------

    def _apply(self, event: Event, *, live: bool) -> None:
        self.spent.wall_seconds = max(self.spent.wall_seconds, float(event["at"]))
        {"asked": self._asked, "measured": self._measured, "decided": self._decided}[event["event"]](event, live)

    def _asked(self, event: Event, live: bool) -> None:
        number, params = event["trial"], event["params"]
        trial = Trial(number, params, predicted=event.get("predicted"))
        if not live:
            self.sampler.enter(number, params)
        self.trials.append(trial)
        self._first.setdefault(_key(params), number)
        if "of" in event:
            trial.state, trial.of = REPEATED, event["of"]
            self._tell(trial, self.trials[event["of"]])
        elif "skipped" in event:
            trial.state, trial.reason = SKIPPED, event["skipped"]
            self._tell(trial, trial)
        else:
            self.filled[number] = self.space.of(params)

    def _measured(self, event: Event, live: bool) -> None:
        trial, result = self.trials[event["trial"]], event["result"]
        self.spent.trial_seconds += result.get("wall_seconds") or 0.0
        self.spent.cpu_seconds += result.get("cpu_seconds") or 0.0
        self.spent.joules += result.get("joules") or 0.0
        if "failed" in result:
            trial.state, trial.reason = FAILED, result["failed"]
            self._tell(trial, trial)
            return
        trial.results.append(result)
        passed = self.space.goals.violation(result["figures"], whole=False) > 0
        costs = self.space.goals.costs(result["figures"])
        self.sampler.report(trial.number, event["rung"], float("nan") if passed else costs[0])
        if self.judge is not None:
            self.judge.learn(self.filled[trial.number], result["figures"], event["rung"])

    def _decided(self, event: Event, live: bool) -> None:
        trial, last = self.trials[event["trial"]], len(self.shares) - 1
        if not live and self.sampler.prunes and event["rung"] < last:
            self.sampler.goes_on(trial.number)  # Optuna records that the trial reached the rung
        trial.decided = event["rung"] + 1
        if not event["goes_on"]:
            trial.state = FINISHED if event["rung"] == last else STOPPED
            self._tell(trial, trial)

    def _tell(self, trial: Trial, ended: Trial) -> None:
        """Tell the sampler the result of `ended` for `trial`."""
        goals, stopped = self.space.goals, ended.state == STOPPED
        if ended.state in (FINISHED, STOPPED):
            violations = goals.violations(ended.figures, whole=not stopped)
            self.sampler.tell(trial.number, goals.costs(ended.figures), violations, stopped=stopped)
        else:
            self.sampler.tell(trial.number, None, {}, stopped=False)


def check_identity(journal: Journal, identity: Mapping[str, Any]) -> None:
    """Raises `RecipeError` if the journal is of another search; an empty one matches any."""
    opening = _opening(identity)
    if journal.events and journal.events[0] != opening:
        changed = [key for key in opening if journal.events[0].get(key) != opening[key]]
        raise RecipeError(
            f"{journal.path}: is of another search (its {', '.join(changed)} differs)\n"
            "  remedy: another --work folder, or the same search, data, model, seed and sampler as before"
        )


def _opening(identity: Mapping[str, Any]) -> Event:
    opening: Event = json.loads(json.dumps({"event": "search", "version": 1, **identity}))
    return opening


def _key(params: Mapping[str, Any]) -> str:
    return json.dumps(params, sort_keys=True)
