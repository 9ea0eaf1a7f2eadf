"""`leanformer gate` on tiny models: statuses, refusals, what is printed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from leanformer.artifact import open_artifact
from leanformer.data.used_texts import MOST_USED, attach
from leanformer.errors import LeanformerError
from leanformer.loading import open_predictor
from leanformer.measure.certificate import check_certificate
from leanformer.outputs.ours import theirs
from leanformer.predictor import logits
from leanformer.task import Task
from tests.making.checkpoints import edit
from tests.making.commands import Command, is_friendly, write_lines
from tests.making.knowing import knowing
from tests.making.tiny import LABELS, TOPICS, tiny_artifact, tiny_dataset, tiny_texts


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
    status, out, err = command(*arguments)
    assert status == 4 and "it loses weather (0 found where the teacher finds 20)" in err and "HOLD" in err
    assert out.startswith("HOLD: every bound is shown to hold at 95 % confidence, but it loses weather")
    status, out, _ = command(*arguments, "--json")
    assert status == 4 and json.loads(out)["ships"] is False
    status, out, _ = command(*arguments, "--allow-lost-classes")
    assert status == 0 and out.startswith("SHIP")


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """A model with a record of the tiny data set; its answers are right on texts of the topics."""
    model = tiny_artifact(tmp_path / "known", model=knowing([TOPICS[name] for name in LABELS]))
    return attach(model, tiny_dataset().used_texts).path


def mixed(path: Path, new: int, used: int) -> Path:
    """A file of new texts with some of train and dev among them, each in capitals."""
    data = tiny_dataset()
    assert data.train and data.dev
    texts, labels = tiny_texts(new, seed=77)
    rows = [
        {"text": f"{text} {row}", "label": LABELS[label]}
        for row, (text, label) in enumerate(zip(texts, labels, strict=True))
    ]
    for row in range(used):
        part = (data.train, data.dev)[row % 2]
        rows.insert(3 * row, {"text": part.texts[row].upper(), "label": LABELS[part.labels[row]], "part": "used"})
    return write_lines(path, [{"part": "new"} | row for row in rows])


def test_rows_that_were_used_are_left_out_and_counted(command: Command, known: Path, tmp_path: Path):
    data = mixed(tmp_path / "data.jsonl", 400, 4)
    status, out, err = command(
        "gate", known, "--against", known, "--data", data, "--json", "--slice", "length=50", "--slice", "part=50"
    )
    assert status == 0, err
    assert "4 of 404 texts were used before: 2 in training, 2 to choose; they are left out of the test" in err
    value = json.loads(out)
    assert value["checks"][0]["n"] == 400 and value["data"]["n"] == 400
    assert sum(check["n"] for check in value["checks"] if check["name"].startswith("length ")) == 400
    assert [check["name"] for check in value["checks"] if check["name"].startswith("part ")] == ["part new"]
    assert value["reuse"] == {
        "n": 404, "used": {"train": 2, "dev": 2}, "reported": 0, "repeats": 0, "judged": 400, "max_used_percent": 1.0,
        "all_rows": False,
    }  # fmt: skip


def test_more_than_the_bound_is_refused_with_remedies_that_work(command: Command, known: Path, tmp_path: Path):
    data = mixed(tmp_path / "data.jsonl", 400, 5)
    arguments = ("gate", known, "--against", known, "--data", data)
    status, out, err = command(*arguments)
    is_friendly(status, out, err)
    assert "5 of 405 texts were used before: 3 in training, 2 to choose, more than 1 per cent" in err
    assert "--max-used 100 judges on the other 400; --used judges on all" in err
    status, out, err = command(*arguments, "--max-used", 100)
    assert status == 0 and "gained of 400" in out and "left out" in err
    status, out, err = command(*arguments, "--used")
    assert status == 0 and "gained of 405" in out and "left out" not in err and "5 of 405" in err
    is_friendly(*command(*arguments, "--max-used", 101))
    assert MOST_USED == 1.0, "the default of --max-used"


def test_nothing_fresh_is_refused_whatever_the_bound(command: Command, known: Path, tmp_path: Path):
    data = mixed(tmp_path / "data.jsonl", 0, 6)
    status, out, err = command("gate", known, "--against", known, "--data", data, "--max-used", 100)
    is_friendly(status, out, err)
    assert "6 of 6 texts were used before" in err and "--max-used" not in err.split("remedy:")[1]


def test_the_texts_of_the_reference_count_as_well(command: Command, known: Path, folder: Path, tmp_path: Path):
    other = attach(tiny_artifact(tmp_path / "other"), tiny_dataset().used_texts).path
    bare = tiny_artifact(tmp_path / "bare").path
    status, _, err = command("gate", bare, "--against", other, "--data", folder, "--on", "dev", "--forecast")
    assert status == 1 and "40 of 40 texts were used before: 40 to choose" in err


def test_a_record_that_is_missing_is_refused_with_a_remedy(command: Command, known: Path, tmp_path: Path):
    data, record = mixed(tmp_path / "data.jsonl", 400, 0), (known / "used_texts.bin").read_bytes()
    (known / "used_texts.bin").unlink()
    status, out, err = command("gate", known, "--against", known, "--data", data)
    is_friendly(status, out, err)
    assert "cannot be told" in err and "used_texts.bin" in err
    assert "remedy: copy the artifact again with all of its files, or recreate it; --used judges" in err
    assert "give labelled texts" not in err, "no others would help"
    assert command("gate", known, "--against", known, "--data", data, "--used")[0] == 0
    (known / "used_texts.bin").write_bytes(record)
    assert command("gate", known, "--against", known, "--data", data)[0] == 0


def test_repeated_rows_are_judged_once(command: Command, known: Path, tmp_path: Path):
    data = mixed(tmp_path / "data.jsonl", 400, 0)
    data.write_text(data.read_text() + data.read_text())
    status, out, err = command("gate", known, "--against", known, "--data", data)
    assert status == 0 and "gained of 400" in out
    assert "400 of 800 texts repeat an earlier one; they are left out of the test" in err


def test_vectors_are_judged_on_pairs_alone(command: Command, place: Path, tmp_path: Path):
    folder = tmp_path / "embedder"
    shutil.copytree(place / "first", folder)
    edit(folder / "leanformer.json", task=Task("embedding", (), width=3).to_json())
    status, out, err = command("gate", folder, "--against", folder, "--data", place / "fresh.jsonl")
    is_friendly(status, out, err)
    assert "text_pair" in err


def test_a_verdict_certifies_the_bytes_that_were_judged(command: Command, place: Path, tmp_path: Path):
    lean = tmp_path / "lean"
    shutil.copytree(place / "first", lean)
    rest = ("--data", place / "fresh.jsonl", "--allow-weak-teacher", "--output", lean / "gate.json")
    arguments = ("gate", lean, "--against", place / "second", *rest)
    status, _, err = command(*arguments)
    assert status == 0, err
    value = json.loads((lean / "gate.json").read_text())
    artifact = open_artifact(lean)
    assert check_certificate(artifact) == lean / "gate.json"
    assert value["artifact"]["content_hash"] == artifact.content_hash
    assert value["reference"]["content_hash"] == open_artifact(place / "second").content_hash
    assert value["command"]["line"].startswith("leanformer gate ") and str(lean) in value["command"]["line"]
    assert theirs(lean) == [], "it is ours, so that the folder may be replaced"
    status, _, _ = command(*arguments, "--used")
    assert status == 0
    with pytest.raises(LeanformerError, match="was made with --used, which proves nothing"):
        check_certificate(artifact)
    status, _, _ = command("gate", lean, "--against", place / "first", *rest)
    assert status == 0
    with pytest.raises(LeanformerError, match="compares the model with itself"):
        check_certificate(artifact)


def test_rows_without_a_document_are_refused(command: Command, place: Path, tmp_path: Path):
    rows = [json.loads(line) for line in (place / "fresh.jsonl").read_text().splitlines()]
    data = write_lines(
        tmp_path / "rows.jsonl", [row | {"speaker": f"s{i}" if i % 4 else ""} for i, row in enumerate(rows)]
    )
    arguments = (
        "gate",
        place / "first",
        "--against",
        place / "first",
        "--max-drop",
        50,
        "--document",
        "speaker",
        "--data",
    )
    status, out, err = command(*arguments, data)
    is_friendly(status, out, err)
    assert "80 rows to judge on have nothing in the column 'speaker'" in err
    write_lines(data, [row | {"speaker": f"s{i}"} for i, row in enumerate(rows)])
    assert command(*arguments, data)[0] == 0
