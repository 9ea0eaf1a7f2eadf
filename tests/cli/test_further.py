"""`leanformer bench` with everything that can be asked for: energy, slices, gaps, seed churn, robustness, stability."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from leanformer.artifact import open_artifact
from leanformer.data.dataset import open_dataset
from leanformer.data.reading.columns import read_column
from leanformer.export.onnx import Onnx
from leanformer.loading import open_predictor
from leanformer.measure.lost_quality import slices_json
from leanformer.metrics.exemplars import exemplars
from leanformer.metrics.fairness import group_gaps
from leanformer.predictor import logits
from leanformer.report import Report
from leanformer.runtime.predictor import ENGINES
from tests.making.commands import Command, is_friendly, write_lines
from tests.making.graphs import make_context
from tests.making.tiny import LABELS, tiny_artifact, tiny_dataset


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seeds of a model, a graph of the first, and test texts with columns."""
    folder = tmp_path_factory.mktemp("further")
    first, *_ = (tiny_artifact(folder / f"seed{i}", seed=seed) for i, seed in ((1, 11), (2, 2), (3, 3)))
    Onnx()(first, make_context(folder, first), folder / "graph")
    test = tiny_dataset().test
    assert test is not None
    rows = [
        {"text": text, "label": LABELS[label], "region": f"r{i % 3}", "same": "x"}
        for i, (text, label) in enumerate(zip(test.texts, test.labels, strict=True))
    ]
    write_lines(folder / "test.jsonl", rows)
    return folder


def answers(place: Path, name: str) -> np.ndarray:
    texts = open_dataset(str(place / "test.jsonl"), single="test", labels=LABELS).test.texts  # type: ignore[union-attr]
    return logits(open_predictor(place / name), texts).argmax(axis=1)


@pytest.fixture
def measured(command: Command, place: Path) -> tuple[Report, str, str]:
    """The report with everything, what the terminal showed, and page and Markdown together; made once, read only."""
    path, page, shown = (place / name for name in ("report.json", "page.html", "out.txt"))
    if shown.exists():
        return Report.read(path), shown.read_text(), page.read_text() + page.with_suffix(".md").read_text()
    status, out, err = command(
        "bench", place / "seed1", place / "graph", place / "seed2", "--data", place / "test.jsonl", "--rounds", 1,
        "--no-memory", "--slice", "region", "--group", "region", "--reseeded", place / "seed3", "--robustness",
        "--stability", "--output", path,
    )  # fmt: skip
    assert status == 0, err
    assert command("report", path, "--output", page)[0] == 0
    shown.write_text(out)
    return Report.read(path), out, page.read_text() + page.with_suffix(".md").read_text()


@pytest.mark.slow
def test_all_of_it_is_what_the_functions_say(measured: tuple[Report, str, str], place: Path):
    report, out, written = measured
    test = open_dataset(str(place / "test.jsonl"), single="test", labels=LABELS).test
    assert test is not None
    first, graph, other = report.rungs
    ours, theirs, third = (answers(place, name) for name in ("seed2", "seed1", "seed3"))
    column = read_column(test, "region")
    assert other.loss is not None
    assert other.loss["slices"]["region"] == slices_json(ours, theirs, test.targets, column)
    gaps = group_gaps(ours, test.targets, column)
    assert other.loss["gaps"]["region"]["this"]["opportunity"] == gaps.opportunity
    assert other.loss["gaps"]["region"]["reference"]["fewest"] == 20
    found = exemplars(ours[None], np.stack([theirs, third]))
    assert (other.loss["exemplars"]["count"], other.loss["exemplars"]["churn"]) == (len(found.rows), found.churn)
    assert set(other.measured["robustness"]) == {"typos", "lower", "upper"}
    for title in ("By region", "Gaps between groups", "Seed churn", "Robustness", "Stability of answers"):
        assert title in written
        assert title in out or title == "Seed churn"
    assert "uncompressed models" in out
    # The graph is the first model: it changes nothing, so that there is nothing to be split.
    assert graph.loss is not None and graph.loss["changed"] == 0
    assert first.measured["robustness"] == graph.measured["robustness"]


@pytest.mark.slow
def test_a_model_is_run_in_every_way_that_there_is(measured: tuple[Report, str, str]):
    first, graph, _ = measured[0].rungs
    assert {"one text at a time", "in another batch", "padded"} == set(first.measured["stability"]["ways"])
    ways = graph.measured["stability"]["ways"]
    assert {"one text at a time", "in another batch", "as the padded graph"} < set(ways)
    assert {f"engine {name}" for name in ENGINES if name != "onnxruntime"} <= set(ways)
    assert any("thread" in name for name in ways)
    run = [way for way in ways.values() if "unavailable" not in way]
    assert len(run) >= 4
    assert all(way["changed"] == 0 and way["largest"] < 1e-3 for way in run), "fp32 moves in the last bits alone"
    assert graph.measured["stability"]["n"] == 60 and graph.measured["stability"]["spread"] > 0


