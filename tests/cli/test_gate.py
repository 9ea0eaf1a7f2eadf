"""`leanformer gate` on tiny models: statuses, refusals, what is printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leanformer.artifact import open_artifact
from leanformer.loading import open_predictor
from leanformer.predictor import logits
from tests.cli.calling import Command, is_friendly, write_lines
from tests.knowing import knowing
from tests.tiny import LABELS, TOPICS, tiny_artifact, tiny_texts


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, another with other weights, and texts labelled by the first."""
    folder = tmp_path_factory.mktemp("gate")
    first = tiny_artifact(folder / "first", seed=1)
    tiny_artifact(folder / "second", seed=2)
    texts = tuple(f"{text} {i}" for i, text in enumerate(tiny_texts(320, seed=9)[0]))
    said = logits(open_predictor(first.path), texts).argmax(axis=1)
    rows = [{"text": text, "label": LABELS[said[i]], "region": f"r{i % 2}"} for i, text in enumerate(texts)]
    write_lines(folder / "fresh.jsonl", rows)
    write_lines(folder / "few.jsonl", rows[:200])
    return folder


def test_a_model_ships_against_itself(command: Command, place: Path):
    status, out, err = command("gate", place / "first", "--against", place / "first", "--data", place / "fresh.jsonl")
    assert status == 0, err
    assert out.startswith("SHIP")
    assert "0 lost and 0 gained of 320" in out
    assert "320 texts can show" in err and "not recorded" in err


def test_a_worse_one_is_held(command: Command, place: Path, tmp_path: Path):
    status, out, _ = command(
        "gate", place / "second", "--against", place / "first", "--data", place / "fresh.jsonl", "--json",
        "--max-flips", 1, "--slice", "region=30", "--slice", "length", "--slice", "class=5",
        "--output", tmp_path / "verdict.json",
    )  # fmt: skip
    assert status == 4
    value = json.loads(out)
    assert json.loads((tmp_path / "verdict.json").read_text()) == value
    assert value["ships"] is False
    names = [check["name"] for check in value["checks"]]
    assert names[:4] == ["accuracy", "changed answers", "region r0", "region r1"]
    assert any(name.startswith("length ") for name in names) and any(name.startswith("class ") for name in names)
    assert value["checks"][0]["status"] == "broken"
    assert value["bounds"]["slices"] == {"region": 30, "length": 1, "class": 5}
    assert value["data"]["n"] == 320
    assert len(value["forecast"]) == len(names)
    assert value["artifact"]["content_hash"] == open_artifact(place / "second").content_hash


def test_too_few_texts_are_said_before_and_after(command: Command, place: Path):
    status, out, err = command("gate", place / "first", "--against", place / "first", "--data", place / "few.jsonl")
    assert status == 4
    assert "200 texts cannot show" in err
    assert "99 more texts" in out


def test_a_forecast_runs_no_model(command: Command, place: Path):
    options = ("--against", "nowhere", "--data", place / "few.jsonl", "--forecast")
    status, out, err = command("gate", place / "first", *options)
    assert (status, out) == (0, "")
    assert "200 texts cannot show" in err


def test_the_split_it_was_chosen_with_is_refused(command: Command, place: Path, folder: Path, tmp_path: Path):
    from leanformer.data.dataset import open_dataset

    data = open_dataset(str(folder))
    made = [{"step": "train.fine_tune", "options": {}, "parent": None, "data": {"training_hash": data.training_hash}}]
    model = tiny_artifact(tmp_path / "model", history=made).path
    arguments = ("gate", model, "--against", model, "--data", folder, "--on", "dev", "--max-drop", 20)
    arguments += ("--allow-weak-teacher",)  # its weights are random
    status, out, err = command(*arguments)
    is_friendly(status, out, err)
    assert "nothing would be proven" in err
    status, out, err = command(*arguments, "--used")
    assert status == 0 and "warning: these texts are the dev split" in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--max-drop", "0"), "between 0 and 100"),
        (("--slice", "length=many"), "number of points"),
        (("--slice", "=3"), "name a column"),
        (("--slice", "country"), "region"),
        (("--on", "unlabelled"), "no labelled split"),
        (("--confidence", "1"), "confidence"),
    ],
)
def test_what_cannot_be_judged_is_said(options: tuple[str, ...], said: str, command: Command, place: Path):
    status, out, err = command(
        "gate", place / "first", "--against", place / "first", "--data", place / "fresh.jsonl", *options
    )
    is_friendly(status, out, err)
    assert said in err


def test_other_labels_are_no_match(command: Command, place: Path, tmp_path: Path):
    other = tiny_artifact(tmp_path / "other", labels=("a", "b", "c")).path
    status, out, err = command("gate", place / "first", "--against", other, "--data", place / "fresh.jsonl")
    assert (status, out) == (1, "")
    assert "error: " in err and "its labels" in err


def test_a_model_that_loses_a_class_is_held_back_unless_asked(command: Command, folder: Path, tmp_path: Path):
    words = [TOPICS[name] for name in LABELS]
    teacher, blind = knowing(words), knowing(words)
    blind.head.classifier.bias.data[2] = -9
    arguments = (
        "gate", tiny_artifact(tmp_path / "lean", model=blind).path, "--max-drop", 70, "--data", folder, "--against",
        tiny_artifact(tmp_path / "teacher", model=teacher).path,
    )  # fmt: skip
    status, _, err = command(*arguments)
    assert status == 4 and "it loses weather (0 found where the teacher finds 20)" in err and "HOLD" in err
    status, out, _ = command(*arguments, "--json")
    assert status == 4 and json.loads(out)["ships"] is False
    assert command(*arguments, "--allow-lost-classes")[0] == 0
