"""A CRF from training to the light runtime: learnt, kept in the task, decoded without PyTorch, refused elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import leanformer
from leanformer.answers.forms import decide
from leanformer.artifact import Artifact, open_artifact
from leanformer.compress.distil.distil import Distil
from leanformer.compress.recurrent.distil import BiLstmStudent
from leanformer.data.dataset import Dataset
from leanformer.errors import LeanformerError, RecipeError
from leanformer.export.onnx import Onnx
from leanformer.finetune.fine_tune import FineTune, fine_tune
from leanformer.models.classifier import Classifier
from leanformer.models.heads import token_head
from leanformer.models.predictor import TorchPredictor
from leanformer.models.store import read_model
from leanformer.predictor import answers, logits
from leanformer.runtime.predictor import LightPredictor
from leanformer.tagging.viterbi import is_legal
from leanformer.tokenizer import Tokenizer
from leanformer.train.encoded import CONTINUES
from leanformer.train.feeds.batches import TrainingSet, to_batches
from leanformer.train.judging import Judge
from leanformer.train.rows import encode
from leanformer.train.settings import FitSettings
from tests.making.graphs import folder_bytes, make_context
from tests.making.tagged import TAGS, TASK, tagged_examples, tagger_artifact
from tests.making.tiny import roughen, tiny_artifact, tiny_config, tiny_dataset
from tests.making.trainings import KilledError

SETTINGS = FitSettings(epochs=4, batch_size=16, learning_rate=4e-3, precision="fp32")
DATA = Dataset(task=TASK, train=tagged_examples(200, 1), dev=tagged_examples(40, 2), name="tagged")


def trained(folder: Path, *, crf: bool = True, data: Dataset = DATA, **options: Any) -> Artifact:
    start = Classifier(token_head(tiny_config(labels=len(TAGS))))
    roughen(start, 5)
    begin = tagger_artifact(folder / "start", model=start)
    return fine_tune(
        str(begin.path), data, folder / "teacher", options.pop("settings", SETTINGS), max_tokens=16, crf=crf,
        work=folder / "work", device="cpu", **({"say": lambda line: None} | options),
    )  # fmt: skip


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return trained(tmp_path_factory.mktemp("crf"))


def test_a_tagger_learns_what_follows_what(teacher: Artifact) -> None:
    assert teacher.task.question == TASK and teacher.task.transitions is not None
    assert max(teacher.history[-1]["result"]["dev_entity_f1"]) > 0.9
    assert teacher.history[-1]["options"]["crf"] is True
    learnt = np.array(teacher.task.transitions)[1:]
    begin, inside = TAGS.index("B-MUS"), TAGS.index("I-MUS")
    # In these data something else stands between any two entities.
    assert learnt[inside, inside] > learnt[inside, begin] and learnt[begin, 0] > learnt[begin, begin]
    assert open_artifact(teacher.path).task == teacher.task


@pytest.mark.parametrize("crf", [True, False])
def test_trained_further_a_tagger_keeps_no_transitions_of_other_logits(
    crf: bool, teacher: Artifact, tmp_path: Path
) -> None:
    assert DATA.train is not None and DATA.dev is not None
    task = teacher.task  # as `ladder.splits` gives the data to a recipe
    data = replace(DATA, task=task, train=DATA.train.for_task(task), dev=DATA.dev.for_task(task))
    step = FineTune(epochs=1, batch_size=16, precision="fp32", crf=crf)
    further = step(teacher, make_context(tmp_path, teacher, data=data), tmp_path / "further")
    assert further.task.transitions != task.transitions
    assert (further.task.transitions is not None) == crf


def test_the_runtime_gives_the_tags_of_pytorch(teacher: Artifact, tmp_path: Path) -> None:
    graph = Onnx()(teacher, make_context(tmp_path, teacher, data=DATA), tmp_path / "graph")
    assert graph.task == teacher.task
    texts = [*tagged_examples(30, 9).texts, " ".join(tagged_examples(8, 8).texts)]  # the last in several windows
    light, heavy = LightPredictor(graph, threads=2), TorchPredictor(teacher)
    ours, theirs = (decide(logits(predictor, texts), predictor.task) for predictor in (light, heavy))
    assert [tags.tolist() for tags in ours] == [tags.tolist() for tags in theirs]
    assert all(is_legal(tags, TAGS) for tags in ours)
    found, expected = light.predict(texts), answers(heavy, texts)
    for prediction, other in zip(found, expected, strict=True):
        assert prediction.tags == other.tags and prediction.spans is not None and other.spans is not None
        for span, right in zip(prediction.spans, other.spans, strict=True):
            assert (span.start, span.end, span.label) == (right.start, right.end, right.label)
            assert span.probability == pytest.approx(right.probability, abs=1e-4)
    assert leanformer.load(graph.path).predict(texts[:3]) is not None
    # And they are another model's than without: the hash knows.
    manifest = json.loads((graph.path / "leanformer.json").read_text())
    assert len(manifest["task"].pop("transitions")) == len(TAGS) + 1
    (graph.path / "leanformer.json").write_text(json.dumps(manifest))
    assert open_artifact(graph.path).content_hash != graph.content_hash


def test_windows_that_go_on_are_known(teacher: Artifact) -> None:
    texts = ("it was a song", " ".join(tagged_examples(8, 8).texts))
    encoded = encode(Tokenizer(teacher.file("tokenizer.json"), 16), TASK, texts)
    continues = encoded.columns()[CONTINUES]
    assert len(continues) > 4
    assert continues.tolist() == [False] * 2 + [True] * (len(continues) - 2)
    data = TrainingSet(encoded.rows, encoded.unknown(), 0, encoded.columns())
    for batch in to_batches(data, np.arange(len(continues)), token_budget=48, device=torch.device("cpu")):
        assert batch.extra[CONTINUES].tolist() == continues[batch.rows].tolist()


def test_without_it_nothing_is_new(tmp_path: Path) -> None:
    made = trained(tmp_path, crf=False)
    manifest = json.loads((made.path / "leanformer.json").read_text())
    assert set(manifest["task"]) == {"kind", "labels"} and "crf" not in made.history[-1]["options"]


@pytest.mark.slow
def test_killed_and_taken_up_again(tmp_path: Path) -> None:
    def dying(line: str) -> None:
        if "epoch 2/4  dev" in line:
            raise KilledError

    whole = trained(tmp_path / "whole")
    with pytest.raises(KilledError):
        trained(tmp_path / "killed", say=dying)
    lines: list[str] = []
    again = trained(tmp_path / "killed", say=lines.append)
    assert any(line.startswith("taken up") for line in lines)
    ours, theirs = folder_bytes(again.path), folder_bytes(whole.path)
    # How long it took stands in the one, and that one's hash in the other.
    differing = {"training.json", "beside.json"}
    assert {name: ours[name] for name in ours if name not in differing} == {
        name: theirs[name] for name in theirs if name not in differing
    }
    assert set(ours) == set(theirs)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["D0-S", "D2", "D4.2"])
def test_a_recurrent_student_learns_it_with_the_labels(strategy: str, teacher: Artifact, tmp_path: Path) -> None:
    context = make_context(tmp_path, teacher, data=DATA)
    options: dict[str, Any] = {"embedding": 8, "units": 8, "epochs": 2, "batch_size": 16, "learning_rate": 1e-2}
    step = BiLstmStudent(strategy=strategy, crf=True, **options)
    student = step(teacher, context, tmp_path / "student")
    assert student.task.question == TASK and student.task.transitions is not None
    if strategy == "D0-S":
        assert student.task.transitions != teacher.task.transitions  # where it began
    graph = Onnx()(student, context, tmp_path / "graph")
    texts = tagged_examples(20, 9).texts
    ours, theirs = (
        decide(logits(predictor, texts), predictor.task)
        for predictor in (LightPredictor(graph), TorchPredictor(student))
    )
    assert [tags.tolist() for tags in ours] == [tags.tolist() for tags in theirs]
    if strategy == "D2":
        # The teacher's belong to its own logits; a student that learns labels word by word has none.
        plain = BiLstmStudent(strategy=strategy, **options)(teacher, context, tmp_path / "plain")
        assert plain.task == TASK


def test_a_transformer_student_keeps_its_teachers(teacher: Artifact, tmp_path: Path) -> None:
    options: dict[str, Any] = {"layers": (1,), "epochs": 1, "batch_size": 16, "precision": "fp32"}
    context = make_context(tmp_path, teacher, data=DATA)
    student = Distil(**options)(teacher, context, tmp_path / "student")
    assert student.task == teacher.task
    with pytest.raises(RecipeError, match=r"hard labels are learnt word by word.*\n.*compress.bilstm"):
        Distil(**options, hard=0.5)(teacher, context, tmp_path / "hard")


def test_what_has_no_tags_has_no_crf(tmp_path: Path) -> None:
    begin = tiny_artifact(tmp_path / "start")
    with pytest.raises(LeanformerError, match="which tag follows which, and a task of kind 'classification' has none"):
        fine_tune(str(begin.path), tiny_dataset(), tmp_path / "out", SETTINGS, crf=True, work=tmp_path / "work")
    with pytest.raises(LeanformerError, match=r"compress\.bilstm: a CRF learns"):
        BiLstmStudent(crf=True)(begin, make_context(tmp_path, begin), tmp_path / "student")
    assert not (tmp_path / "out").exists() and not (tmp_path / "student").exists()


def test_dev_is_judged_by_what_has_been_learnt_so_far(teacher: Artifact) -> None:
    """Transitions that make every first tag and step but "O" as good as impossible leave no entity to find."""
    assert DATA.dev is not None
    dev, tokenizer = DATA.dev.for_task(TASK), Tokenizer(teacher.file("tokenizer.json"), 16)
    only = np.full((len(TAGS) + 1, len(TAGS)), -1000.0)
    only[:, TAGS.index("O")] = 0
    nothing = replace(TASK, transitions=tuple(map(tuple, only.tolist())))
    plain, blind = (
        Judge(read_model(teacher), dev, tokenizer, torch.device("cpu"), *learnt)
        for learnt in ((), (lambda task: nothing,))
    )
    assert plain.figure() > 0.5 and blind.figure() == 0
    assert plain.task() == TASK and blind.task() == nothing
