"""Vectors of an encoder: of texts, of pairs, of words, from every kind of model that has one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from leanformer.artifact import open_artifact
from leanformer.curate.embeddings import embed
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.data.used_texts import UsedTexts, attach
from leanformer.errors import LeanformerError
from leanformer.metrics.probabilities import unit_vectors
from leanformer.models.predictor import TorchPredictor
from leanformer.models.store import read_model
from leanformer.predictor import logits
from leanformer.tagging.windows import SentenceTokenizer
from tests.making.checkpoints import save_bert
from tests.making.graphs import make_embedder
from tests.making.tagged import tagged_examples
from tests.making.tiny import TASK, tiny_artifact, tiny_kind_dataset, tiny_texts

TEXTS, LABELS = tiny_texts(30, seed=4)
TRAIN = Examples(TASK, TEXTS, LABELS)
SAID: list[str] = []


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder of kind "embedding", and beside it its graph."""
    return make_embedder(tmp_path_factory.mktemp("made"))[0].path


def test_vectors_are_those_of_the_sentence_encoder(encoder: Path) -> None:
    found = embed(str(encoder), TRAIN, SAID.append)
    expected = unit_vectors(logits(TorchPredictor(open_artifact(encoder)), TEXTS))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.shape == (30, 32) and not SAID
    graph = embed(str(encoder.with_name("onnx")), TRAIN, SAID.append)
    np.testing.assert_allclose(graph, expected, atol=1e-4)


def test_of_a_pair_both_texts_and_how_they_differ(encoder: Path) -> None:
    train = tiny_kind_dataset("pair", (12, 2, 2, 2)).train
    assert train is not None and train.pairs is not None
    first, second, apart, together = np.split(embed(str(encoder), train, SAID.append), 4, axis=1)
    for part, texts in ((first, train.texts), (second, train.pairs)):
        alone = embed(str(encoder), Examples(TASK, tuple(map(str, texts)), (0,) * 12), SAID.append)
        np.testing.assert_allclose(part, alone, atol=1e-6)
    np.testing.assert_allclose(apart, abs(first - second))
    np.testing.assert_allclose(together, first * second)


def test_of_words_the_hidden_state_of_the_first_piece(encoder: Path) -> None:
    train = tagged_examples(6, 2)
    found = embed(str(encoder), train, SAID.append)
    artifact = open_artifact(encoder)
    model = read_model(artifact)
    rows = []
    for [window] in SentenceTokenizer(artifact.file("tokenizer.json"), 32).windows(train.texts):
        ids = torch.from_numpy(window.ids).long()[None]
        with torch.no_grad():
            rows.append(model.encoder(ids, torch.ones_like(ids)).last[0, window.places].numpy())
    np.testing.assert_allclose(found, unit_vectors(np.concatenate(rows)), atol=1e-5)
    assert len(found) == sum(len(text.split()) for text in train.texts)


def test_a_classifier_gives_the_mean_of_its_hidden_states_and_a_checkpoint_as_well(tmp_path: Path) -> None:
    classifier, folder = tiny_artifact(tmp_path / "classifier"), save_bert(tmp_path / "bert")
    for model in (str(classifier.path), str(folder)):
        found = embed(model, TRAIN, SAID.append)
        assert found.shape[0] == 30 and np.linalg.norm(found, axis=1) == pytest.approx(1)
        assert len(np.unique(found.round(4), axis=0)) > 20
    assert not SAID


def test_a_model_that_was_trained_on_the_texts_is_warned_of(tmp_path: Path) -> None:
    artifact = tiny_artifact(tmp_path / "classifier")
    attach(artifact, UsedTexts.of(train=TRAIN.select(range(10))))
    said: list[str] = []
    embed(str(artifact.path), TRAIN, said.append)
    assert (
        len(said) == 1 and "was trained on 10 of these 30 texts, so figures from its vectors look too good" in said[0]
    )


def test_a_model_without_vectors_is_refused(encoder: Path) -> None:
    words = tagged_examples(4, 2)
    with pytest.raises(
        LeanformerError, match=r"format 'onnx' whose vectors cannot be read\n  remedy: give an artifact"
    ):
        embed(str(encoder.with_name("onnx")), Dataset(words.task, train=words).train or words, SAID.append)
    assert len(embed(str(encoder), words, SAID.append)) > 4
