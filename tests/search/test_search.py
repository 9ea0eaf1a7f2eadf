"""A whole search on generated data with a tiny teacher: the front delivered, nothing read from test before."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from leanformer.artifact import Artifact, open_artifact
from leanformer.data.examples import Examples
from leanformer.measure.speed import SpeedSettings
from leanformer.recipe.library import find_recipe
from leanformer.report import Report
from leanformer.search.jobs.local import JobRunner
from leanformer.search.run import JOURNAL, Searched, search
from leanformer.search.study.budget import SearchBudget
from tests.making.searches import space_of
from tests.making.tiny import tiny_dataset

QUICK = SpeedSettings(rounds=1, latency_texts=10, seconds=0.01)
TINY = """\
name: tiny
goals:
  maximise: accuracy
  minimise: bytes
steps:
  - step: compress.distil
    name: student
    uses: teacher
    layers: {choose: [2, 1]}
    learning_rate: {range: [0.001, 0.01], log: true}
    trial_texts: 0
    epochs: 1
    use_unlabelled: false
  - step: export.onnx
    max_difference: 0.01
"""


def run(folder: Path, teacher: Artifact, text: str = TINY, **changes: Any) -> Searched:
    given: dict[str, Any] = {"data": tiny_dataset(), "trials": 4, "said": []} | changes
    said = given.pop("said")
    budget = SearchBudget(trials=given.pop("trials"))
    return search(
        space_of(folder, text), str(teacher.path), given.pop("data"), folder / "found", budget=budget, threads=1,
        device="cpu", speed=QUICK, final_speed=QUICK, allow_weak_teacher=True, allow_lost_classes=True,
        say=said.append, **given,
    )  # fmt: skip


@pytest.mark.slow
def test_four_trials_over_two_holes_give_a_front_with_its_report(tmp_path: Path, teacher: Artifact):
    said: list[str] = []
    found = run(tmp_path, teacher, said=said)
    assert found.record["counts"] == {"finished": 4}
    assert found.record["ended"] == "4 trials are done"
    assert list(found.front) == found.record["front"]
    output = tmp_path / "found"
    for number, artifact in found.front.items():
        folder = output / "front" / f"trial-{number:03}"
        assert open_artifact(folder).content_hash == artifact.content_hash
        assert "among 4 trials on dev" in (folder / "README.md").read_text(encoding="utf-8")
        recipe = find_recipe(folder / "recipe.yaml")  # without holes: compress can run it
        params = found.record["trials"][number]["params"]
        assert recipe.to_json()["steps"][0]["layers"] == params["student.layers"]
    report = Report.read(output / "report.json")
    assert [rung.name for rung in report.rungs][3:] == [f"trial {number}" for number in found.front]
    assert any("found by 4 trials on dev" in note for note in report.notes)
    text = (output / "report.md").read_text(encoding="utf-8")
    assert "## Expected best by budget" in text and "## The front on test" in text
    assert (output / "expected.svg").read_text(encoding="utf-8").startswith("<svg")
    assert (output / "trials.svg").is_file()
    assert any("front: " in line for line in said)
    # Given again with a larger budget, it goes on; the trials there were are not run again.
    before = (tmp_path / "found.work" / JOURNAL).read_text(encoding="utf-8")
    again = run(tmp_path, teacher, trials=5)
    assert (tmp_path / "found.work" / JOURNAL).read_text(encoding="utf-8").startswith(before)
    assert again.record["trials"][:4] == found.record["trials"]
    assert len(again.record["trials"]) >= 5


class UnreadError(AssertionError):
    pass


class Sealed(Examples):
    """A split that must not be looked into while it is sealed."""

    open = False

    def __getattribute__(self, name: str) -> Any:
        if name in ("texts", "labels", "inputs", "targets", "pairs", "content_hash", "select") and not Sealed.open:
            raise UnreadError(f"test.{name} was read")
        return super().__getattribute__(name)


def sealed(examples: Examples) -> Sealed:
    Sealed.open = True
    made = Sealed(examples.task, examples.texts, examples.labels, source=examples.source)
    Sealed.open = False
    return made


@pytest.mark.slow
def test_nothing_reads_test_before_the_search_is_over(
    tmp_path: Path, teacher: Artifact, monkeypatch: pytest.MonkeyPatch
):
    import leanformer.search.run as module

    data = tiny_dataset()
    assert data.test is not None
    data = replace_test(data, sealed(data.test))
    original, ended = module.drive, []

    def drive(*arguments: Any) -> str:
        why = original(*arguments)
        ended.append(why)
        return why

    delivered = module.deliver

    def deliver(*arguments: Any, **named: Any) -> Any:
        assert ended
        Sealed.open = True
        return delivered(*arguments, **named)

    monkeypatch.setattr(module, "drive", drive)
    monkeypatch.setattr(module, "deliver", deliver)
    try:
        found = run(tmp_path, teacher, data=data, trials=2)
    finally:
        Sealed.open = False
    assert found.report is not None
    assert found.report.rungs[-1].n == 60
    with pytest.raises(UnreadError):
        _ = data.test.inputs  # the seal would have been seen


def replace_test(data: Any, test: Examples) -> Any:
    Sealed.open = True
    made = replace(data, test=test)
    Sealed.open = False
    return made


def test_a_runner_with_a_test_split_is_refused(tmp_path: Path, teacher: Artifact):
    with pytest.raises(ValueError, match="no test split"):
        JobRunner(teacher, tiny_dataset(), tmp_path)


def test_a_search_that_finds_nothing_says_so(tmp_path: Path, teacher: Artifact):
    found = run(tmp_path, teacher, TINY.replace("  minimise: bytes", "  minimise: bytes\n  max_bytes: 10"), trials=2)
    assert found.front == {} and found.report is None
    assert "No finished trial keeps the bounds" in (tmp_path / "found" / "report.md").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "found" / "search.json").read_text(encoding="utf-8"))["front"] == []
