"""What is asked of the rows of runtime.json, and how they are shown."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks.pages.runtime_picture import bars, draw
from benchmarks.runtime.rows import (
    AS_THEY_COME,
    LONG,
    QUALITY,
    SINGLE,
    SORTED,
    TUNED,
    WORKERS,
    bounds,
    judged,
    merged,
    table,
)


def speed(work: str, ours: str, peer: str, mine: float, theirs: float) -> dict[str, Any]:
    rounds = {"ours_rounds": [mine * 0.9, mine * 1.1], "peer_rounds": [theirs, theirs]}
    row = {"work": work, "ours": mine, "ours_name": ours, "peer": theirs, "peer_name": peer, "ratio": mine / theirs}
    return row | rounds | {"unit": "texts per second", "ratio_of_rounds": [0.9, 1.1], "engine": "native"}


def quality(ours: str, lost: float) -> dict[str, Any]:
    return {
        "work": QUALITY, "ours": 90 - lost, "ours_name": ours, "peer": 90.0, "peer_name": "fp32 of the same model",
        "unit": "per cent right", "ratio": 1.0, "lost_points": lost, "lost_low": lost - 0.2, "lost_high": lost + 0.2,
        "n": 872, "engine": "native",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("work", "peer", "floor"),
    [
        (AS_THEY_COME, "OpenVINO int8 (NNCF)", 2.0),
        (AS_THEY_COME, "ONNX Runtime int8, fused", 3.5),
        (AS_THEY_COME, "transformers pipeline", 12.0),
        (SORTED, "OpenVINO int8 (NNCF)", 1.35),
        (SORTED, "ONNX Runtime int8, as traced", 2.2),
        (SINGLE, "ONNX Runtime int8, fused", 1.3),
        (LONG["movie_reviews"], "CTranslate2 int8, one by one", 1.1),
        (WORKERS, "one worker of leanformer int8, native", 1.9),
    ],
)
def test_the_floors_are_those_promised(work: str, peer: str, floor: float):
    found = bounds(work, peer)
    assert found is not None and found[0] == floor < found[1]


def test_nothing_is_promised_of_others():
    assert bounds(SORTED, "PyTorch bf16") is None and bounds(SINGLE, "transformers pipeline") is None


def test_only_the_tuned_choice_is_judged():
    rows = [
        speed(AS_THEY_COME, TUNED, "OpenVINO int8 (NNCF)", 300, 100),
        speed(SORTED, TUNED, "OpenVINO int8 (NNCF)", 130, 100),
        speed(SORTED, "leanformer int8, openvino", "OpenVINO int8 (NNCF)", 130, 100),
        quality(TUNED, 0.29),
        quality(TUNED, 0.31),
    ]
    assert [row.get("met") for row in judged(rows, 2)] == [True, False, None, True, False]


def test_workers_that_seem_faster_than_there_are_cores_meet_nothing():
    rows = [speed(WORKERS, TUNED, "one worker of leanformer int8, native", ratio, 1.0) for ratio in (1.95, 2.01, 1.5)]
    assert [(row["met"], row.get("beyond_cores", False)) for row in judged(rows, 2)] == [
        (True, False), (False, True), (False, False),
    ]  # fmt: skip
    assert judged(rows, 4)[1]["met"]
    # A row that was stored as met before this was known is shown as what it is.
    lines = table([row | {"met": True} for row in rows], 2)
    assert [("noise" in line, "missed" in line) for line in lines[2:]] == [(False, False), (True, False), (False, True)]


def test_works_measured_again_replace_the_old_rows():
    old = [speed(SORTED, "a", "b", 1, 1), speed(WORKERS, "a", "b", 1, 1)]
    new = [speed(SORTED, "a", "c", 2, 1), speed(AS_THEY_COME, "a", "c", 2, 1)]
    found = merged(old, new)
    assert [(row["work"], row["peer_name"]) for row in found] == [(AS_THEY_COME, "c"), (SORTED, "c"), (WORKERS, "b")]


def test_the_table_shows_what_was_missed():
    rows = judged([speed(AS_THEY_COME, TUNED, "OpenVINO int8 (NNCF)", 150, 100), quality(TUNED, 0.1)], 2)
    lines = table([*rows, speed(SORTED, "leanformer int8, openvino", "PyTorch bf16", 1, 1)], 2)
    assert len(lines) == 4 and "2, missed" in lines[2] and "missed" not in lines[3] and "n = 872" in lines[3]
    assert {line.count("|") for line in lines} == {7}


def test_the_picture_has_every_way_once_and_is_well_formed():
    rows = [
        speed(AS_THEY_COME, name, peer, mine, theirs)
        for name, mine in (("leanformer int8, <a>", 300.0), ("leanformer int8, b", 200.0), (TUNED, 300.0))
        for peer, theirs in (("OpenVINO & others", 100.0), ("CTranslate2 int8", 250.0))
    ]
    assert [bar.name for bar in bars(rows)] == [
        "leanformer int8, <a>", "CTranslate2 int8", "leanformer int8, b", "OpenVINO & others",
    ]  # fmt: skip
    root = ElementTree.fromstring(draw([*rows, quality(TUNED, 0.1)]))
    space = "{http://www.w3.org/2000/svg}"
    drawn = {rect.get("class"): [] for rect in root.iter(f"{space}rect")}
    for rect in root.iter(f"{space}rect"):
        drawn[rect.get("class")].append(float(rect.get("width") or 0))
    assert [len(drawn["ours"]), len(drawn["peer"])] == [2, 2]
    assert drawn["ours"][0] / drawn["peer"][1] == pytest.approx(3, rel=0.01)  # lengths are what was measured
    words = [element.text for element in root.iter(f"{space}text")]
    assert "leanformer int8, <a>" in words and QUALITY not in words
