"""Stock checkpoints of other kinds than one label of single texts, compared with `transformers` on their own inputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

from leanformer.answers.forms import decide, to_predictions
from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import CheckpointError, DataError
from leanformer.inputs.kinds import input_of
from leanformer.ladder.splits import prepare
from leanformer.models.hf.checkpoint import write_checkpoint
from leanformer.models.predictor import TorchPredictor
from leanformer.models.store import import_checkpoint, read_model, start_classifier
from leanformer.predictor import logits
from leanformer.task import Task, Text
from tests.making.checkpoints import edit, save_bert
from tests.making.tiny import LABELS, tiny_artifact, tiny_kind_dataset

PAIRS = (("rain and storm", "the match was a goal"), ("a song", "it is the band of the concert in snow"), ("a", "b"))


def their_logits(folder: Path, texts: tuple[Text, ...]) -> np.ndarray:
    """What `transformers` computes with its own tokenizer classes, token types included."""
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), pad_token="[PAD]")
    tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    found = []
    for text in texts:
        one = tokenizer(*([text] if isinstance(text, str) else text), return_tensors="pt")
        assert ("token_type_ids" in one) and (bool(one["token_type_ids"].any()) == isinstance(text, tuple))
        with torch.inference_mode():
            found.append(model(**one).logits[0].numpy())
    return np.stack(found)


def test_token_types_of_pairs_are_those_of_transformers(tmp_path: Path) -> None:
    source = save_bert(tmp_path / "s")
    artifact = import_checkpoint(str(source), tmp_path / "a", labels=LABELS, pairs=True)
    assert artifact.task == Task("pair", LABELS)
    ours, theirs = logits(TorchPredictor(artifact), PAIRS), their_logits(source, PAIRS)
    assert np.abs(ours - theirs).max() < 1e-5
    joined = tuple(" ".join(pair) for pair in PAIRS)
    assert np.abs(logits(TorchPredictor(artifact), joined) - theirs).max() > 0.01, "or the comparison shows nothing"


@pytest.mark.slow
@pytest.mark.parametrize(("pairs", "kind"), [(True, "similarity"), (False, "regression")])
@pytest.mark.parametrize("problem", [None, "regression"])
def test_one_logit_is_a_score(pairs: bool, kind: str, problem: str | None, tmp_path: Path) -> None:
    source = save_bert(tmp_path / "s", names=("LABEL_0",), problem_type=problem)
    artifact = import_checkpoint(str(source), tmp_path / "a", labels=(), pairs=pairs)
    assert artifact.task == Task(kind, ())
    texts: tuple[Text, ...] = PAIRS if pairs else tuple(first for first, _ in PAIRS)
    found = [prediction.score for prediction in to_predictions(logits(TorchPredictor(artifact), texts), artifact.task)]
    assert found == pytest.approx(their_logits(source, texts)[:, 0], abs=1e-5)


def test_several_labels_have_sigmoids(tmp_path: Path) -> None:
    source = save_bert(tmp_path / "s", problem_type="multi_label_classification")
    artifact = import_checkpoint(str(source), tmp_path / "a", labels=("sport", "music"))
    assert artifact.task == Task("multilabel", LABELS)
    texts = tuple(second for _, second in PAIRS)
    theirs = torch.sigmoid(torch.from_numpy(their_logits(source, texts))).numpy()
    for prediction, row in zip(
        to_predictions(logits(TorchPredictor(artifact), texts), artifact.task), theirs, strict=True
    ):
        assert list(prediction.probabilities.values()) == pytest.approx(row, abs=1e-6)
        assert prediction.labels == tuple(name for name, p in zip(LABELS, row, strict=True) if p >= 0.5)


@pytest.mark.parametrize(
    ("options", "pairs"),
    [
        ({"names": LABELS, "problem_type": "regression"}, False),
        ({"names": ("one",), "problem_type": "single_label_classification"}, False),
        ({"names": LABELS, "problem_type": "multi_label_classification"}, True),
        ({"names": LABELS, "problem_type": "ranking"}, False),
    ],
    ids=str,
)
def test_what_there_is_no_kind_for(options: dict[str, Any], pairs: bool, tmp_path: Path) -> None:
    problem = options.pop("problem_type")
    source = save_bert(tmp_path / "s", **options)
    edit(source / "config.json", problem_type=problem)
    with pytest.raises(CheckpointError, match=r"(?s)problem_type .* is not built.*remedy"):
        import_checkpoint(str(source), tmp_path / "a", pairs=pairs)
    assert not (tmp_path / "a").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "task",
    [
        Task("pair", LABELS),
        Task("multilabel", LABELS, thresholds=(0.25, 0.5, 0.75)),
        Task("similarity", (), scale=(2.5, 1.25)),
    ],
    ids=lambda task: task.kind,
)
def test_back_to_a_stock_folder(task: Task, tmp_path: Path) -> None:
    source = save_bert(tmp_path / "s", names=task.labels or ("LABEL_0",))
    artifact = import_checkpoint(str(source), tmp_path / "a", pairs=input_of(task).paired)
    model = read_model(artifact)
    write_checkpoint(model, task, tmp_path / "back")
    (tmp_path / "back" / "tokenizer.json").write_bytes((source / "tokenizer.json").read_bytes())
    again = import_checkpoint(str(tmp_path / "back"), tmp_path / "b", pairs=input_of(task).paired)
    assert again.task == task.question, "stock transformers has no place for what was learnt about answering"
    texts: tuple[Text, ...] = PAIRS if input_of(task).paired else tuple(first for first, _ in PAIRS)
    ours = logits(TorchPredictor(artifact), texts)
    if task.answer == "score":
        assert decide(ours, task) == pytest.approx(their_logits(tmp_path / "back", texts)[:, 0], abs=1e-5)
    else:
        assert np.abs(ours - their_logits(tmp_path / "back", texts)).max() < 1e-5


def test_another_task_starts_with_a_fresh_head_of_its_size(tmp_path: Path) -> None:
    start = tiny_artifact(tmp_path / "start")
    for task, outputs in ((Task("similarity", ()), 1), (Task("multilabel", ("a", "b")), 2), (Task("pair", LABELS), 3)):
        model, _, missing, _ = start_classifier(str(start.path), task)
        assert model.config.labels == outputs and missing == ["head"]
    # Thresholds and scale are no other task.
    assert start_classifier(str(start.path), start.task)[2] == []


@pytest.fixture
def similar(tmp_path: Path) -> Artifact:
    source = save_bert(tmp_path / "s", names=("LABEL_0",))
    return import_checkpoint(str(source), tmp_path / "a", pairs=True)


def test_data_of_another_kind_than_the_model(similar: Artifact) -> None:
    with pytest.raises(DataError, match=r"single texts \(regression\), and the model was made for pairs"):
        prepare(tiny_kind_dataset("regression"), similar, seed=1, threads=1)
    with pytest.raises(DataError, match=r"of kind 'pair' and the model of kind 'similarity'"):
        prepare(tiny_kind_dataset("pair"), similar, seed=1, threads=1)


def test_labels_are_renumbered_as_the_teacher_has_them(tmp_path: Path) -> None:
    turned = tuple(reversed(LABELS))
    source = save_bert(tmp_path / "s", names=turned, problem_type="multi_label_classification")
    teacher = import_checkpoint(str(source), tmp_path / "a", labels=LABELS)
    data = tiny_kind_dataset("multilabel", sizes=(8, 8, 8, 8))
    moved = prepare(data, teacher, seed=1, threads=1).data
    assert isinstance(data.dev, Examples) and isinstance(moved.dev, Examples)
    assert moved.dev.task == teacher.task
    assert (moved.dev.targets == data.dev.targets[:, ::-1]).all() and data.dev.targets.any()


def test_the_teachers_scale_is_taken_over(similar: Artifact, tmp_path: Path) -> None:
    scaled = replace(similar, task=replace(similar.task, scale=(3.0, 2.0)))
    data = tiny_kind_dataset("similarity", sizes=(8, 8, 8, 8))
    moved = prepare(data, scaled, seed=1, threads=1).data
    assert isinstance(moved, Dataset) and moved.task.scale == (3.0, 2.0)
    assert moved.training_hash == data.training_hash, "what one model learnt is no part of the data"
