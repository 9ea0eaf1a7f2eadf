"""Every kind of task walks the whole line with the same words: train, compress, predict, bench; on generated data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import leanformer
from leanformer.answers.forms import decide, metric_name, score_logits
from leanformer.artifact import Artifact, open_artifact
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError
from leanformer.finetune.fine_tune import fine_tune
from leanformer.inputs.kinds import input_of
from leanformer.loading import open_predictor
from leanformer.predictor import logits
from leanformer.recipe.delivery import Compressed
from leanformer.train.settings import FitSettings
from tests.e2e.test_compress import distil, run
from tests.making.commands import make_command
from tests.making.tiny import LABELS, tiny_artifact, tiny_kind_dataset

KINDS = ("pair", "multilabel", "similarity", "regression")
# Pairs, scores and several labels are in these.
FAST = ("multilabel", "similarity")
PARAMETERS = [pytest.param(kind, marks=[] if kind in FAST else pytest.mark.slow) for kind in KINDS]


def write_jsonl(data: Dataset, folder: Path) -> Path:
    """The data set as files in the formats of docs/how-to/data-of-each-kind.md."""
    folder.mkdir(parents=True)
    for split in ("train", "dev", "test", "unlabelled"):
        examples: Examples = getattr(data, split)
        lines = []
        for row, text in enumerate(examples.texts):
            record: dict[str, object] = {"text": text}
            if examples.pairs is not None:
                record["text_pair"] = examples.pairs[row]
            if examples.labels is not None:
                label = examples.labels[row]
                if isinstance(label, tuple):
                    record["labels"] = [data.task.labels[i] for i in label]
                else:
                    # Half points, so that the numbers are scores beyond doubt.
                    record["label"] = label + 0.5 if isinstance(label, float) else data.task.labels[label]
            lines.append(json.dumps(record) + "\n")
        (folder / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="module", params=PARAMETERS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def source(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_jsonl(tiny_kind_dataset(kind), tmp_path_factory.mktemp(kind) / "data")


@pytest.fixture(scope="module")
def data(source: Path) -> Dataset:
    return leanformer.open_dataset(str(source))


@pytest.fixture(scope="module")
def taught(data: Dataset, kind: str, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    folder = tmp_path_factory.mktemp(f"{kind}-teacher")
    tiny_artifact(folder / "start")
    settings = FitSettings(epochs=6, batch_size=12, learning_rate=3e-3, precision="fp32")
    made = fine_tune(
        str(folder / "start"), data, folder / "teacher", settings,
        max_tokens=32, work=folder / "work", device="cpu", say=lambda line: None,
    )  # fmt: skip
    assert data.dev is not None
    found = score_logits(logits(open_predictor(made, threads=1), data.dev.inputs), data.dev.targets, made.task)
    assert found > 0.8, "a teacher that knows nothing would prove nothing"
    return made


@pytest.fixture(scope="module")
def lean(taught: Artifact, data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Compressed:
    """The student in int8, whatever it lost: what comes out is what is looked at here."""
    output = tmp_path_factory.mktemp("lean") / "lean"
    return run(taught.path, output, distil(), data=data, goal="size", max_drop=100)


@pytest.mark.slow
def test_the_kind_is_found_in_the_data_and_kept_by_the_teacher(data: Dataset, taught: Artifact, kind: str):
    assert data.task.kind == kind == open_artifact(taught.path).task.kind
    scores = kind in ("similarity", "regression")
    assert data.task.labels == (() if scores else LABELS)
    assert (taught.task.scale is not None) == scores
    assert (taught.task.thresholds is not None) == (kind == "multilabel")


@pytest.mark.slow
def test_every_rung_is_measured_by_the_kind_s_own_figure(lean: Compressed, data: Dataset):
    assert [rung.name for rung in lean.report.rungs] == [
        "PyTorch, one text at a time, padded to 64", "PyTorch, one text at a time", "PyTorch, batches by length",
        "linear on n-grams",
        "our ONNX graph", "int8 (teacher)",
        "distilled to 3 layers", "int8",
    ]  # fmt: skip
    assert data.test is not None
    first, *_, last = lean.report.rungs
    for rung in (first, last):
        assert rung.metric == metric_name(data.task)
        assert rung.quality_low <= rung.quality <= rung.quality_high
    assert first.quality > 0.8 and first.drop == 0 and first.agreement == pytest.approx(1)
    assert lean.report.rungs[4].agreement == pytest.approx(1, abs=1e-9), "the fp32 graph answers as PyTorch does"
    predictor = open_predictor(lean.artifact, threads=1)
    by_hand = score_logits(logits(predictor, data.test.inputs), data.test.targets, lean.artifact.task)
    assert last.quality == pytest.approx(by_hand)
    card = (lean.artifact.path / "README.md").read_text(encoding="utf-8")
    page = (lean.artifact.path / "report.md").read_text(encoding="utf-8")
    assert f"{metric_name(data.task)} {100 * last.quality:.2f} %" in card
    for name in last.scores:
        assert name in card and name in page
    assert ("Matthews" in page) == (data.task.answer == "label")


@pytest.mark.slow
def test_a_distilled_student_knows_more_than_chance(lean: Compressed, data: Dataset):
    """One layer for one epoch: not much, but more than the same student would know untrained."""
    student = next(rung for rung in lean.report.rungs if rung.name == "distilled to 3 layers")
    assert data.test is not None
    if data.task.answer == "score":
        assert student.quality > 0.5
    elif data.task.answer == "labels":
        everything = np.ones_like(data.test.targets)
        both = everything.sum() + data.test.targets.sum()
        assert student.quality >= 2 * data.test.targets.sum() / both
    else:
        assert student.quality > 1 / 3


def test_the_token_types_go_through_the_graph(lean: Compressed, taught: Artifact, data: Dataset, kind: str):
    operators = lean.artifact.properties["operators"]
    assert isinstance(operators, dict)
    teacher, graph = open_predictor(taught, threads=1), open_predictor(lean.artifact, threads=1)
    assert data.test is not None
    rows = graph.tokenize(data.test.inputs)
    if not input_of(data.task).paired:
        assert all(row.ndim == 1 for row in rows)
        return
    assert all(row.shape[1] == 2 and set(row[:, 1]) == {0, 1} for row in rows)
    # The same tokens with all types 0 are another input, for PyTorch and for the graph.
    flat = [np.stack([row[:, 0], np.zeros_like(row[:, 1])], axis=1) for row in rows]
    for predictor in (teacher, graph):
        assert np.abs(predictor.infer(rows) - predictor.infer(flat)).max() > 0.01


def test_predict_gives_the_answers_that_were_measured(lean: Compressed, data: Dataset, kind: str):
    model, test = leanformer.load(lean.artifact.path, threads=1), data.test
    assert test is not None
    answers = model.predict(test.inputs)
    decided = decide(logits(model, test.inputs), model.task)
    if data.task.answer == "score":
        assert [answer.score for answer in answers] == pytest.approx(list(decided))
        assert all(answer.label is None and answer.labels is None and answer.probabilities == {} for answer in answers)
        assert 1 < np.mean([answer.score for answer in answers]) < 6, "scores are on the scale of the data"
    elif data.task.answer == "labels":
        assert model.task.thresholds is not None
        for answer, row in zip(answers, decided, strict=True):
            assert answer.labels == tuple(name for name, given in zip(LABELS, row, strict=True) if given)
            by_threshold = zip(answer.probabilities.items(), model.task.thresholds, strict=True)
            assert answer.labels == tuple(name for (name, value), least in by_threshold if value >= least)
    else:
        assert [answer.label for answer in answers] == [LABELS[i] for i in decided]
    wrong = ["one text"] if input_of(data.task).paired else [("one text", "another")]
    with pytest.raises(DataError, match="made for pairs" if input_of(data.task).paired else "made for single ones"):
        model.predict(wrong)  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_command_line_knows_no_other_words(
    taught: Artifact, lean: Compressed, source: Path, kind: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    command = make_command(monkeypatch, capsys)
    path = str(lean.artifact.path)
    status, out, err = command("predict", path, "--input", str(source / "test.jsonl"))
    assert status == 0, err
    records = [json.loads(line) for line in out.splitlines()]
    assert len(records) == 60
    answer = {"pair": "label", "multilabel": "labels"}.get(kind, "score")
    assert all(answer in record and ("text_pair" in record) == (kind in ("pair", "similarity")) for record in records)
    given = [records[0]["text"], *(["--pair", records[0]["text_pair"]] if "text_pair" in records[0] else [])]
    status, out, err = command("predict", path, *given)
    assert status == 0, err
    one = json.loads(out)
    if answer == "score":
        assert one["score"] == pytest.approx(records[0]["score"], abs=0.2)
    else:
        assert one.keys() == records[0].keys()
    status, out, err = command(
        "bench", str(taught.path), path, "--data", str(source), "--json", "--no-memory", "--rounds", "1",
        "--threads", "1",
    )  # fmt: skip
    assert status == 0, err
    report = json.loads(out)
    assert [rung["metric"] for rung in report["rungs"]] == [metric_name(taught.task)] * 2
    assert report["rungs"][0]["quality"] == pytest.approx(lean.report.rungs[0].quality)
    status, out, err = command("inspect", path)
    assert status == 0, err
    assert f"task        {kind}" in out


@pytest.mark.slow
def test_text_alone_will_do(taught: Artifact, data: Dataset, tmp_path: Path):
    """Without labels the teacher's own answers are what is compared with."""
    from leanformer.recipe.library import find_recipe

    assert data.unlabelled is not None
    task = replace(data.task, labels=())
    bare = Dataset(task=task, unlabelled=replace(data.unlabelled, task=task))
    result = run(taught.path, tmp_path / "lean", find_recipe("quick"), data=bare, max_drop=100)
    assert "with the teacher" in result.report.rungs[0].metric
    assert result.report.rungs[0].quality == pytest.approx(1), "the teacher agrees with itself"
