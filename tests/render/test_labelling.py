"""The lines about a round."""

from __future__ import annotations

from typing import Any

from leanformer.render.labelling import round_lines


def status(**changes: Any) -> dict[str, Any]:
    return {
        "round": 3, "labelled": 120, "candidates": 800, "pool": 1000, "strategy": "margin", "unanswered": 0,
        "left_out": {"evaluated": 0, "labelled": 0, "repeated": 0}, "evaluated_lines": [], "agreement": [],
        "stop": False, "audit": None, "chosen": None,
        "cost": {"of": "words", "mean_chosen": 12.34, "mean_candidate": 9.0, "chosen": 600.0, "audit": 90.0},
    } | changes  # fmt: skip


def test_what_there_is_nothing_to_say_about_is_not_said() -> None:
    assert round_lines(status()) == [
        "round 3: 120 rows are labelled, 800 of 1,000 rows of the pool can be chosen",
        "strategy margin; words: 12.3 per chosen row, 9.0 per row of the pool, 690 in all",
        "stop: not known yet; the answers of successive rounds are compared from the second labelled round on",
    ]


def test_all_of_it() -> None:
    share = {"rows": 10, "right": 8, "accuracy": 0.8, "interval": [0.44, 0.97]}
    lines = "\n".join(
        round_lines(
            status(
                left_out={"evaluated": 7, "labelled": 2, "repeated": 1}, evaluated_lines=[3, 5, 8, 9, 11, 12, 40],
                unanswered=4, audit=share, chosen=share, agreement=[0.98, 0.995, 1.0], stop=True,
            )
        )
    )  # fmt: skip
    assert "in dev or test, exactly or nearly: 7 rows (lines 3, 5, 8, 9, 11, ...)" in lines
    assert "2 rows that are labelled already, 1 repeats" in lines and "4 rows of earlier rounds have no label" in lines
    assert "drawn at random: the model was right on 8 of 10 rows before it was trained on them" in lines
    assert "(80 %, 95 % interval 44 to 97)" in lines
    assert "chosen: the model was right on 8" in lines and "stop: yes" in lines and "0.980, 0.995, 1.000" in lines
    assert "stop: no; the answers still change (kappa between rounds 0.500)" in round_lines(status(agreement=[0.5]))
