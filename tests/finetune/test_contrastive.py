"""An encoder tuned on pairs of texts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from leanformer.artifact import Artifact
from leanformer.batching import pad
from leanformer.errors import DataError
from leanformer.finetune.contrastive import contrastive
from leanformer.finetune.frozen import frozen
from leanformer.finetune.tuned import Place
from leanformer.models.classifier import Classifier
from leanformer.models.heads import PooledHead, masked_mean
from leanformer.models.store import read_model
from leanformer.tokenizer import Tokenizer
from leanformer.train.settings import FitSettings
from tests.making.tiny import tiny_artifact, tiny_dataset

DATA = tiny_dataset()
FEW = replace(DATA, train=DATA.train and DATA.train.select(range(40)))


def place(work: Path | None = None) -> Place:
    return Place(FitSettings(precision="fp32"), 32, work, "cpu", lambda line: None)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return tiny_artifact(tmp_path_factory.mktemp("encoder") / "encoder")


def separation(model: Classifier, tokenizer: Path) -> float:
    """How much nearer two train texts of one class are than two of different classes, in the cosine."""
    assert FEW.train is not None and isinstance(model.head, PooledHead)
    ids, mask = (torch.from_numpy(part) for part in pad(Tokenizer(tokenizer, 32).encode(FEW.train.texts)))
    with torch.no_grad():
        vectors = torch.nn.functional.normalize(masked_mean(model.encoder(ids, mask, None).last, mask), dim=1)
    cosines, labels = (vectors @ vectors.T).numpy(), FEW.train.targets
    same = labels[:, None] == labels
    return float(cosines[same].mean() - cosines[~same].mean())


def test_pairs_make_the_classes_tell_apart(encoder: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leanformer.finetune.contrastive.RATE", 2e-3)  # a tiny model from nothing needs more
    after = contrastive(encoder, FEW, place(tmp_path), most=6000)
    before = frozen(encoder, FEW, place())
    assert separation(after.model, after.tokenizer) > separation(before.model, before.tokenizer) + 0.1
    old, new = read_model(encoder).encoder, after.model.encoder
    assert torch.equal(old.embeddings.word.weight, new.embeddings.word.weight), "the word table stays"
    assert not torch.equal(old.layers[0].ffn.up.weight, new.layers[0].ffn.up.weight)
    assert all(parameter.requires_grad for parameter in after.model.parameters())
    again = contrastive(encoder, replace(FEW, dev=None), place(), most=6000)
    assert torch.equal(again.model.head.classifier.weight, after.model.head.classifier.weight), "dev is not looked at"
    assert (tmp_path / "checkpoint").is_dir()


def test_tokens_are_bounded(encoder: Artifact) -> None:
    many, few = contrastive(encoder, FEW, place()), contrastive(encoder, FEW, place(), most=1000)
    assert FEW.train is not None
    tokens = 2 * np.mean([len(text.split()) + 3 for text in FEW.train.texts])
    assert few.options["pairs"] == 1000 // tokens < many.options["pairs"]


def test_without_two_texts_of_a_class_there_are_no_pairs(encoder: Artifact) -> None:
    assert DATA.train is not None
    each = [int(np.flatnonzero(DATA.train.targets == label)[0]) for label in range(3)]
    with pytest.raises(DataError, match=r"(?s)train: .*a class of its own.*remedy: --method frozen"):
        contrastive(encoder, replace(DATA, train=DATA.train.select(each)), place())
    assert frozen(encoder, replace(DATA, train=DATA.train.select(each)), place()).result["dev_accuracy"]