@pytest.mark.slow
def test_time_and_work_stand_in_every_report(measured: tuple[Report, str, str], place: Path):
    report, _, written = measured
    first, graph, _ = report.rungs
    assert report.peak is not None and report.peak["flops_per_second"] > 0
    for rung in report.rungs:
        assert rung.cpu_seconds_per_1000 is not None and rung.cpu_seconds_per_1000 > 0
        assert rung.energy is None
        assert rung.peak_share == pytest.approx(
            (rung.flops_per_text or 0) * rung.inference_per_second / report.peak["flops_per_second"]
        )
        assert 0 < (rung.parameters_without_embeddings or 0) < (rung.parameters or 0)
        assert (rung.traffic_bytes_per_text or 0) > 0
    assert first.padding_waste is not None and graph.padding_waste is None, "the padding of packs is not known"
    assert (graph.flops_per_text or 0) < (first.flops_per_text or 0)
    assert "Energy was not metered" in written
    assert open_artifact(place / "seed1").content_hash == first.content_hash


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--slice", "country"), "region"),
        (("--group", "same"), "two groups"),
        (("--country", "DEU"), "--energy"),
        (("--energy", "--country", "XYZ"), "XYZ"),
    ],
)
def test_what_cannot_be_measured_is_said(options: tuple[str, ...], said: str, command: Command, place: Path):
    if "--energy" in options:
        pytest.importorskip("codecarbon")
    status, out, err = command("bench", place / "seed1", "--data", place / "test.jsonl", "--no-memory", *options)
    is_friendly(status, out, err)
    assert said in err


def test_another_seed_with_other_labels_is_refused(command: Command, place: Path, tmp_path: Path):
    other = tiny_artifact(tmp_path / "other", labels=("a", "b", "c")).path
    status, out, err = command(
        "bench", place / "seed1", "--data", place / "test.jsonl", "--no-memory", "--reseeded", other
    )
    assert status == 1 and out == "" and "no other seed" in err


@pytest.mark.slow
def test_energy_is_metered_when_asked_for(
    command: Command, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("codecarbon")
    from leanformer.measure import energy

    # A second in place of a minute: the figure means nothing, and all that surrounds it is as it is.
    monkeypatch.setattr(energy.EnergySettings.__init__, "__defaults__", (None, 1.0))
    monkeypatch.setattr(energy.meter_inference, "__kwdefaults__", {"seconds": 8.0, "seed": 13, "least_seconds": 0.5})
    path, page = tmp_path / "report.json", tmp_path / "page.html"
    status, out, err = command(
        "bench", place / "graph", "--data", place / "test.jsonl", "--no-memory", "--rounds", 1, "--energy", "--country",
        "DEU", "--output", path,
    )  # fmt: skip
    assert status == 0, err
    (rung,) = Report.read(path).rungs
    assert rung.energy is not None
    assert rung.energy["status"] in ("measured", "estimated") and rung.energy["country"] == "DEU"
    assert rung.energy["energy_joules"] > 0 and rung.energy["carbon_grams"] > 0
    assert rung.energy["texts"] % 60 == 0 and rung.energy["wall_seconds"] >= 1
    assert command("report", path, "--output", page)[0] == 0
    for written in (page.read_text(), page.with_suffix(".md").read_text(), out):
        assert "J/1,000" in written and "gCO2e/1,000" in written and rung.energy["status"] in written
        assert "grid of DEU" in written and "codecarbon" in written
    value = json.loads(page.with_suffix(".json").read_text())
    assert "energy" in value["pareto_fronts"] and "carbon" in value["pareto_fronts"]


def test_training_leaves_what_it_took_beside_the_model(command: Command, place: Path, folder: Path, tmp_path: Path):
    place_of = ("--encoder", place / "seed1", "--output", tmp_path / "teacher")
    status, _, err = command("train", folder, *place_of, "--epochs", 1, "--device", "cpu")
    assert status == 0, err
    effort = json.loads((tmp_path / "teacher" / "effort.json").read_text())
    assert effort["whole"] and effort["energy"]["cpu_seconds"] > 0 and effort["energy"]["phase"] == "training"
    assert "effort.json" not in open_artifact(tmp_path / "teacher").files
