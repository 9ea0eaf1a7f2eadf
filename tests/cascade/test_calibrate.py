"""The promise of a cascade is kept as often as it says, and is refused where the rows cannot show it."""

from __future__ import annotations

from math import ceil, log

import numpy as np
import pytest

from leanformer.cascade.calibrate import (
    Calibration,
    best_measure,
    calibrate,
    everything_to_the_last,
    parted,
    walk,
)
from leanformer.cascade.confidence import MEASURES, area_under_risk, confidence
from leanformer.cascade.plan import Plan
from leanformer.cascade.promise import Promise
from leanformer.errors import LeanformerError
from leanformer.metrics.calibration import fit_temperature
from leanformer.metrics.noninferiority import fewest_texts
from leanformer.metrics.paired import Paired, compare
from leanformer.metrics.probabilities import softmax
from tests.making.cascades import population

ROWS, FIT, DRAWS, NAIVE_DRAWS = 500, 60, 1000, 200


def loss_of(thresholds: np.ndarray, sure: np.ndarray, harm: np.ndarray) -> np.ndarray:
    """What two members lose with each threshold, a share; `harm` is what a row loses when the small one answers it."""
    order = np.argsort(-sure, kind="stable")
    sums = np.concatenate([[0.0], np.cumsum(harm[order])])
    return np.asarray(sums[np.searchsorted(-sure[order], -thresholds, side="right")] / len(sure))


def harm_of(values: list[np.ndarray], labels: np.ndarray, of: str) -> np.ndarray:
    small, large = (value.argmax(axis=1) for value in values)
    if of == "agreement":
        return (small != large).astype(float)
    return (large == labels).astype(float) - (small == labels)


@pytest.mark.slow
@pytest.mark.parametrize("of", ["accuracy", "agreement"])
def test_a_promise_is_broken_no_more_often_than_it_says(of: str):
    """1,000 calibrations, each on rows drawn anew from a population whose loss is known for every threshold.

    Beside it the obvious way: the loosest threshold with which the loss found does not exceed the bound.
    """
    values, labels = population(5_000, seed=3)
    harm = harm_of(values, labels, of)
    plain = confidence(values[0], "probability")
    promise = Promise(2.5, 0.9, of)
    generator = np.random.default_rng(17)
    fit, held_out = np.arange(FIT), np.arange(FIT, ROWS)
    broken = made = naively_broken = 0
    for draw in range(DRAWS):
        rows = generator.integers(0, len(labels), ROWS)
        found = calibrate([value[rows] for value in values], labels[rows], promise, fit, held_out)
        if found.plan is not None:
            made += 1
            sure = confidence(values[0], "probability", found.plan.temperatures[0])
            broken += harm[sure >= found.plan.thresholds[0]].sum() / len(harm) > promise.bound
        if draw >= NAIVE_DRAWS:
            continue
        steps = np.array(walk(plain[rows[fit]]))
        kept = steps[loss_of(steps, plain[rows[held_out]], harm[rows[held_out]]) <= promise.bound]
        naively_broken += len(kept) > 0 and loss_of(kept[-1:], plain, harm)[0] > promise.bound
    assert made > DRAWS / 2, "a promise that is hardly ever made could hardly be broken"
    assert broken <= (1 - promise.confidence) * DRAWS
    assert naively_broken > 3 * (1 - promise.confidence) * NAIVE_DRAWS, (
        "the obvious way should break it: else this is easy"
    )


@pytest.mark.parametrize("members", [2, 3])
def test_the_counts_are_those_of_the_plan(members: int):
    values, labels = population(3000, seed=5)
    values = [*population(3000, seed=5, small_right=0.4)[0][:1], *values][-members:]
    fit, held_out = parted(3000, 0.2, seed=1)
    found = calibrate(values, labels, Promise(2.0), fit, held_out)
    assert found.plan is not None
    routed = found.plan.route([value[held_out] for value in values])
    answers = np.stack([value.argmax(axis=1)[held_out] for value in values])
    ours = answers[routed, np.arange(len(held_out))]
    assert found.counts == compare(ours, answers[-1], labels[held_out])
    assert found.answered == pytest.approx((np.bincount(routed) / len(held_out)).tolist())


