"""Whether the best is surely the best, on rounds made by hand and on a machine that is now and then busy."""

from __future__ import annotations

import numpy as np

from leanformer.ladder.contest import RungContest, alike, fastest, rivals_of
from leanformer.ladder.timing import RungStanding
from leanformer.measure.turns import Figures


def rounds(*values: float) -> dict[int, float]:
    return dict(enumerate(values))


def test_a_rung_that_every_round_saw_far_behind_is_no_rival():
    assert rivals_of(0, {0: rounds(300, 30, 300), 1: rounds(200, 20, 200)}) == {}, "slow rounds are slow for both"
    assert rivals_of(0, {0: rounds(300, 300), 1: rounds(200, 200)}) == {1: [1.5, 1.5]}, "two rounds are too few"


def test_a_rung_close_behind_is_no_rival_after_enough_rounds():
    few, many = {0: rounds(*[110] * 5), 1: rounds(*[100] * 5)}, {0: rounds(*[110] * 9), 1: rounds(*[100] * 9)}
    assert list(rivals_of(0, few)) == [1] and rivals_of(0, many) == {}


def test_a_machine_that_is_busy_in_some_rounds_makes_rivals():
    """In one round the better one was disturbed, in another the worse one; the medians alone would mislead."""
    figures = {0: rounds(284, 300, 150, 290, 280), 1: rounds(280, 100, 410, 400, 198)}
    assert list(rivals_of(0, figures)) == [1]


def test_only_rounds_of_both_count():
    assert rivals_of(0, {0: {0: 300.0, 1: 300.0, 5: 1.0}, 1: {0: 100.0, 1: 100.0, 2: 900.0}}) == {1: [3.0, 3.0]}


def test_who_went_on_while_the_machine_became_slower_is_still_the_best():
    """The third one was out after five rounds, before others took half of the machine."""
    later = [300.0] * 5 + [150.0] * 8
    figures = {1: rounds(*later), 2: rounds(*[0.98 * value for value in later]), 4: rounds(*[235.0] * 5)}
    assert np.median(list(figures[1].values())) < np.median(list(figures[4].values()))
    assert fastest(figures) == 1 and list(rivals_of(1, figures)) == []
    timings = [Figures(), *(Figures(throughput=figures[number]) for number in (1, 2)), Figures(throughput=figures[4])]
    assert RungContest("throughput", STANDINGS, max_drop=1).undecided(timings) == []


def test_of_equals_the_first_is_the_best():
    assert fastest({7: rounds(100, 200), 3: rounds(200, 100)}) == 3
    assert fastest({7: rounds(100, 201), 3: rounds(200, 100)}) == 7


def test_alike_is_what_many_rounds_show():
    assert alike([1.001] * 7) and not alike([1.001] * 6)
    assert not alike([1.05] * 20) and not alike([0.9, 1.1] * 10)


STANDINGS = [
    RungStanding("torch", 0.9, (), chooseable=False, lossless=True),
    RungStanding("graph", 0.9, (), chooseable=True, lossless=True),
    RungStanding("small", 0.895, (), chooseable=True, lossless=False),
    RungStanding("smaller", 0.892, (), chooseable=True, lossless=False),
    RungStanding("bad", 0.5, (), chooseable=True, lossless=False),
]


def timed(*medians: float, count: int = 5, noise: float = 0.0, latency: tuple[float, ...] = ()) -> list[Figures]:
    random = np.random.default_rng(1)
    return [
        Figures(
            throughput={i: median * float(np.exp(noise * random.standard_normal())) for i in range(count)},
            latency={} if not latency else dict.fromkeys(range(count), latency[number]),
        )
        for number, median in enumerate(medians)
    ]


def test_those_that_may_not_be_chosen_are_no_reason_for_further_rounds():
    contest = RungContest("throughput", STANDINGS, max_drop=1)
    assert contest.undecided(timed(1000, 100, 300, 600, 610)) == [], "the bad one is as fast, and out of question"
    assert contest.undecided(timed(1000, 100, 300, 310, 9000)) == [3, 2]
    assert contest.undecided(timed(1000, 600, 300, 610, 9000)) == [3, 1], "an export may be chosen as well"


def test_more_rounds_decide():
    contest = RungContest("throughput", STANDINGS, max_drop=1)
    assert contest.undecided(timed(1, 100, 500, 600, 1, count=5, noise=0.03)) == [3, 2]
    assert contest.undecided(timed(1, 100, 500, 600, 1, count=9, noise=0.03)) == []


def test_equals_end_when_they_are_shown_to_be_equal():
    contest = RungContest("throughput", STANDINGS, max_drop=1)
    assert contest.undecided(timed(1, 100, 600, 600, 1, count=5)) == [2, 3]
    assert contest.undecided(timed(1, 100, 600, 600, 1, count=7)) == []


def test_latency_is_decided_by_latency():
    figures = timed(1, 900, 2, 1, 1, latency=(9, 8, 2.0, 2.1, 1))
    assert RungContest("latency", STANDINGS, max_drop=1).undecided(figures) == [2, 3]
    assert RungContest("throughput", STANDINGS, max_drop=1).undecided(figures) == []


def test_sizes_need_no_rounds_and_nothing_to_choose_asks_for_none():
    figures = timed(*[100] * 5)
    assert RungContest("size", STANDINGS, max_drop=1).undecided(figures) == []
    assert RungContest("throughput", STANDINGS[:1], max_drop=1).undecided(figures) == []
