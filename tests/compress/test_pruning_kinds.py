"""Pruning of models of every kind of task: pairs with their token types, any number of labels, scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from leanformer.answers.forms import FORMS
from leanformer.artifact import Artifact
from leanformer.compress.prune.importance import gate_gradients, row_losses
from leanformer.compress.prune.prune import Prune
from leanformer.compress.prune.prune_post_training import PrunePostTraining
from leanformer.compress.prune.scoring_set import batches_of, scoring_set
from leanformer.data.dataset import Dataset
from leanformer.inputs.kinds import input_of
from leanformer.loading import open_predictor
from leanformer.metrics.probabilities import sigmoid, softmax
from leanformer.models.classifier import Classifier
from leanformer.models.store import read_model, write_classifier
from leanformer.predictor import logits
from leanformer.task import Task
from leanformer.train.feeds.batches import Batch
from leanformer.train.targets import labels_of
from tests.making.graphs import make_context
from tests.making.tiny import LABELS, tiny_classifier, tiny_config, tiny_kind_dataset, tiny_tokenizer

KINDS = ("pair", "multilabel", "similarity", "regression")
CPU = torch.device("cpu")


@pytest.fixture(params=KINDS)
def data(request: pytest.FixtureRequest) -> Dataset:
    return replace(tiny_kind_dataset(str(request.param), (96, 40, 40, 300)), test=None)


def artifact_of(data: Dataset, folder: Path, *, labels: tuple[str, ...] | None = None) -> Artifact:
    """A random model of the task, with thresholds or a scale of its own as a trained one has."""
    task = Task(data.task.kind, data.task.labels if labels is None else labels)
    if task.answer == "labels":
        task = replace(task, thresholds=(0.25, 0.5, 0.75))
    if task.answer == "score":
        task = replace(task, scale=(3.0, 1.5))
    model = tiny_classifier(tiny_config(labels=task.outputs))
    return write_classifier(
        model, folder / "model", task=task, tokenizer=tiny_tokenizer(folder), max_tokens=32, history=[]
    )


def batches(artifact: Artifact, data: Dataset, folder: Path, texts: int = 96) -> list[Batch]:
    rows = scoring_set(artifact, make_context(folder, artifact, data=data), texts)
    return list(batches_of(rows, batch_size=16, seed=1, device=CPU))


def test_rows_carry_types_and_labels_of_their_form(data: Dataset, tmp_path: Path):
    source = artifact_of(data, tmp_path)
    found = batches(source, data, tmp_path)
    assert all((batch.types is not None) == input_of(data.task).paired for batch in found)
    assert data.train is not None
    expected = labels_of(data.train.for_task(source.task))
    order = np.concatenate([batch.rows for batch in found])
    assert sorted(order) == list(range(96))
    np.testing.assert_array_equal(torch.cat([batch.labels for batch in found]).numpy(), expected[order])
    if data.task.answer == "score":
        assert expected.min() == pytest.approx((1 - 3) / 1.5)  # on the model's scale


def test_labels_are_numbered_as_the_model_does(tmp_path: Path):
    data = replace(tiny_kind_dataset("pair", (96, 40, 40, 60)), test=None)
    source = artifact_of(data, tmp_path, labels=LABELS[::-1])
    found = batches(source, data, tmp_path)
    assert data.train is not None
    order, labels = (
        np.concatenate([batch.rows for batch in found]),
        torch.cat([batch.labels for batch in found]).tolist(),
    )
    names = [LABELS[data.train.labels[row]] for row in order]  # type: ignore[index]
    assert [source.task.labels[i] for i in labels] == names


def by_hand(model: Classifier, batch: Batch, answer: str) -> torch.Tensor:
    found = model(batch.ids, batch.mask, batch.types)
    if answer == "label":
        return torch.stack([row.logsumexp(0) - row[label] for row, label in zip(found, batch.labels, strict=True)])
    if answer == "labels":
        signs = 2 * batch.labels - 1
        return F.softplus(-signs * found).mean(dim=1)
    return (found[:, 0] - batch.labels) ** 2


def test_gradients_are_those_of_the_kind_s_own_loss(data: Dataset, tmp_path: Path):
    """Against the loss written out, and a gate that is a weight: a head's columns of the output map."""
    source, answer = artifact_of(data, tmp_path), data.task.answer
    model, found = read_model(source), batches(source, data, tmp_path, 24)
    gradients = gate_gradients(model, found, row_losses(answer))
    weight, expected = model.encoder.layers[0].attention.output.weight, []
    for batch in found:
        for loss in by_hand(model, batch, answer):
            (gradient,) = torch.autograd.grad(loss, weight, retain_graph=True)
            expected.append((gradient * weight).detach().unflatten(1, (4, 8)).sum(dim=(0, 2)))
    torch.testing.assert_close(gradients.heads[0], torch.stack(expected), rtol=1e-3, atol=1e-5)
    if input_of(data.task).paired:
        flat = [replace(batch, types=torch.zeros_like(batch.ids)) for batch in found]
        assert not torch.allclose(
            gate_gradients(model, flat, row_losses(answer)).heads[0], gradients.heads[0], atol=1e-3
        )


