"""Quality on logits made by hand, and the price of requests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leanformer.errors import LeanformerError
from leanformer.measure.cost import break_even_texts, price, read_prices, usd_per_100m
from leanformer.measure.quality import measure_quality
from leanformer.task import Task

TASK = Task("classification", ("a", "b", "c"))


def logits_of(classes: np.ndarray) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[classes] * 5


def test_scores_of_a_small_case():
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 2])
    reference = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 0])  # 9 of 10
    ours = np.array([0, 0, 0, 1, 1, 1, 1, 2, 0, 0])  # 7 of 10; class c: 1 of 3
    found = measure_quality(logits_of(ours), labels, logits_of(reference), TASK)
    assert found.quality == pytest.approx(0.7)
    assert found.drop == pytest.approx(0.2)
    assert found.agreement == pytest.approx(0.8)
    assert (found.worst_class, found.worst_class_recall) == ("c", pytest.approx(1 / 3))
    # F1 by hand: a 2*3/(4+5), b 2*3/(3+4), c 2*1/(3+1).
    assert found.macro_f1 == pytest.approx((6 / 9 + 6 / 7 + 2 / 4) / 3)
    # Gorodkin: (n * right - sum true * said) / sqrt((n^2 - sum said^2) (n^2 - sum true^2)).
    assert found.matthews == pytest.approx((70 - (20 + 12 + 3)) / np.sqrt((100 - 42) * (100 - 34)))


def test_intervals_hold_the_estimate_and_the_drop_is_paired():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 400)
    reference = np.where(generator.random(400) < 0.9, labels, (labels + 1) % 3)
    ours = np.where(generator.random(400) < 0.05, (reference + 1) % 3, reference)
    found = measure_quality(logits_of(ours), labels, logits_of(reference), TASK)
    assert found.quality_low < found.quality < found.quality_high
    assert found.drop_low < found.drop < found.drop_high
    assert found.macro_f1_low < found.macro_f1 < found.macro_f1_high
    assert found.matthews_low < found.matthews < found.matthews_high
    # Most errors are the same texts in both, so a paired interval is much narrower than one of a difference of
    # independent scores, which is sqrt(2) wider than that of a single one.
    assert found.drop_high - found.drop_low < 0.8 * (found.quality_high - found.quality_low)


def test_a_model_against_itself_loses_nothing():
    labels = np.array([0, 1, 2, 0, 1])
    ours = logits_of(np.array([0, 1, 0, 0, 2]))
    found = measure_quality(ours, labels, ours, TASK)
    assert (found.drop, found.drop_low, found.drop_high) == (0, 0, 0)
    assert found.agreement == 1
    assert found.probability_agreement == pytest.approx(1)


def test_a_better_model_has_a_negative_drop():
    labels = np.array([0, 1, 2, 0])
    found = measure_quality(logits_of(labels), labels, logits_of(np.array([0, 1, 0, 1])), TASK)
    assert found.drop == pytest.approx(-0.5)
    assert found.drop_low <= found.drop <= found.drop_high <= 0


def test_the_reference_is_scored_with_its_own_thresholds():
    """Both give the same logits; the reference's thresholds are right, those of the student let everything pass."""
    targets = np.array([[1, 0], [0, 1], [1, 1], [0, 0]])
    same = np.where(targets == 1, 2.0, 0.5).astype(np.float32)  # sigmoid: 0.88 and 0.62
    ours, theirs = (Task("multilabel", ("a", "b"), thresholds=(value, value)) for value in (0.5, 0.8))
    found = measure_quality(same, targets, same, ours, theirs)
    assert found.quality < 1 and found.drop == pytest.approx(1 - found.quality)
    assert found.agreement < 1
    assert measure_quality(same, targets, same, theirs, theirs).drop == 0


def test_a_class_without_rows_is_not_the_worst():
    labels = np.array([0, 0, 1, 1])
    found = measure_quality(logits_of(np.array([0, 0, 1, 0])), labels, logits_of(labels), TASK)
    assert (found.worst_class, found.worst_class_recall) == ("b", 0.5)


# FastFormers (arXiv 2010.13382), table 4: seconds for the 3,270 questions of BoolQ's validation split, and USD for
# 100 million requests on a machine of 0.677 USD per hour.
@pytest.mark.parametrize(("seconds", "usd"), [(734.35, 4223), (22.5, 129)])
def test_the_cost_formula_gives_the_published_rows(seconds: float, usd: int):
    assert round(usd_per_100m(3270 / seconds, 0.677)) == usd
    assert usd_per_100m(3270 / seconds, 0.677) == pytest.approx(seconds / 3270 * 1e8 / 3600 * 0.677)


def test_the_price_is_that_of_the_cores_used():
    assert price(None, 16)["usd_per_hour"] == pytest.approx(0.677)
    assert price(None, 2)["usd_per_hour"] == pytest.approx(0.677 / 8, abs=1e-6)
    assert "2 of 16 cores" in price(None, 2)["basis"]
    assert price(1.5, 2) == {"usd_per_hour": 1.5, "basis": "given by the user"}
    assert price(0.0, 2)["usd_per_hour"] == 0, "free is a price too"


def test_the_shipped_prices_are_those_of_the_default():
    (one,) = read_prices()
    assert one.for_threads(2) == pytest.approx(price(None, 2)["usd_per_hour"], abs=1e-6)
    assert one.source
    assert one.for_threads(32) == one.usd_per_hour, "more threads than it has cores do not make a machine dearer"


def test_a_table_of_ones_own(tmp_path: Path):
    (tmp_path / "prices.yaml").write_text("mine: {usd_per_hour: 1.0, cores: 4}\nspare: {usd_per_hour: 0, cores: 8}\n")
    mine, spare = read_prices(tmp_path / "prices.yaml")
    assert (mine.name, mine.for_threads(1), mine.source) == ("mine", 0.25, "")
    assert usd_per_100m(100, spare.for_threads(2)) == 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1]",
        "a: 3",
        "a: {cores: 2}",
        "a: {usd_per_hour: x, cores: 2}",
        "a: {usd_per_hour: -1, cores: 2}",
        "a: [",
        "a: {usd_per_hour: .nan, cores: 2}",
    ],
)
def test_what_is_no_price_table_is_refused(text: str, tmp_path: Path):
    (tmp_path / "prices.yaml").write_text(text)
    with pytest.raises(LeanformerError, match=r"prices\.yaml"):
        read_prices(tmp_path / "prices.yaml")


def test_break_even_by_hand():
    # 10 USD spent; 100 million texts cost 60 before and 10 after: 50 saved in 100 million.
    assert break_even_texts(10, 60, 10) == pytest.approx(20e6)
    assert break_even_texts(0, 60, 10) == 0
    assert break_even_texts(10, 60, 60) is None and break_even_texts(10, 10, 60) is None
