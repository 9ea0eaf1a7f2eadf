"""What a number of rows can show of a promise, and when it is shown."""

from __future__ import annotations

import pytest

from leanformer.cascade.promise import Promise
from leanformer.errors import LeanformerError
from leanformer.metrics.binomial import at_most
from leanformer.metrics.paired import Paired

AGREEMENT = Promise(1.0, 0.95, "agreement")


def test_agreement_takes_as_many_rows_as_the_exact_test_needs():
    assert AGREEMENT.fewest_rows == 299, "log 0.05 / log 0.99"
    assert AGREEMENT.is_shown(Paired(299, 0, 0, 0)) and not AGREEMENT.is_shown(Paired(298, 0, 0, 0))
    assert AGREEMENT.p_value(Paired(1000, 2, 1, 5)) == at_most(5, 1000, 0.01), "what changed counts, lost or gained"


@pytest.mark.parametrize("promise", [AGREEMENT, Promise(2.0, 0.9, "accuracy")])
def test_bearable_rows_are_the_most_with_which_it_is_shown(promise: Promise):
    rows = 3 * promise.fewest_rows
    count = promise.bearable(rows)
    assert count is not None and count > 0
    assert promise.is_shown(Paired(rows, count, 0, count)) and not promise.is_shown(
        Paired(rows, count + 1, 0, count + 1)
    )
    assert promise.bearable(promise.fewest_rows - 1) is None
    assert (
        promise.limit(Paired(rows, count, 0, count))
        <= promise.bound
        < promise.limit(Paired(rows, count + 1, 0, count + 1))
    )


def test_what_was_gained_makes_up_for_what_was_lost_in_accuracy_alone():
    lost, balanced = Paired(1000, 12, 0, 12), Paired(1000, 12, 12, 24)
    accuracy = Promise(1.0, 0.95, "accuracy")
    assert accuracy.p_value(balanced) < accuracy.p_value(lost)
    assert AGREEMENT.p_value(balanced) > AGREEMENT.p_value(lost)


def test_the_outlook_says_what_the_rows_can_show():
    few, enough = AGREEMENT.outlook(200), AGREEMENT.outlook(700)
    assert few.endswith("takes 299 calibration rows, even if no answer differed; there are 200")
    assert f"of the 700 there are, {AGREEMENT.bearable(700)} may differ" in enough
    assert "may be lost with none gained" in Promise(5.0).outlook(2000)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"of": "recall"}, "accuracy or agreement, not of 'recall'"),
        ({"max_loss": 0}, "between 0 and 100, not 0"),
        ({"max_loss": 100}, "between 0 and 100"),
        ({"confidence": 0.4}, "between 0.5 and 0.999, not at 0.4"),
        ({"confidence": 1.0}, "between 0.5 and 0.999"),
    ],
)
def test_a_promise_that_no_rows_can_show_is_refused(wrong: dict[str, object], said: str):
    with pytest.raises(LeanformerError, match=said):
        Promise(**wrong)  # type: ignore[arg-type]
