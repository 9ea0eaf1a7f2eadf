"""`leanformer gate` on tiny models: statuses, refusals, what is printed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leanformer import load
from leanformer.artifact import Artifact, open_artifact
from leanformer.data.used_texts import MOST_USED, attach
from leanformer.loading import open_predictor
from leanformer.models.store import write_classifier
from leanformer.predictor import logits
from leanformer.task import Task
from tests.making.checkpoints import edit
from tests.making.commands import Command, is_friendly, write_lines
from tests.making.knowing import knowing
from tests.making.tagged import TAGS, tiny_tagger
from tests.making.tiny import (
    LABELS,
    TOPICS,
    tiny_artifact,
    tiny_classifier,
    tiny_config,
    tiny_dataset,
    tiny_texts,
    tiny_tokenizer,
)

Models = Callable[[str], tuple[Path, Path, Path]]


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
        "n": 404, "used": {"train": 2, "dev": 2}, "reported": 0, "repeats": 0, "judged": 400, "max_used_percent": 1.0
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


KINDS = ("multilabel", "similarity", "tokens", "choice")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """A model of a kind, one with other weights, and 150 rows labelled by the first, in six documents."""
    folder = tmp_path_factory.mktemp("forms")

    def model(kind: str, name: str, seed: int) -> Artifact:
        task = Task(kind, TAGS if kind == "tokens" else LABELS if kind == "multilabel" else ())
        made = tiny_tagger(seed) if kind == "tokens" else tiny_classifier(tiny_config(labels=task.outputs), seed)
        return write_classifier(
            made, folder / f"{kind}-{name}", task=task, tokenizer=tiny_tokenizer(folder / f"t{kind}{name}"),
            max_tokens=48, history=[],
        )  # fmt: skip

    def make(kind: str) -> tuple[Path, Path, Path]:
        if not (folder / kind).exists():
            first, _ = (model(kind, name, seed) for name, seed in (("first", 3), ("second", 4)))
            texts = [f"{text[:-1]} {row}" for row, text in enumerate(tiny_texts(150, seed=9)[0])]
            others = tiny_texts(150, seed=10)[0]
            rows: list[dict[str, Any]] = [{"text": text, "talk": f"d{row // 25}"} for row, text in enumerate(texts)]
            questions: list[Any] = [*texts]
            if kind == "similarity":
                questions = list(zip(texts, others, strict=True))
            if kind == "choice":
                questions = [(text, (other, text)) for text, other in zip(texts, others, strict=True)]
            for row, question, said in zip(rows, questions, load(first.path).predict(questions), strict=True):
                if kind == "tokens":
                    row |= {"words": row.pop("text").split(), "tags": list(said.tags or ())}
                elif kind == "multilabel":
                    row["labels"] = list(said.labels or ())
                elif kind == "choice":
                    row |= {"choices": list(question[1]), "label": said.choice}
                else:
                    row |= {"text_pair": question[1], "label": said.score}
            write_lines(folder / kind / "fresh.jsonl", rows)
        return folder / f"{kind}-first", folder / f"{kind}-second", folder / kind / "fresh.jsonl"

    return make


METRICS = dict(zip(KINDS, ("micro-F1", "Spearman correlation", "entity F1", "accuracy"), strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_is_judged_by_its_own_figure(kind: str, command: Command, models: Models, tmp_path: Path):
    first, second, data = models(kind)
    arguments = ("--against", first, "--data", data, "--max-drop", 10, "--json")
    status, out, err = command("gate", first, *arguments, "--slice", "length=60")
    assert status == 0, err
    value = json.loads(out)
    assert value["checks"][0]["name"] == METRICS[kind] and value["checks"][0]["n"] == 150
    assert value["checks"][0]["value"] == 0 and value["checks"][0]["reference"] == pytest.approx(1)
    assert f"{METRICS[kind]}: 150 texts can show a loss below 10 points" in err
    assert sum(check["n"] for check in value["checks"][1:]) == 150, "by length"
    status, out, _ = command("gate", second, *arguments, "--allow-lost-classes")
    assert status == 4 and json.loads(out)["checks"][0]["status"] == "broken"


def test_sentences_of_documents_and_recall_of_types(command: Command, models: Models):
    first, _, data = models("tokens")
    arguments = ("gate", first, "--against", first, "--data", data, "--max-drop", 30)
    status, out, err = command(*arguments, "--max-recall-drop", 30, "--json")
    assert [check["name"] for check in json.loads(out)["checks"]] == ["entity F1", "recall of MUS", "recall of SPO"]
    assert len([line for line in err.splitlines() if line.startswith("recall of ")]) == 2
    status, out, err = command(*arguments, "--document", "talk", "--json")
    check = json.loads(out)["checks"][0]
    assert status == 4 and check["limit"] is None, "six documents show nothing"
    assert "150 texts cannot show a loss below 30 points" in err


def test_scores_have_a_bound_on_the_error(command: Command, models: Models):
    first, _, data = models("similarity")
    arguments = ("gate", first, "--against", first, "--data", data, "--max-drop", 10)
    status, out, _ = command(*arguments, "--bound", "mean absolute error=0.5")
    assert status == 0 and "mean absolute error: shown" in out and "allowed 0.5" in out
    assert "mean absolute error, not bounded: +0.0000 worse" in command(*arguments)[1]


@pytest.mark.parametrize(
    ("kind", "options", "said", "instead"),
    [
        ("similarity", ("--max-flips", 5), "do not flip", ()),
        ("choice", ("--max-recall-drop", 5), "no class has a recall", ()),
        ("multilabel", ("--bound", "macro F1=5"), "name one of macro-F1", ("--bound", "macro-F1=99")),
        ("multilabel", ("--bound", "macro-F1=much"), "the bound is a number", ("--bound", "macro-F1=99")),
        ("multilabel", ("--bound", "macro-F1"), "NAME=VALUE", ("--bound", "macro-F1=99")),
        ("multilabel", ("--slice", "class=30"), "--max-recall-drop bounds each label", ("--max-recall-drop", 95)),
        ("tokens", ("--document", "book"), "no column 'book'", ("--slice", "talk=90")),
    ],
)
def test_a_bound_that_a_form_does_not_have_is_refused_with_a_remedy(
    kind: str, options: tuple[Any, ...], said: str, instead: tuple[Any, ...], command: Command, models: Models
):
    first, _, data = models(kind)
    arguments = ("gate", first, "--against", first, "--data", data, "--max-drop", 10)
    status, out, err = command(*arguments, *options)
    is_friendly(status, out, err)
    assert said in err
    assert command(*arguments, *instead)[0] in (0, 4), "judged, whatever the verdict"


def test_vectors_have_nothing_to_be_judged_by(command: Command, place: Path, tmp_path: Path):
    folder = tmp_path / "embedder"
    shutil.copytree(place / "first", folder)
    edit(folder / "leanformer.json", task=Task("embedding", (), width=3).to_json())
    status, out, err = command("gate", folder, "--against", folder, "--data", place / "fresh.jsonl")
    is_friendly(status, out, err)
    assert "the gate needs labelled texts" in err
