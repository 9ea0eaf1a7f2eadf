"""Questions with a context walk the whole line, from the file to the answer and its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.answers.forms import decide, score_logits
from leanformer.artifact import Artifact, open_artifact
from leanformer.cascade.store import check_members
from leanformer.data.dataset import Dataset
from leanformer.errors import LeanformerError
from leanformer.loading import open_predictor
from leanformer.predictor import logits
from leanformer.recipe.delivery import Compressed
from leanformer.recipe.library import find_recipe
from leanformer.runtime.predictor import LightPredictor
from tests.e2e.test_compress import distil, run
from tests.making.commands import Command, make_command
from tests.making.servers import Server
from tests.making.taught import taught_by, write_splits
from tests.making.tiny import FILLERS, LABELS, TOPICS


def question(generator: np.random.Generator) -> dict[str, Any]:
    """Asked is for the word of one topic; every third context has none of it."""
    asked, other = (LABELS[number] for number in generator.permutation(2))
    words = [str(generator.choice(FILLERS[:8])) for _ in range(int(generator.integers(3, 14)))]
    answer = str(generator.choice(TOPICS[asked][1:5]))
    there = generator.random() < 2 / 3
    words.insert(int(generator.integers(len(words))), str(generator.choice(TOPICS[other][1:5])))
    place = int(generator.integers(len(words)))
    if there:
        words.insert(place, answer)
    start = sum(len(word) + 1 for word in words[:place])
    answers = [{"text": answer, "start": start}] if there else []
    return {"question": TOPICS[asked][0], "context": " ".join(words), "answers": answers}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spans")


@pytest.fixture(scope="module")
def data(source: Path) -> Dataset:
    return write_splits(source, question, {"train": 240, "dev": 40, "test": 60})


@pytest.fixture(scope="module")
def taught(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return taught_by(data, tmp_path_factory.mktemp("spans-teacher"), max_tokens=14)


@pytest.fixture(scope="module")
def lean(taught: Artifact, data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Compressed:
    """The student in int8, whatever it lost."""
    return run(taught.path, tmp_path_factory.mktemp("lean") / "lean", distil(), data=data, goal="size", max_drop=100)


def test_the_kind_is_found_and_learnt(data: Dataset, taught: Artifact) -> None:
    assert data.task.kind == "span" == open_artifact(taught.path).task.kind
    assert data.test is not None
    found = score_logits(logits(open_predictor(taught, threads=1), data.test.inputs), data.test.targets, taught.task)
    assert found > 0.8, "always saying that there is no answer has a third"
    assert taught.task.no_answer is not None and taught.task.longest == max(
        len(answer) for answer in (*TOPICS[LABELS[0]][1:5], *TOPICS[LABELS[1]][1:5])
    )


@pytest.mark.slow
def test_the_student_learns_from_the_teacher_s_shares(lean: Compressed) -> None:
    student = next(rung for rung in lean.report.rungs if rung.name == "distilled to 3 layers")
    first = lean.report.rungs[0]
    assert (first.metric, first.n) == ("answer F1", 60) and first.quality > 0.8
    assert student.quality > 0.6
    assert lean.report.rungs[3].agreement == 1, "the fp32 graph answers as PyTorch does"
    assert {"exact match", "F1 of questions with an answer", "F1 of questions without one"} <= {*student.scores}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["onnxruntime", "native"])
@pytest.mark.parametrize("threads", [1, 2])
def test_every_engine_finds_the_same_places(lean: Compressed, data: Dataset, engine: str, threads: int) -> None:
    model, test = LightPredictor(lean.artifact, threads=threads, engine=engine, tuning=False), data.test
    assert test is not None
    assert len(model.tokenize(test.inputs)) > len(test), "some contexts are read in windows"
    together = model.predict(test.inputs)
    places = [(answer.answers[0].start, answer.answers[0].end) for answer in together if answer.answers]
    assert places == [tuple(place) for place in decide(logits(model, test.inputs), model.task).tolist()]
    for (_, context), answer in zip(test.inputs, together, strict=True):
        assert answer.answers is not None
        assert all(context[each.start : each.end] == each.text for each in answer.answers)
        assert sum(each.probability for each in answer.answers) <= 1 + 1e-6


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return make_command(monkeypatch, capsys)


def test_the_command_predicts_for_a_file_and_for_a_context(lean: Compressed, source: Path, command: Command) -> None:
    folder = str(lean.artifact.path)
    code, out, err = command("predict", folder, "--input", str(source / "test.jsonl"))
    assert code == 0, err
    records = [json.loads(line) for line in out.splitlines()]
    rows = [json.loads(line) for line in (source / "test.jsonl").read_text("utf-8").splitlines()]
    assert [record["id"] for record in records] == [row["id"] for row in rows]
    right = [
        record["answer"] == (row["answers"][0]["text"] if row["answers"] else None)
        for record, row in zip(records, rows, strict=True)
    ]
    assert np.mean(right) == pytest.approx(lean.report.rungs[-1].scores["exact match"][0])
    code, out, err = command("predict", folder, rows[0]["question"], "--context", rows[0]["context"])
    assert code == 0, err
    record = json.loads(out)
    assert {"question", "answer", "start", "end", "score", "others"} <= {*record}
    code, _, err = command("predict", folder, "the song")
    assert code == 1 and "is a single text, and the model answers from a context" in err


def test_the_gate_judges_spans(lean: Compressed, source: Path, command: Command) -> None:
    folder = str(lean.artifact.path)
    code, out, err = command("gate", folder, "--against", folder, "--data", str(source), "--max-drop", 50, "--used")
    assert code == 0 and "answer F1: shown" in out, err


def test_answers_over_http_are_those_of_predict(lean: Compressed, data: Dataset) -> None:
    model, test = LightPredictor(lean.artifact, threads=1), data.test
    assert test is not None
    asked = [*test.inputs[:20], ("song", "\U0001f3b8\U0001f3b8 the cafe\u0301 " * 20 + "band")]
    with Server(str(lean.artifact.path)) as server:
        reply = server.ask("POST", "/answer", {"inputs": [list(pair) for pair in asked]})
        assert reply.status == 200, reply.json
        for (_, context), found, expected in zip(asked, reply.json, model.predict(asked), strict=True):
            assert expected.answers is not None and len(found) == len(expected.answers)
            first = expected.answers[0]
            assert found[0]["answer"] == (first.text or None)
            assert found[0]["score"] == pytest.approx(first.probability, abs=1e-4)
            assert all(answer["answer"] in (None, context[answer["start"] : answer["end"]]) for answer in found)
        [one] = server.ask("POST", "/answer", {"inputs": list(asked[0]), "top_k": 1}).json
        assert one["answer"] == reply.json[0][0]["answer"], "one question gets one list"
        wrong = server.ask("POST", "/answer", {"inputs": "who?"})
        assert wrong.status == 422 and "reads pairs" in wrong.json["error"]


def test_what_is_not_built_refuses_with_a_word(
    lean: Compressed, taught: Artifact, data: Dataset, tmp_path: Path
) -> None:
    with pytest.raises(LeanformerError, match="a task of kind 'span' has no cascade"):
        check_members([lean.artifact, taught])
    recipe = find_recipe("xtremedistil").with_options({"student.embedding": 8, "student.units": 8})
    with pytest.raises(LeanformerError, match="a recurrent student reads no questions with a context\n  remedy"):
        run(taught.path, tmp_path / "lean", recipe, data=data)
