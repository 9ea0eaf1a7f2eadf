"""Timing the rungs of a ladder in rounds, with a record of what else ran on the machine meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.ladder.contest import RungContest
from leanformer.ladder.entries import Entry
from leanformer.ladder.ratios import ratios
from leanformer.measure.load import LoadWatch
from leanformer.measure.speed import Speed, SpeedSettings, measure_speed
from leanformer.render.load import busy_words
from leanformer.task import Text

# Number of texts that the word cache reads before each turn; they are tokenized but not scored.
READ_BEFORE = 1000


@dataclass(frozen=True)
class Choosing:
    """How a rung will be chosen (see `ladder.choose.choose`), so that timing can continue until the choice is sure."""

    goal: str = "throughput"
    max_drop: float = 1.0
    allow_lost: bool = False


@dataclass(frozen=True)
class RungStanding:
    """What is known about a rung before it is timed; see `ladder.eligible.Standing`."""

    name: str
    dev_quality: float | None
    lost: tuple[str, ...]
    chooseable: bool
    lossless: bool


@dataclass(frozen=True)
class Timing:
    """The result of timing.

    Attributes:
        speeds: of each rung. ratios: for each rung the fields of `report.Rung` that compare it with others.
        load: what else ran, as JSON. settings: `report.Report.timing`.
    """

    speeds: list[Speed]
    ratios: list[dict[str, Any]]
    load: dict[str, Any]
    settings: dict[str, Any]


def time_rungs(
    entries: Sequence[Entry],
    standings: Sequence[RungStanding],
    data: Dataset,
    test: Examples,
    settings: SpeedSettings,
    *,
    threads: int,
    choosing: Choosing | None,
    seed: int,
    say: Callable[[str], None],
) -> Timing:
    """Time all entries on the test texts; before each turn, caches read other texts of the data set."""
    contest = None
    if choosing is not None:
        contest = RungContest(choosing.goal, standings, choosing.max_drop, choosing.allow_lost)
    others, watch = other_texts(data, test, seed), LoadWatch(threads)
    speeds = measure_speed(
        [entry.predictor for entry in entries], test.inputs, settings, seed=seed, others=others,
        seldom=[number for number, entry in enumerate(entries) if entry.seldom], contest=contest, say=say,
    )  # fmt: skip
    load = watch.load().to_json()
    if load["busy"]:
        say(f"note: {busy_words(load)}")
    told = {"rounds": settings.rounds, "read_before": len(others)}
    return Timing(speeds, ratios(entries, speeds), load, told)


def other_texts(data: Dataset, test: Examples, seed: int, most: int = READ_BEFORE) -> list[Text]:
    """At most `most` texts from the train, unlabelled and dev splits, drawn by seed; none of them is a test text."""
    asked = set(test.inputs)
    splits = (data.train, data.unlabelled, data.dev)
    others = [text for split in splits if split is not None for text in split.inputs if text not in asked]
    drawn = np.random.default_rng(seed).permutation(len(others))[:most]
    return [others[number] for number in drawn]
