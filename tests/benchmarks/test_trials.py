"""What the table of trials says of arms and seeds."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.trials import GROUPS, Arm, chains, summary
from leanformer.compress.prune.layer_drop import LayerDrop
from leanformer.finetune.fine_tune import FineTune
from leanformer.train.fit_options import AdamWOptions

GROUP, (FIRST, OTHER, *_) = next(iter(GROUPS.items()))


def cell(arm: str, seed: int, right: str) -> dict[str, Any]:
    score = {"accuracy": 100 * right.count("1") / len(right), "n": len(right)}
    settings = {"group": GROUP, "arm": arm, "seed": seed}
    told = {"parameters": 7, "optimiser_steps": 3, "cpu_seconds": 2.0 * seed, "dev": score, "test": score}
    return {"settings": settings, "right": right, **told}


def test_the_gain_is_over_the_first_arm_text_by_text():
    rows = summary([
        cell(FIRST.name, 1, "1000"), cell(FIRST.name, 2, "1100"),
        cell(OTHER.name, 1, "1110"), cell(OTHER.name, 2, "1111"),
    ])  # fmt: skip
    assert [row["arm"] for row in rows] == [FIRST.name, OTHER.name] and "gain" not in rows[0]
    assert rows[0]["test"] == 37.5 and rows[1]["test"] == 87.5 and rows[1]["gain"] == 50.0
    assert rows[1]["cpu_seconds"] == 3.0 and rows[1]["n"] == 4 and rows[1]["seeds"] == [1, 2]
    # The gains of the texts are 0, 0.5, 1 and 0.5 in the mean over seeds: no draw can be below 0 or above 100 points.
    assert 0 <= rows[1]["low"] < 50 < rows[1]["high"] <= 100


def test_a_gain_is_of_the_seeds_that_both_have():
    rows = summary([cell(FIRST.name, 1, "10"), cell(OTHER.name, 1, "10"), cell(OTHER.name, 2, "00")])
    assert rows[1]["gain"] == 0.0 and rows[1]["test"] == 25.0
    assert "gain" not in summary([cell(OTHER.name, 2, "00")])[0]


@pytest.mark.parametrize("group", GROUPS)
def test_arms_of_a_group_that_train_have_equal_steps(group: str):
    steps = {
        sum(fit.epochs_of(1000) * -(-1000 // fit.batch_size) for fit in arm.steps if isinstance(fit, AdamWOptions))
        for arm in GROUPS[group]
    }
    assert len(steps - {0}) == 1
    assert len({arm.name for arms in GROUPS.values() for arm in arms}) == sum(map(len, GROUPS.values()))


def test_a_model_is_known_by_all_that_led_to_it():
    first, second = (chains(Arm("a", (LayerDrop(drop=drop), FineTune(epochs=2)))) for drop in (2, 3))
    assert [len(chain) for chain in first] == [2, 3] and first[1][:2] == first[0]
    assert first[0] != second[0] and first[1] != second[1]
    assert len(chains(Arm("a", (FineTune(),), from_teacher=False))[0]) == 1
