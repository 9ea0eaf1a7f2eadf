"""The picture and the table of a data map."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

from leanformer.curate.data_map import DataMap
from leanformer.render import data_map as module
from leanformer.render.data_map import map_svg, map_table


def mapped(rows: int = 9) -> DataMap:
    correctness = np.arange(rows) % 3 / 2
    return DataMap(
        {"confidence": np.linspace(0, 1, rows), "variability": np.full(rows, 0.25), "correctness": correctness,
         "depth": np.arange(rows)}, 4, "tiny", "hash",
    )  # fmt: skip


def shapes(svg: str) -> dict[str, int]:
    root = ElementTree.fromstring(svg)
    names = [f"{each.tag.split('}')[1]} {each.get('class')}" for each in root.iter()]
    return {name: names.count(name) for name in ("circle filled", "circle hollow", "polygon hollow")}


def test_rows_are_drawn_by_how_often_they_are_right() -> None:
    assert shapes(map_svg(mapped())) == {"circle filled": 3, "circle hollow": 3, "polygon hollow": 3}


def test_places_are_variability_and_confidence() -> None:
    circles = [
        (float(each.get("cx", "")), float(each.get("cy", "")))
        for each in ElementTree.fromstring(map_svg(mapped())).iter()
        if each.tag.endswith("circle")
    ]
    assert {x for x, _ in circles} == {340.0}  # half of the axis from 60 to 620
    assert circles[0][1] == 370.0 and circles[-1][1] == 20.0  # confidence 0 is below, 1 above


def test_of_many_rows_some_are_drawn_and_it_is_said() -> None:
    assert "drawn at random" not in map_svg(mapped())
    svg = map_svg(mapped(3 * module.MOST_POINTS))
    assert sum(shapes(svg).values()) == module.MOST_POINTS and "2,000 of 6,000 rows, drawn at random" in svg


def test_the_table_has_a_line_for_each_measure_that_there_is() -> None:
    lines = map_table(mapped())
    assert sum(line.startswith("| depth") for line in lines) == 1 and not any("EL2N" in line for line in lines)
    assert next(line for line in lines if line.startswith("| depth")).endswith("| -1.00 |")