def test_labels_are_drawn_from_what_the_teacher_says():
    generator = np.random.default_rng(0)
    given = np.tile([[0.3, -1.2, 0.8]], (40_000, 1))
    several = FORMS["labels"].draw(given, generator)
    np.testing.assert_allclose(several.mean(axis=0), sigmoid(given[0]), atol=0.01)
    assert abs(np.corrcoef(several.T)[0, 1]) < 0.02 and set(np.unique(several)) == {0, 1}
    one = FORMS["label"].draw(given, generator)
    np.testing.assert_allclose(np.bincount(one) / len(one), softmax(given)[0], atol=0.01)
    score = FORMS["score"].draw(given[:, :1], generator)
    assert score.dtype == np.float32 and score.shape == (40_000,)
    assert (score.mean(), score.std()) == (pytest.approx(0.3, abs=0.02), pytest.approx(1, abs=0.02))


@pytest.mark.slow
@pytest.mark.parametrize("step", [Prune, PrunePostTraining])
def test_what_the_model_learnt_about_answering_stays(data: Dataset, step: type, tmp_path: Path):
    source = artifact_of(data, tmp_path)
    context = make_context(tmp_path / "context", source, data=data)
    small = step(keep=0.7, multiple=1)(source, context, tmp_path / "pruned")
    assert small.task == source.task and 0.65 < small.history[-1]["result"]["kept"] <= 0.7
    assert data.dev is not None
    assert logits(open_predictor(small, threads=1), data.dev.inputs).shape == (40, source.task.outputs)
    same = step(keep=1.0)(source, context, tmp_path / "same")
    ours, theirs = (logits(open_predictor(artifact, threads=1), data.dev.inputs) for artifact in (same, source))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.slow
def test_text_alone_says_what_can_be_spared(data: Dataset, tmp_path: Path):
    """The model is its own teacher; what goes by drawn answers hurts less than what goes by chance, four times."""
    source, alone = artifact_of(data, tmp_path), replace(data, train=None)
    assert data.dev is not None
    inputs = data.dev.inputs
    whole = logits(open_predictor(source, threads=1), inputs)

    def distance(step: Prune | PrunePostTraining, seed: int = 13) -> float:
        folder = tmp_path / f"{step} {seed}"[-60:]
        small = step(source, make_context(folder, source, data=alone, seed=seed), folder / "pruned")
        return float(((logits(open_predictor(small, threads=1), inputs) - whole) ** 2).mean())

    untuned, tuned = (distance(PrunePostTraining(keep=0.5, multiple=1, tune=tune)) for tune in ("none", "weights"))
    chance = [distance(Prune(keep=0.5, multiple=1, ranking="random"), seed) for seed in range(4)]
    assert tuned < untuned < np.mean(chance)
    assert tuned < 0.25 * np.median(chance)
