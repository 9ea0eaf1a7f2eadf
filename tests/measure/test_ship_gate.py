"""The ship gate: what it ships, what it holds back, and what it says before it looks."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.errors import LeanformerError
from leanformer.measure.ship_gate import BROKEN, SHOWN, UNDECIDED, Bounds, bearable, forecast, judge
from leanformer.metrics.noninferiority import noninferiority_p
from leanformer.render.verdict import verdict_lines


def answers(n: int, lost: int, gained: int, sideways: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Model, reference and labels of three classes with exactly these differences, spread over the rows."""
    labels = np.arange(n) % 3
    ours, theirs = labels.copy(), labels.copy()
    rows = np.random.default_rng(0).permutation(n)
    a, b, c = np.split(rows[: lost + gained + sideways], [lost, lost + gained])
    ours[a] = (labels[a] + 1) % 3
    theirs[b] = (labels[b] + 1) % 3
    ours[c], theirs[c] = (labels[c] + 1) % 3, (labels[c] + 2) % 3
    return ours, theirs, labels


def test_a_model_that_never_differs_ships_where_the_texts_are_enough():
    assert judge(*answers(299, 0, 0), Bounds()).ships
    held = judge(*answers(298, 0, 0), Bounds())
    assert not held.ships
    assert held.checks[0].status == UNDECIDED
    assert held.checks[0].more == 1


def test_the_counts_are_those_of_the_answers():
    check = judge(*answers(2000, 9, 5, sideways=7), Bounds()).checks[0]
    assert (check.n, check.lost, check.gained, check.changed) == (2000, 9, 5, 21)
    assert check.value == pytest.approx(0.002)
    assert check.p == noninferiority_p(9, 5, 2000, 0.01)
    assert check.status == SHOWN
    assert check.value < check.limit < check.bound


def test_a_broken_bound_is_told_from_an_undecided_one():
    broken = judge(*answers(2000, 90, 10), Bounds()).checks[0]
    assert (broken.status, broken.more) == (BROKEN, None)
    near = judge(*answers(2000, 40, 18), Bounds()).checks[0]
    assert (near.status, near.more) == (UNDECIDED, None), "1.1 points lost: more texts would not show less than 1"
    unsure = judge(*answers(2000, 40, 30), Bounds()).checks[0]
    assert unsure.status == UNDECIDED
    assert unsure.more is not None
    grown = 2000 + unsure.more
    assert judge(*answers(grown, 40 * grown // 2000, 30 * grown // 2000), Bounds()).ships


def test_changed_answers_are_bounded_whoever_is_right():
    """Ten answers go from one wrong class to another: accuracy is untouched, and a strict bound still holds it back."""
    cases = answers(1000, 0, 0, sideways=10)
    assert judge(*cases, Bounds(max_drop=1.0)).ships
    verdict = judge(*cases, Bounds(max_drop=1.0, max_flips=1.0))
    assert [check.status for check in verdict.checks] == [SHOWN, UNDECIDED]
    assert judge(*cases, Bounds(max_flips=2.0)).ships
    assert judge(*cases, Bounds(max_flips=0.3)).checks[1].status == BROKEN
    assert 0.01 < verdict.checks[1].limit < 0.02


def test_one_bad_group_is_enough_to_hold_it():
    ours, theirs, labels = answers(3000, 0, 0)
    groups = {"region": tuple("north" if i % 3 else "south" for i in range(3000))}
    ours[np.arange(0, 120, 3)] += 1  # forty texts of the south, in 3,000 no more than 1.33 points
    ours %= 3
    bounds = Bounds(max_drop=2.0, slices={"region": 2.0})
    verdict = judge(ours, theirs, labels, bounds, groups)
    assert [(check.name, check.status) for check in verdict.checks] == [
        ("accuracy", SHOWN), ("region north", SHOWN), ("region south", BROKEN),
    ]  # fmt: skip
    assert not verdict.ships
    assert judge(ours, theirs, labels, Bounds(max_drop=2.0)).ships, "without the group nobody would have seen it"


def test_each_grouping_has_the_bound_that_was_asked_for_it():
    """Of 300 texts in two groups none differs: enough for 1 point in all of them, and in 150 for 2 points and not 1."""
    cases, groups = answers(300, 0, 0), {"region": tuple("north" if i % 2 else "south" for i in range(300))}
    for points, status in ((1.0, UNDECIDED), (2.0, SHOWN)):
        checks = judge(*cases, Bounds(max_drop=1.0, slices={"region": points}), groups).checks
        assert [check.status for check in checks] == [SHOWN, status, status]
        assert [check.bound for check in checks] == pytest.approx([0.01, points / 100, points / 100])


def test_it_says_beforehand_what_cannot_be_shown():
    (said,) = forecast(250, Bounds(max_drop=1.0))
    assert "cannot show" in said and "299" in said
    (said,) = forecast(1821, Bounds(max_drop=1.0))
    assert "can show" in said and "2.7 %" in said
    lengths = ["9"] * 30 + ["10"] * 370
    said = forecast(400, Bounds(max_drop=5.0, max_flips=0.5, slices={"length": 5.0}), {"length": lengths})
    assert len(said) == 4
    assert "cannot" in said[1] and "598" in said[1]
    assert said[2].startswith("length 9: 30 texts cannot") and said[3].startswith("length 10: 370 texts can show")


def test_what_two_good_models_may_differ_in_is_what_the_test_bears():
    """At the share named, about four simulated models in five ship; with twice as many differences far fewer."""
    n, margin = 900, 0.02
    share = bearable(n, margin, 0.95)
    assert share is not None
    generator = np.random.default_rng(1)
    rates = []
    for differing in (share, 2 * share):
        drawn = generator.multinomial(n, [differing / 2, differing / 2, 1 - differing], size=150)
        rates.append(np.mean([noninferiority_p(int(b), int(c), n, margin) <= 0.05 for b, c, _ in drawn]))
    assert 0.7 < rates[0] < 0.92
    assert rates[1] < rates[0] - 0.1


@pytest.mark.parametrize(
    "options",
    [{"max_drop": 0.0}, {"max_drop": -1.0}, {"max_drop": float("nan")}, {"confidence": 1.0}, {"confidence": 0.3},
     {"max_flips": 0.0}, {"slices": {"length": 0.0}}],
)  # fmt: skip
def test_bounds_that_cannot_be_meant_are_refused(options: dict[str, float]):
    with pytest.raises(LeanformerError):
        Bounds(**options)  # type: ignore[arg-type]


def test_the_words_name_what_failed_and_what_would_help():
    lines = verdict_lines(judge(*answers(2000, 40, 30), Bounds()))
    assert lines[0].startswith("HOLD") and "accuracy" in lines[0]
    assert "40 lost and 30 gained of 2000" in lines[1] and "more texts would show it" in lines[1]
    assert verdict_lines(judge(*answers(2000, 3, 3), Bounds()))[0].startswith("SHIP")
    assert "more texts will not help" in verdict_lines(judge(*answers(2000, 90, 10), Bounds()))[1]


def test_the_verdict_is_plain_json():
    import json

    value = json.loads(json.dumps(judge(*answers(500, 3, 3), Bounds(slices={}, max_flips=5.0)).to_json()))
    assert value["ships"] is True
    assert [check["name"] for check in value["checks"]] == ["accuracy", "changed answers"]
