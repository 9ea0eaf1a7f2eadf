"""The simulation of the gate: models have the loss that is stated, and the figures that are stored are complete."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.ladders.gate_forms import CONFIDENCE, MANY, SIZES, Case, cases, is_above, is_below, measured
from benchmarks.paths import RESULTS
from leanformer.metrics.noninferiority import ExactLoss

CASES = cases()
NAMES = [f"{case.metric}, {case.setting}" for case in CASES]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=NAMES)
@pytest.mark.parametrize("loss", [0.04, 0.0])
def test_the_true_loss_is_the_one_stated(case: Case, loss: float):
    drawn = case.make(loss)(np.random.default_rng(1), 200_000)
    ours, theirs = (case.figure.estimate(*parts) for parts in (drawn.ours, drawn.theirs))
    error = (theirs.influence - ours.influence).std() / np.sqrt(200_000)
    assert theirs.value - ours.value == pytest.approx(loss, abs=6 * error + 1e-9)


@pytest.mark.parametrize("case", CASES[:10], ids=NAMES[:10])
def test_a_sample_that_is_the_rows_themselves_has_their_figure(case: Case):
    drawn = case.make(0.04)(np.random.default_rng(2), 300)
    whole = np.ones((1, 300))
    assert case.figure.resampled(whole, *drawn.ours)[0] == pytest.approx(case.figure.estimate(*drawn.ours).value)


def test_the_limits_of_exact_counts_are_those_of_the_test():
    n, bound = MANY, 0.01
    for gained in (0, 3):
        for lost in (0, 8, 13, 14, 16, 24, 30, 31, 34, 36, 60):
            loss = ExactLoss(lost, gained, n)
            assert is_below(loss, bound, 0.05) is (loss.p_below(bound) <= 0.05)
            assert is_above(loss, bound, 0.025) is (loss.p_above(bound) <= 0.025)


def test_a_rate_is_that_of_the_models():
    row = measured(CASES[2], 100, 0.1, 40, np.random.default_rng(3))
    assert (row["n"], row["simulations"], row["bound"]) == (100, 40, 0.1)
    assert row["false_ships"] <= 0.2 <= row["false_ships_percentile"] + 0.2 and row["coverage"] > 0.8
    assert row["ships_equally_good"] > 0.8


def test_what_is_stored_keeps_the_promise():
    """At most 5 % false ships and at least 94 % coverage, within what 2,000 models scatter by (three deviations)."""
    rows = json.loads((RESULTS / "gate_forms.json").read_text(encoding="utf-8"))
    assert {(row["form"], row["metric"], row["setting"], row["n"]) for row in rows} == {
        (case.form, case.metric, case.setting, n) for case in CASES for n in SIZES
    }
    level = 1 - CONFIDENCE
    for row in rows:
        assert row["simulations"] == 2000 and row["commit"]
        assert row["false_ships"] <= level + 3 * np.sqrt(level * CONFIDENCE / 2000), row
        assert row["coverage"] >= 0.94, row
