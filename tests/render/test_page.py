"""The report's page: whole, self-contained, escaped, and saying what the reports say."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.errors import LeanformerError
from leanformer.first_rungs import FLOOR
from leanformer.measure.cost import Price
from leanformer.measure.lost_quality import describe_loss
from leanformer.metrics.pareto import pareto_front
from leanformer.render import several_reports as gathered_module
from leanformer.render.charts import drawable, latency_chart, pareto_chart
from leanformer.render.page import report_page
from leanformer.render.several_markdown import gathered_markdown
from leanformer.render.several_reports import Gathered, gather, gathered_json
from leanformer.render.svg import Axis, axis_for, spread
from leanformer.report import LATENCY_PERCENTS, Report
from leanformer.task import Task
from tests.making.reports import make_report, make_rung

TASK = Task("classification", ("music", "sport"))
TEXTS = tuple(f"text <b>{i}</b> & more" for i in range(40))


def detailed(**changes: Any) -> Report:
    """A report whose second rung lost three texts and gained one, and whose names try to be markup."""
    labels = np.arange(40) % 2
    reference = np.eye(2)[labels] * 4.0
    logits = reference.copy()
    logits[[1, 3, 5]] = logits[[1, 3, 5]][:, ::-1]
    reference[8] = reference[8][::-1]
    lengths = [5 + i for i in range(40)]
    loss = describe_loss(logits, reference, labels, TASK, lengths, (logits, labels))
    quantiles = tuple(float(1 + p / 10) for p in LATENCY_PERCENTS)
    lineage = (
        {"step": "train.fine_tune", "options": {"epochs": 2, "heads": None}},
        {"step": "export.<int8>", "options": {}},
    )
    first = make_rung("first", speedup=1.0, latency_ms_quantiles=quantiles, lineage=lineage[:1], quality=0.97, n=40)
    second = make_rung(
        "<script>alert(1)</script>", after="first", loss=loss, lineage=lineage, latency_ms_quantiles=quantiles, n=40,
        flops_per_text=2e6, throughput_per_second=50_000.0, throughput_median=50_000.0,
    )  # fmt: skip
    return make_report(first, second, command="leanformer compress teacher/ --data 'my data'", **changes)


class Checker(HTMLParser):
    """Fails where tags do not close in order; notes all tags and attributes."""

    void = ("meta", "input", "br", "hr", "link", "img", "circle", "line", "polygon", "polyline", "rect")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def parsed(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    return checker


@pytest.mark.parametrize("reports", [{"a": detailed()}, {"a": detailed(), "b<": make_report()}, {"old": make_report()}])
def test_the_page_is_whole_and_needs_nothing_else(reports: dict[str, Report]):
    page = report_page(Gathered(reports, (Price("azure", 0.677, 16, "a paper"),), 0.5, TEXTS, "leanformer report"))
    checker = parsed(page)
    assert "script" not in checker.tags and "link" not in checker.tags and "img" not in checker.tags
    assert not [value for name, value in checker.attributes if name in ("src", "href") or name.startswith("on")]
    outside = set(re.findall(r"https?://[^\s\"'<]+", page)) - {"http://www.w3.org/2000/svg"}
    assert outside == set()
    assert "url(" not in page and "@import" not in page


def test_everything_from_outside_is_escaped():
    page = report_page(Gathered({"<i>a": detailed(notes=("<u>note",), title="<s>title")}, texts=TEXTS))
    for evil in ("<script>alert", "<i>a", "<u>note", "<s>title", "text <b>", "export.<int8>"):
        assert evil not in page
    words = "".join(parsed(page).words)
    assert "<script>alert(1)</script>" in words and "text <b>1</b> & more" in words


def test_the_figures_on_the_page_are_the_reports():
    report = detailed()
    words = " ".join(" ".join(parsed(report_page(Gathered({"a": report}, texts=TEXTS))).words).split())
    assert "3 texts lost and 1 gained of 40; 4 answers changed" in words
    assert "leanformer compress teacher/ --data 'my data'" in words
    assert "train.fine_tune: epochs 2" in words, "options that were not set are left out"
    assert "1.23" in words and "50,000" in words


def test_without_the_data_no_text_of_it_is_shown():
    for made in (report_page(Gathered({"a": detailed()})), gathered_markdown(Gathered({"a": detailed()}))):
        assert "& more" not in made and "&amp; more" not in made
    assert all("& more" not in str(flip) for flip in (detailed().rungs[1].loss or {})["flips"])


def test_an_old_report_is_still_a_page():
    page = report_page(Gathered({"old": make_report()}))
    assert "written without the details" in page
    assert "Latency</h2>" not in page


def test_markdown_and_json_say_the_same():
    gathered = Gathered({"a": detailed()}, (Price("azure", 0.677, 16, ""),), 0.5, TEXTS, "leanformer report a")
    text = gathered_markdown(gathered)
    assert "3 texts lost and 1 gained" in text and "## Pareto fronts" in text and "azure" in text
    value = json.loads(json.dumps(gathered_json(gathered), allow_nan=False))
    assert value["points"] == {"1": "first", "2": "<script>alert(1)</script>"}
    assert value["pareto_fronts"]["throughput"] == ["2", "1"]
    assert value["command"] == "leanformer report a"
    assert value["reports"]["a"]["rungs"][1]["loss"]["lost"] == 3


def test_a_measure_that_one_rung_lacks_is_not_drawn():
    points = Gathered({"a": detailed()}).points()
    keys = [measure.key for measure in drawable(points)]
    assert "flops" not in keys and "energy" not in keys
    assert keys[:4] == ["throughput", "latency", "size", "usd"]
    chart = pareto_chart(points, drawable(points)[0])
    assert chart.count("<title>") == 2 and chart.count("<circle") == 2
    assert latency_chart(points).count("<rect") == 2


def test_the_floor_takes_no_chart_away():
    """Its operations are not counted, and those of all the others are drawn as ever."""
    rungs = (make_rung("first", flops_per_text=2e6), make_rung(FLOOR), make_rung("small", flops_per_text=1e6))
    gathered = Gathered({"a": make_report(*rungs)})
    measures = {measure.key: measure for measure in drawable(gathered.points())}
    assert rungs[1].flops_per_text is None and "flops" in measures
    assert pareto_chart(gathered.points(), measures["flops"]).count("<circle") == 2
    assert pareto_chart(gathered.points(), measures["throughput"]).count("<circle") == 3
    assert "2" not in gathered_json(gathered)["pareto_fronts"]["flops"]
    assert "million operations per text: " in gathered_markdown(gathered)
    assert 'id="figure-flops"' in report_page(gathered)


def test_the_front_is_what_nothing_beats():
    generator = np.random.default_rng(2)
    for _ in range(50):
        costs, merits = (generator.integers(0, 6, 9).tolist() for _ in range(2))
        beaten = {
            i for i, j in product(range(9), repeat=2)
            if costs[j] <= costs[i] and merits[j] >= merits[i] and (costs[j], merits[j]) != (costs[i], merits[i])
        }  # fmt: skip
        assert sorted(pareto_front(costs, merits)) == sorted(set(range(9)) - beaten)


def test_axes_hold_their_values_in_order():
    for values, positive in [([1.0, 900.0], True), ([88.0, 91.0], False), ([3.0, 3.0], True)]:
        axis = axis_for(values, 10, 600, positive=positive)
        places = [axis.at(value) for value in values]
        assert all(10 <= place <= 600 for place in places) and places == sorted(places)
        ticks = axis.ticks()
        assert len(ticks) >= 2 and all(axis.low - 1e-9 <= tick <= axis.high + 1e-9 for tick in ticks)
    assert Axis(1, 100, 0, 100, logarithmic=True).at(10) == pytest.approx(50)


def test_labels_do_not_cover_one_another():
    places = spread([(100.0, 50.0)] * 6 + [(108.0, 52.0)])
    for i, (x, y) in enumerate(places):
        assert all(abs(x - a) >= 24 or abs(y - b) >= 15 for a, b in places[:i])


def test_folders_are_read_and_named_without_their_place(tmp_path: Path):
    for name in ("one", "deep/one"):
        (tmp_path / name).mkdir(parents=True)
        make_report().write(tmp_path / name / "report.json")
    found = gather([tmp_path / "one", tmp_path / "deep" / "one", tmp_path / "one" / "report.json"])
    assert list(found) == ["one", "one (2)", "one (3)"]
    with pytest.raises(LeanformerError, match="no such report"):
        gather([tmp_path])


def test_details_survive_the_file(tmp_path: Path):
    report = detailed()
    report.write(tmp_path / "report.json")
    assert Report.read(tmp_path / "report.json") == report
    value = json.loads((tmp_path / "report.json").read_text())
    for rung in value["rungs"]:
        for key in ("latency_ms_quantiles", "loss", "lineage", "flops_per_text", "padding_waste", "energy"):
            del rung[key]
    del value["command"]
    (tmp_path / "report.json").write_text(json.dumps(value))
    old = Report.read(tmp_path / "report.json")
    assert old.rungs[1].loss is None and old.command is None


def test_no_colour_is_needed():
    """Greys alone, so that nothing is lost on paper, and to eyes that tell no colours apart."""
    style = (Path(gathered_module.__file__).parent / "page.css").read_text(encoding="utf-8")
    colours = re.findall(r"#([0-9a-f]{6}|[0-9a-f]{3})\b", style)
    assert len(colours) > 10
    for colour in colours:
        parts = [
            int(colour[i : i + len(colour) // 3] * (6 // len(colour)), 16)
            for i in range(0, len(colour), len(colour) // 3)
        ]
        assert max(parts) - min(parts) <= 8, colour
