"""The measures of a data map on rows whose values are known."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.curate.data_map import (
    HARD,
    DataMap,
    confidence,
    correctness,
    forgetting,
    usable_information,
    variability,
)

GOLD = np.array([[0.9, 0.2, 0.1], [0.9, 0.8, 0.1], [0.9, 0.2, 0.1], [0.9, 0.8, 0.1]])  # 4 epochs, 3 rows
RIGHT = GOLD > 0.5


def test_confidence_variability_and_correctness_are_over_epochs() -> None:
    np.testing.assert_allclose(confidence(GOLD), [0.9, 0.5, 0.1])
    np.testing.assert_allclose(variability(GOLD), [0, 0.3, 0], atol=1e-12)
    np.testing.assert_allclose(correctness(RIGHT), [1, 0.5, 0])


def test_forgetting_counts_right_then_wrong_and_a_row_never_learnt_is_above_all() -> None:
    assert forgetting(RIGHT).tolist() == [0, 1, 4]
    often = np.array([[1, 0], [0, 0], [1, 0], [0, 1], [1, 1]], dtype=bool)
    assert forgetting(often).tolist() == [2, 0]


def test_usable_information_is_over_the_frequency_of_labels() -> None:
    labels = np.array([0, 0, 0, 1])
    np.testing.assert_allclose(
        usable_information(np.array([0.75, 1.0, 0.375, 0.25]), labels), [0, np.log2(4 / 3), -1, 0], atol=1e-12
    )


def test_a_model_that_knows_nothing_has_no_usable_information() -> None:
    labels = np.random.default_rng(0).integers(0, 3, 3000)
    prior = np.bincount(labels)[labels] / len(labels)
    assert abs(usable_information(prior, labels).mean()) < 1e-9
    # g0 alone: its loss is the entropy of the labels.
    shares = np.bincount(labels) / len(labels)
    assert usable_information(np.ones(3000), labels).mean() == pytest.approx(-(shares * np.log2(shares)).sum())


def mapped() -> DataMap:
    measures = {
        "confidence": confidence(GOLD), "variability": variability(GOLD), "correctness": correctness(RIGHT),
        "forgetting": forgetting(RIGHT), "error": 1 - confidence(GOLD), "information": confidence(GOLD),
        "depth": np.array([0, 2, 3]),
    }  # fmt: skip
    return DataMap(measures, 4, "tiny", "hash")


def test_measures_agree_where_the_same_rows_are_hard() -> None:
    agreement = mapped().agreement
    assert set(agreement) == set(HARD) and "confidence" not in agreement["confidence"]
    for other in ("correctness", "forgetting", "error", "information", "depth"):
        assert agreement["confidence"][other] == 1.0, other
    assert agreement["confidence"]["variability"] == 0.0


def test_rows_are_ordered_by_confidence_and_by_variability() -> None:
    assert mapped().hardest.tolist() == [2, 1, 0] and mapped().most_variable[0] == 1


def test_the_summary_has_quantiles_and_a_row_its_measures() -> None:
    value = mapped().to_json()
    assert value["rows"] == 3 and value["epochs"] == 4 and value["quantiles"]["confidence"]["median"] == 0.5
    assert mapped().row(1) == {
        "confidence": 0.5, "variability": 0.3, "correctness": 0.5, "forgetting": 1.0, "error": 0.5,
        "information": 0.5, "depth": 2.0,
    }  # fmt: skip
