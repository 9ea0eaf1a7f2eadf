"""`leanformer report` on a bench of tiny models: three files, the texts only when asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leanformer.report import Report
from tests.making.commands import Command, is_friendly
from tests.making.reports import make_report
from tests.making.tiny import tiny_artifact, tiny_dataset


@pytest.fixture
def measured(command: Command, folder: Path, tmp_path: Path) -> Path:
    """report.json of two tiny models of different weights."""
    models = [tiny_artifact(tmp_path / f"model{seed}", seed=seed).path for seed in (1, 2)]
    output = tmp_path / "bench" / "report.json"
    status, _, err = command("bench", *models, "--data", folder, "--rounds", 1, "--no-memory", "--output", output)
    assert status == 0, err
    return output


def test_what_a_bench_measured_becomes_a_page(command: Command, measured: Path, folder: Path, tmp_path: Path):
    report = Report.read(measured)
    first, second = report.rungs
    assert report.command is not None and report.command.startswith("leanformer bench ")
    assert second.loss is not None and second.loss["changed"] == round((1 - second.agreement) * second.n) > 0
    assert second.loss["lost"] - second.loss["gained"] == round(second.drop * second.n)
    assert sum(length["n"] for length in second.loss["lengths"]) == second.n == 60
    assert first.latency_ms_quantiles is not None
    assert first.latency_ms_quantiles[7] == pytest.approx(first.latency_ms_p50)
    assert first.flops_per_text is not None and 0 <= (first.padding_waste or 0) < 1
    assert report.data["splits"]["test"] != report.data["splits"]["dev"]

    page = tmp_path / "page.html"
    arguments = ("report", measured.parent, "--output", page, "--spent-usd", 1)
    assert command(*arguments)[0] == 0
    text = tiny_dataset().test.texts[second.loss["flips"][0]["row"]]  # type: ignore[union-attr]
    assert text not in page.read_text()
    assert command(*arguments, "--data", folder)[0] == 0
    assert text in page.read_text() and text in page.with_suffix(".md").read_text()
    value = json.loads(page.with_suffix(".json").read_text())
    assert list(value["reports"]) == ["bench"]
    assert str(tmp_path) not in json.dumps(list(value["reports"]))


def test_other_data_than_was_measured_on_is_refused(command: Command, tmp_path: Path, folder: Path):
    make_report().write(tmp_path / "old" / "report.json")
    status, out, err = command("report", tmp_path / "old", "--output", tmp_path / "page.html", "--data", folder)
    is_friendly(status, out, err)
    assert "not those" in err and not (tmp_path / "page.html").exists()


@pytest.mark.parametrize(
    ("options", "said"), [(("--output", "page.pdf"), ".html"), (("--prices", "none.yaml"), "none.yaml")]
)
def test_what_cannot_be_written_is_said(options: tuple[str, ...], said: str, command: Command, tmp_path: Path):
    make_report().write(tmp_path / "report.json")
    status, out, err = command("report", tmp_path, *options)
    is_friendly(status, out, err)
    assert said in err


def test_a_folder_without_a_report_is_said(command: Command, tmp_path: Path):
    status, out, err = command("report", tmp_path, "--output", tmp_path / "page.html")
    is_friendly(status, out, err)
    assert "no such report" in err
