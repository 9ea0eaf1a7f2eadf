"""Reports on the terminal and as Markdown, and the model card."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from leanformer.artifact import Artifact, write_manifest
from leanformer.render.card import model_card
from leanformer.render.markdown import ladder_markdown, report_markdown
from leanformer.render.table import HEADER, facts, ladder_rows, number
from leanformer.render.terminal import _SECOND, print_report
from leanformer.report import Report
from leanformer.task import Task
from tests.making.reports import make_report, make_rung


def terminal(report: Report, width: int = 250) -> str:
    stream = io.StringIO()
    print_report(report, Console(file=stream, width=width))
    return stream.getvalue()


def table_cells(text: str, bar: str) -> list[list[str]]:
    """Cells of the lines of a table whose columns are parted by `bar`; rules between rows are dropped."""
    lines = [line.strip() for line in text.splitlines() if line.strip().startswith(bar)]
    return [[cell.strip() for cell in line.strip(bar).split(bar)] for line in lines if set(line) - set("|- ")]


def test_terminal_and_markdown_show_the_same_table():
    report = make_report()
    shown = terminal(report).replace("┃", "│")
    expected = [list(HEADER), *(list(row) for row in ladder_rows(report))]
    assert table_cells(shown, "│") == expected
    assert table_cells(ladder_markdown(report), "|") == expected


def test_a_narrow_terminal_shows_every_column_in_two_tables():
    shown = table_cells(terminal(make_report(), width=110).replace("┃", "│"), "│")
    headings = [row for row in shown if row[0] == HEADER[0]]
    assert headings == [[name for name in HEADER if name not in _SECOND], [HEADER[0], *_SECOND]]
    assert set(_SECOND) < set(HEADER), "a renamed column must be renamed there too"


def test_notes_are_shown():
    assert "Note: " in " ".join(terminal(replace(make_report(), notes=("left out: int8",))).split())


def test_a_row_has_the_figures_of_its_rung():
    rows = [dict(zip(HEADER, row, strict=True)) for row in ladder_rows(make_report())]
    assert rows[0]["rung"] == "first"
    assert rows[1]["rung"] == "int8 (chosen)"
    row = rows[1]
    assert (row["x"], row["x step"], row["x unpadded"]) == ("9.87", "1.78", "3.21")
    assert (row["quality"], row["95 % interval"], row["dev"]) == ("90.12", "89.1 to 93.4", "90.34")
    assert (row["texts/s"], row["p50 ms"], row["p95 ms"], row["MB"]) == ("12,346", "1.23", "2.35", "45.6")
    assert (row["agree"], row["lost"], row["USD/100M"]) == ("98.7", "+1.23", "190")


@pytest.mark.parametrize(
    ("value", "text"),
    [(12345.6, "12,346"), (100, "100"), (99.96, "100"), (1.234, "1.23"), (0.00456, "0.00456"), (0, "0")],
)
def test_numbers_have_three_figures(value: float, text: str):
    assert number(value) == text


@pytest.mark.parametrize("name", ["int8 [fast]", "[bold]int8", "int8 [/red]", "a | b"])
def test_a_name_is_shown_as_it_is_written(name: str):
    report = make_report(make_rung("first"), make_rung(name), title=f"quick on {name}")
    shown = terminal(report)
    assert shown.count(name) >= 2
    line = next(line for line in ladder_markdown(report).splitlines() if "(chosen)" in line)
    assert name.replace("|", "\\|") in line
    # In a Markdown table a bar that is escaped is no column.
    assert line.replace("\\|", "").count("|") == len(HEADER) + 1


def test_the_facts_stand_beside_the_figures():
    report = make_report()
    said = " ".join(facts(report))
    for fact in ("accuracy on 60 test texts", "57 test texts", "300 texts", "Some CPU @ 2 GHz, 2 of 8 cores",
                 "avx512_vnni", "Python 3.12.1", "numpy 2.1.0", "0.0846 USD per hour: 2 of 16 cores"):  # fmt: skip
        assert fact in said
    page = report_markdown(report)
    assert all(fact in page for fact in facts(report))
    flat = " ".join(terminal(report, width=400).split())
    assert all(" ".join(fact.split()) in flat for fact in facts(report))


def test_the_page_has_choice_and_notes():
    page = report_markdown(make_report())
    assert page.startswith("# quick on tiny\n")
    assert "**Chosen, not proven:** best throughput of all." in page
    assert "- 3 of 60 test texts are also in train" in page
    assert "macro-F1 87.65 (85.0 to 89.0)" in page and "`sport`, recall 65.4 %" in page
    assert "Chosen, not proven: best throughput of all." in terminal(make_report())


def test_a_bench_has_no_choice():
    report = make_report(choice=None, notes=())
    for text in (report_markdown(report), terminal(report)):
        assert "hosen" not in text
        assert "Notes" not in text


def artifact(folder: Path, format: str = "onnx", labels: int = 3) -> Artifact:
    folder.mkdir(exist_ok=True)
    history = (
        {"step": "import", "options": {"source": "bert-tiny", "family": None}, "parent": None},
        {"step": "export.onnx", "options": {"gate_texts": 1000, "max_flips": 0.0}, "parent": "x"},
    )
    task = Task("classification", tuple(f"label{i}" for i in range(labels)))
    return write_manifest(folder, format=format, task=task, max_tokens=48, history=history)


def test_the_card_tells_what_it_is(tmp_path: Path):
    report = make_report()
    card = model_card(artifact(tmp_path), report)
    for said in ("# quick on tiny", "`label0`, `label1`, `label2`.", "48 tokens", "11.4 M parameters", "123 MB",
                 "12,346 texts per second, 1.23 ms for one text", "accuracy 90.12 % on 60 test texts (89.1 to 93.4)",
                 "`sport`, recall 65.4 %", "Chosen, not proven: best throughput of all",
                 "1. `import`: source bert-tiny\n2. `export.onnx`: gate_texts 1000",
                 ladder_markdown(report)):  # fmt: skip
        assert said in card
    assert 'leanformer.load("this-folder")' in card


def test_the_card_of_a_pytorch_model_does_not_promise_the_light_runtime(tmp_path: Path):
    card = model_card(artifact(tmp_path, format="transformers"), make_report())
    assert "leanformer.load" not in card
    assert "leanformer predict this-folder" in card and "leanformer[train]" in card


def test_the_card_counts_many_labels(tmp_path: Path):
    card = model_card(artifact(tmp_path, labels=77), make_report(make_rung(parameters=None, peak_memory_bytes=None)))
    assert "`label29` and 47 more." in card and "`label30`" not in card
    assert "not measured" in card and "M parameters" not in card