def calibrated(rows: int, promise: Promise, **changes: object) -> Calibration:
    values, labels = population(rows, seed=5)
    fit, held_out = parted(rows, 0.2, seed=1)
    return calibrate(values, labels, promise, fit, held_out, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("measure", [*MEASURES, "auto"])
def test_the_loosest_thresholds_that_are_shown_are_taken(measure: str):
    found = calibrated(3000, Promise(2.0), measure=measure)
    assert found.plan is not None and found.plan.measure in MEASURES
    assert (found.rows, found.fit_rows, found.counts.n) == (2400, 600, 2400)
    assert found.p <= 0.05 and found.counts.loss < found.limit <= 0.02 + 1e-4
    assert found.answered[0] > 0.2 and sum(found.answered) == pytest.approx(1)


def test_calibration_rows_choose_nothing_but_where_the_walk_ends():
    """Temperature, measure and the thresholds to be tested are those of the other rows, for draws of few rows."""
    told_apart = 0
    for seed in range(6):
        values, labels = population(400, seed=seed, small_right=0.3)
        # With the same logit for all other classes, all measures would rank alike.
        values[0] += np.random.default_rng(seed).normal(0, 1, values[0].shape).astype(np.float32)
        fit, held_out = parted(400, 0.1, seed)
        plan = calibrate(values, labels, Promise(10.0), fit, held_out, measure="auto").plan
        assert plan is not None and plan.thresholds[0] is not None and plan.thresholds[0] > 0
        reference = values[1].argmax(axis=1)

        def chosen(rows: np.ndarray) -> tuple[float, str]:
            temperature = fit_temperature(values[0][rows], labels[rows])  # noqa: B023 (called in this round)
            return temperature, best_measure(values[0][rows], labels[rows], reference[rows], temperature)  # noqa: B023

        temperature, measure = chosen(fit)
        assert (plan.temperatures, plan.measure) == ((temperature,), measure)
        assert plan.thresholds[0] in walk(confidence(values[0][fit], measure, temperature))
        told_apart += chosen(np.arange(400))[1] != measure
    assert told_apart > 1, "all rows should choose another measure now and then: else this is easy"


def test_the_walk_ends_at_the_first_step_that_is_not_shown():
    """The surest tenth is lost and the rest gained, so that looser thresholds would keep what the first one breaks."""
    rows = 1000
    ranks = np.arange(rows) % 100  # alike in every hundred rows, the surest first
    small = np.stack([5 - ranks / 50, np.zeros(rows)], axis=1)
    large = np.tile([0.0, 3.0], (rows, 1))
    labels = (ranks < 10).astype(np.int64)
    found = calibrate([small, large], labels, Promise(0.5), np.arange(200), np.arange(200, rows))
    assert found.plan is None and found.steps == 1 and found.counts.lost > 0
    alone = calibrate([small, large], labels, Promise(0.5), np.arange(200), np.arange(200, rows), threshold=0.0)
    assert alone.plan is not None, "with the loosest threshold alone it would have been shown"


def test_a_looser_promise_sends_less_on():
    answered = [calibrated(3000, Promise(points)).answered[0] for points in (1.0, 2.0, 4.0)]
    assert answered == sorted(answered) and answered[0] < answered[-1]


def test_too_few_rows_make_no_promise():
    promise = Promise(0.5)
    found = calibrated(400, promise)
    assert found.plan is None and found.answered == () and found.steps == 1
    assert promise.bearable(found.rows) is None
    assert "even if no answer differed; there are 320" in promise.outlook(320)


def test_a_hopeless_small_model_makes_no_promise():
    values, labels = population(2000, seed=5, easy=0.0, small_right=0.0)
    fit, held_out = parted(2000, 0.2, seed=1)
    found = calibrate(values, labels, Promise(0.5), fit, held_out)
    assert found.plan is None and found.counts.lost > 0


def test_agreement_needs_no_labels_and_accuracy_does():
    values, _ = population(3000, seed=5)
    fit, held_out = parted(3000, 0.2, seed=1)
    assert calibrate(values, None, Promise(2.0, of="agreement"), fit, held_out).plan is not None
    with pytest.raises(LeanformerError, match="agreement"):
        calibrate(values, None, Promise(2.0), fit, held_out)


def test_agreement_bounds_what_changes_whoever_is_right():
    promise = Promise(1.0, of="agreement")
    assert not promise.is_shown(Paired(1000, lost=0, gained=0, changed=10))
    assert promise.is_shown(Paired(1000, lost=3, gained=0, changed=3))
    assert promise.limit(Paired(1000, lost=0, gained=0, changed=10)) > 0.01


def test_three_members_share_the_walk():
    values, labels = population(4000, seed=5)
    best = np.zeros_like(values[1])
    best[np.arange(4000), labels] = 5.0
    fit, held_out = parted(4000, 0.2, seed=1)
    found = calibrate([*values, best], labels, Promise(5.0), fit, held_out)
    assert found.plan is not None and found.plan.thresholds[0] == found.plan.thresholds[1]
    assert len(found.answered) == 3 and all(share > 0 for share in found.answered[:2])


def test_how_many_rows_it_needs_is_known_before():
    assert Promise(0.5, of="agreement").fewest_rows == ceil(log(0.05) / log(0.995)) == 598
    assert Promise(0.5).fewest_rows == fewest_texts(0.005, 0.95)
    for promise in (Promise(1.0), Promise(1.0, of="agreement")):
        n = promise.fewest_rows
        assert promise.is_shown(Paired(n, 0, 0, 0)) and not promise.is_shown(Paired(n - 1, 0, 0, 0))
        assert promise.bearable(n) == 0 and promise.bearable(n - 1) is None
        count = promise.bearable(1000)
        assert count is not None and count > 0
        assert promise.is_shown(Paired(1000, count, 0, count))
        assert not promise.is_shown(Paired(1000, count + 1, 0, count + 1))


@pytest.mark.parametrize(
    ("fields", "said"), [((0.0,), "between 0 and 100"), ((1.0, 0.3), "confidence"), ((1.0, 0.9, "loss"), "promise is")]
)
def test_promises_that_cannot_be_meant_are_refused(fields: tuple, said: str):
    with pytest.raises(LeanformerError, match=said):
        Promise(*fields)


def test_rows_are_parted_once():
    fit, held_out = parted(200, 0.2, seed=3)
    assert len(fit) == 40 and sorted([*fit, *held_out]) == list(range(200))
    with pytest.raises(LeanformerError, match="none is left"):
        parted(10, 0.2, seed=3)
    with pytest.raises(LeanformerError, match="between 0 and 1"):
        parted(100, 1.0, seed=3)


def test_a_walk_goes_from_strict_to_loose():
    sure = np.random.default_rng(0).random(300)
    steps = walk(sure)
    assert steps == sorted(set(steps), reverse=True) and steps[-1] == 0.0
    assert (sure >= steps[0]).mean() == pytest.approx(0.01, abs=0.005)
    assert walk(np.ones(20)) == [1.0, 0.0]


def test_confidences_are_what_they_say():
    values = np.random.default_rng(1).normal(size=(50, 4)).astype(np.float32) * 3
    shares = softmax(values.astype(np.float64) / 2)
    ordered = np.sort(shares, axis=1)
    np.testing.assert_allclose(confidence(values, "probability", 2.0), ordered[:, -1])
    np.testing.assert_allclose(confidence(values, "margin", 2.0), ordered[:, -1] - ordered[:, -2])
    entropy = -(shares * np.log(shares)).sum(axis=1)
    np.testing.assert_allclose(confidence(values, "entropy", 2.0), 1 - entropy / np.log(4))
    for measure in MEASURES:
        ends = confidence(np.array([[0.0, 0, 0], [1e4, 0, 0]], dtype=np.float32), measure)
        np.testing.assert_allclose(ends, [1 / 3 if measure == "probability" else 0, 1], atol=1e-12)


def test_with_two_classes_all_measures_rank_alike():
    values = np.random.default_rng(2).normal(size=(80, 2)).astype(np.float32)
    first, *others = (np.argsort(confidence(values, measure)).tolist() for measure in MEASURES)
    assert all(other == first for other in others)


def test_risk_is_least_where_wrong_answers_come_last():
    sure, wrong = np.array([0.9, 0.8, 0.7, 0.6]), np.array([False, False, True, True])
    assert area_under_risk(sure, wrong) == pytest.approx((0 + 0 + 1 / 3 + 2 / 4) / 4)
    assert area_under_risk(sure, wrong) < area_under_risk(sure, wrong[::-1])


def test_an_answer_stands_from_its_threshold_on():
    """Of equal logits the probability is one half, to the last bit."""
    even, sure = np.zeros((1, 2)), np.array([[5.0, 0.0]])
    plan = Plan("probability", (1.0,), (0.5,))
    assert plan.stands(0, np.concatenate([even, sure])).tolist() == [True, True]
    assert not Plan("probability", (1.0,), (0.5 + 1e-9,)).stands(0, even)[0]
    alike = [np.tile(even, (400, 1)), np.tile(even, (400, 1))]
    found = calibrate(alike, np.zeros(400, np.int64), Promise(5.0), np.arange(20), np.arange(20, 400), threshold=0.5)
    assert found.answered == (1.0, 0.0)


def test_everything_to_the_last_asks_nobody_else():
    plan = everything_to_the_last("auto", 3)
    assert [plan.asked(index) for index in range(3)] == [False, False, True]


@pytest.mark.parametrize(
    "fields",
    [
        ("guess", (1.0,), (0.5,)),
        ("margin", (0.0,), (0.5,)),
        ("margin", (float("nan"),), (0.5,)),
        ("margin", (1.0,), (1.5,)),
        ("margin", (1.0, 1.0), (0.5,)),
        ("margin", (), ()),
    ],
)
def test_plans_that_cannot_be_meant_are_refused(fields: tuple):
    with pytest.raises(ValueError):
        Plan(*fields)
