"""Questions with candidates walk the whole line, from the file to the answer; what is not built for them refuses."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from leanformer.answers.forms import decide, score_logits, to_predictions
from leanformer.artifact import Artifact, open_artifact
from leanformer.cascade.store import check_members
from leanformer.compress.distil.distil import Distil
from leanformer.data.dataset import Dataset
from leanformer.errors import LeanformerError
from leanformer.loading import open_predictor
from leanformer.measure.speed import SpeedSettings
from leanformer.predictor import logits
from leanformer.recipe.delivery import Compressed
from leanformer.recipe.library import find_recipe
from leanformer.runtime.predictor import LightPredictor
from leanformer.search.run import search
from leanformer.search.study.budget import SearchBudget
from leanformer.serve.model import open_model
from tests.e2e.test_compress import distil, run
from tests.making.commands import Command, make_command
from tests.making.graphs import make_context
from tests.making.searches import space_of
from tests.making.taught import taught_by, write_splits
from tests.making.tiny import FILLERS, LABELS, TOPICS, tiny_artifact, tiny_kind_dataset


def question(generator: np.random.Generator) -> dict[str, Any]:
    """Two to four candidates, one of the first topic and the others of the second, at any place."""
    count = int(generator.integers(2, 5))
    right = int(generator.integers(count))
    topics = [TOPICS[LABELS[int(number != right)]][:4] for number in range(count)]
    choices = [f"{generator.choice(words)} {generator.choice(FILLERS[:6])}" for words in topics]
    return {"text": str(generator.choice(FILLERS[:6])), "choices": choices, "label": right}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("choices")


@pytest.fixture(scope="module")
def data(source: Path) -> Dataset:
    return write_splits(source, question, {"train": 160, "dev": 40, "test": 40, "unlabelled": 30})


@pytest.fixture(scope="module")
def taught(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return taught_by(data, tmp_path_factory.mktemp("choices-teacher"), epochs=4)


@pytest.fixture(scope="module")
def lean(taught: Artifact, data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Compressed:
    """The student in int8, whatever it lost."""
    return run(taught.path, tmp_path_factory.mktemp("lean") / "lean", distil(), data=data, goal="size", max_drop=100)


def test_the_kind_is_found_and_learnt(data: Dataset, taught: Artifact) -> None:
    assert data.task.kind == "choice" == open_artifact(taught.path).task.kind
    assert data.test is not None and data.train is not None
    assert {len(choices) for _, choices in data.train.inputs} == {2, 3, 4}
    found = score_logits(logits(open_predictor(taught, threads=1), data.test.inputs), data.test.targets, taught.task)
    assert found > 0.9, "chance is a third"


@pytest.mark.slow
def test_the_student_learns_from_the_teacher_s_shares(lean: Compressed) -> None:
    student = next(rung for rung in lean.report.rungs if rung.name == "distilled to 3 layers")
    first = lean.report.rungs[0]
    assert (first.metric, first.n) == ("accuracy", 40) and first.quality > 0.9
    assert student.quality > 0.7
    assert lean.report.rungs[3].agreement == 1, "the fp32 graph answers as PyTorch does"
    assert first.loss is None


@pytest.mark.slow
def test_the_graph_reads_pairs_and_gives_one_logit(lean: Compressed, data: Dataset) -> None:
    model, test = LightPredictor(lean.artifact, threads=1), data.test
    assert test is not None
    rows = model.tokenize(test.inputs)
    assert len(rows) == sum(len(choices) for _, choices in test.inputs)
    assert model.infer(rows).shape == (len(rows), 1)


@pytest.mark.parametrize("engine", ["onnxruntime", "native"])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_answers_are_those_of_each_question_alone(
    lean: Compressed, data: Dataset, engine: str, threads: int
) -> None:
    model, test = LightPredictor(lean.artifact, threads=threads, engine=engine, tuning=False), data.test
    assert test is not None
    together = model.predict(test.inputs)
    assert [answer.choice for answer in together] == decide(logits(model, test.inputs), model.task).tolist()
    for text, answer in list(zip(test.inputs, together, strict=True))[:8]:
        alone = model.predict([text])[0]
        assert alone.choice == answer.choice
        assert alone.shares == pytest.approx(answer.shares, abs=0.02)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return make_command(monkeypatch, capsys)


def test_the_command_predicts_for_a_file_and_for_candidates(lean: Compressed, source: Path, command: Command) -> None:
    folder = str(lean.artifact.path)
    code, out, err = command("predict", folder, "--input", str(source / "test.jsonl"))
    assert code == 0, err
    records = [json.loads(line) for line in out.splitlines()]
    rows = [json.loads(line) for line in (source / "test.jsonl").read_text("utf-8").splitlines()]
    assert [record["choices"] for record in records] == [row["choices"] for row in rows]
    right = np.mean([record["choice"] == row["label"] for record, row in zip(records, rows, strict=True)])
    assert right == pytest.approx(lean.report.rungs[-1].quality)
    code, out, err = command("predict", folder, "the", "--choice", rows[0]["choices"][0], "--choice", "it")
    assert code == 0 and json.loads(out)["choices"] == [rows[0]["choices"][0], "it"], err
    code, _, err = command("predict", folder, "the", "--choice", "it")
    assert code != 0 and "at least 2 are needed" in err
    code, _, err = command("predict", folder, "the", "a", "--choice", "it")
    assert code != 0 and "--choice gives the candidates of one TEXT" in err


def test_the_gate_judges_choices(lean: Compressed, source: Path, command: Command) -> None:
    folder = str(lean.artifact.path)
    code, out, err = command("gate", folder, "--against", folder, "--data", str(source), "--max-drop", 50, "--used")
    assert code == 0 and "accuracy: shown" in out, err


def test_what_is_not_built_refuses_with_a_word(lean: Compressed) -> None:
    with pytest.raises(LeanformerError, match="tasks of kind 'choice' are not served\n  remedy"):
        open_model("m", 0, str(lean.artifact.path))


def test_no_recurrent_student_reads_candidates(taught: Artifact, data: Dataset, tmp_path: Path) -> None:
    recipe = find_recipe("xtremedistil").with_options({"student.embedding": 8, "student.units": 8})
    with pytest.raises(LeanformerError, match="a recurrent student reads no questions with candidates\n  remedy"):
        run(taught.path, tmp_path / "lean", recipe, data=data)


def test_a_cascade_of_such_models_is_refused(lean: Compressed, taught: Artifact) -> None:
    with pytest.raises(LeanformerError, match="a task of kind 'choice' has no cascade"):
        check_members([lean.artifact, taught])


def test_data_and_model_must_both_have_candidates(taught: Artifact, tmp_path: Path) -> None:
    with pytest.raises(LeanformerError, match=r"the data are pairs of texts .*made for questions with candidates"):
        run(taught.path, tmp_path / "lean", distil(), data=tiny_kind_dataset("pair", (40, 20, 20, 20)))


@pytest.mark.slow
def test_a_search_finds_students(taught: Artifact, data: Dataset, tmp_path: Path) -> None:
    quick = SpeedSettings(rounds=1, latency_texts=10, seconds=0.01)
    found = search(
        space_of(tmp_path), str(taught.path), data, tmp_path / "found", budget=SearchBudget(trials=2),
        threads=1, device="cpu", speed=quick, final_speed=quick, allow_lost_classes=True, say=lambda line: None,
    )  # fmt: skip
    assert [trial["state"] for trial in found.record["trials"]] == ["finished"] * 2
    assert found.front and all(artifact.task.kind == "choice" for artifact in found.front.values())


def test_a_question_that_is_cut_is_warned_of_once(lean: Compressed) -> None:
    long = ("the song " * 40, ["goal", "team", "ball"])
    model = LightPredictor(lean.artifact, threads=1, tuning=False)
    with pytest.warns(UserWarning, match="1 of 2 texts are longer than 32 tokens and were cut"):
        cut, short = model.predict([long, ("the", ["goal", "team"])])
    assert cut.shares == pytest.approx(to_predictions(logits(model, [(long[0], tuple(long[1]))]), model.task)[0].shares)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole, again = LightPredictor(lean.artifact, threads=1, tuning=False, windows=4).predict(
            [long, ("the", ["goal", "team"])]
        )
    assert again.shares == pytest.approx(short.shares, abs=0.02)
    assert whole.shares is not None and len(whole.shares) == 3 and sum(whole.shares) == pytest.approx(1)


def test_enough_steps_are_counted_in_questions(taught: Artifact, data: Dataset, tmp_path: Path) -> None:
    context = make_context(tmp_path, taught, data=data)
    step = Distil(layers=1, epochs=1, batch_size=95, least_steps=3, trial_texts=0)
    made = step(taught, context, tmp_path / "made")
    # 190 questions, of nearly 600 rows, are two steps an epoch.
    assert len(made.history[-1]["result"]["dev_accuracy"]) == 2


def test_candidates_for_another_kind_of_model_are_refused_with_a_word(tmp_path: Path, command: Command) -> None:
    folder = tiny_artifact(tmp_path / "model").path
    code, _, err = command("predict", str(folder), "the", "--choice", "it", "--choice", "a")
    assert code == 1 and "text 1 is a question with candidates, and the model was made for single texts" in err
