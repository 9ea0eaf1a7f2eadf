"""One entry in the table is a whole measurement: its option, its figures in the report and the way it is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from leanformer.cli.app import app
from leanformer.cli.measurements import with_measurements
from leanformer.errors import LeanformerError
from leanformer.ladder.on_request import NOTHING, Further, Subject
from leanformer.measurements import FLAG, MEASUREMENTS, Measurement
from leanformer.render.block import ReportBlock
from leanformer.render.blocks import blocks
from leanformer.render.markdown import report_markdown
from leanformer.report import Report
from tests.making.reports import make_report, make_rung
from tests.making.tiny import tiny_dataset


def count(subject: Subject) -> dict[str, int]:
    return {"texts": len(subject.test)}


def show(report: Report) -> list[ReportBlock]:
    rows = [(rung.name, str(rung.measured["counted"]["texts"])) for rung in report.rungs if "counted" in rung.measured]
    return [ReportBlock("Counted texts", ("rung", "texts"), rows)]


COUNTED = Measurement(
    "--count", "Count the texts.", takes=FLAG, answers=("label",), key="counted", in_loss=False,
    measures="tests.test_measurements:count", shows="tests.test_measurements:show", commands=("bench",),
)  # fmt: skip


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_every_entry_names_functions_that_are_there_and_its_option_exists(name: str):
    entry = MEASUREMENTS[name]
    roles = ("measures", "shows", *(["prepares"] if entry.prepares else []))
    assert all(callable(entry.function(role)) for role in roles)
    assert entry.brings is None or entry.brings in MEASUREMENTS
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    having = {
        command for command, made in commands.items() if any(entry.option in option.opts for option in made.params)
    }
    assert set(entry.commands) <= having


def test_an_entry_is_all_that_a_measurement_takes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setitem(MEASUREMENTS, "counted", COUNTED)
    calls: list[Further] = []

    def bench(further: Any = None) -> None:
        calls.append(further)

    program = typer.Typer()
    program.command()(with_measurements(bench))
    assert "--count" in CliRunner().invoke(program, ["--help"]).output
    for arguments in ([], ["--count", "--slice", "region", "--slice", "length"]):
        assert CliRunner().invoke(program, arguments).exit_code == 0
    assert calls == [NOTHING, Further(slices=("region", "length"), counted=True)]

    test = tiny_dataset().test
    assert test is not None
    subject = Subject(None, None, test, None, None, {})  # type: ignore[arg-type]
    figures = Further(counted=True).measured(subject, in_loss=False)
    assert figures == {"counted": {"texts": 60}}
    report = make_report(make_rung("first", measured=figures), make_rung("second"))
    report.write(tmp_path / "report.json")
    rungs = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["rungs"]
    assert [rung["counted"] for rung in rungs] == [{"texts": 60}, None]
    again = Report.read(tmp_path / "report.json")
    assert again.to_json() == report.to_json() and again.rungs[0].measured == figures
    assert "Counted texts" in [block.title for block in blocks(again)]
    assert "## Counted texts" in report_markdown(again)


def test_gaps_bring_slices_of_the_same_columns():
    test = tiny_dataset().test
    assert test is not None
    ours, columns = test.targets, {"region": tuple(f"r{i % 3}" for i in range(len(test)))}
    subject = Subject(None, None, test, ours, ours, {"groups": columns})  # type: ignore[arg-type]
    asked = Further(groups=("region",))
    loss = asked.measured(subject, in_loss=True)
    assert list(loss) == ["slices", "gaps"] and list(loss["slices"]) == list(loss["gaps"]) == ["region"]
    assert asked.measured(subject, in_loss=False) == {}
    # Part of the name under which a work folder keeps measurements: another form would measure them again.
    assert asked.key({"groups": columns}) == [("region",), False, False, columns]


def test_what_is_not_in_the_table_is_refused():
    with pytest.raises(LeanformerError, match="no measurement 'speed'; one of slices, groups"):
        Further(speed=True)


def test_a_measurement_is_refused_for_answers_that_it_is_not_defined_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(MEASUREMENTS, "counted", COUNTED)
    test = tiny_dataset().test
    assert test is not None
    assert Further(counted=True).prepare(test, 1) == {}
    monkeypatch.setattr(type(test.task), "answer", "made-up")
    for name in MEASUREMENTS:
        with pytest.raises(LeanformerError, match="is for tasks whose answer is"):
            Further(**{name: ("x",)}).prepare(test, 1)


def test_reports_keep_their_keys_in_their_order():
    """Written for each rung, null where nothing was asked for; other programs read them."""
    value = make_report(make_rung("first", measured={"stability": {"n": 1, "ways": {}}})).to_json()
    assert list(value)[:3] == ["title", "rungs", "machine"] and list(value)[-1] == "format_version"
    assert list(value["rungs"][0])[-2:] == ["robustness", "stability"]
    assert value["rungs"][0]["robustness"] is None and value["rungs"][0]["stability"] == {"n": 1, "ways": {}}
