"""Logistic regression on the vectors of an encoder, folded into the head of the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from leanformer.artifact import Artifact
from leanformer.errors import ArtifactError
from leanformer.finetune.frozen import STRENGTH, frozen, read_encoder, vector_artifact, with_regression
from leanformer.finetune.tuned import Place
from leanformer.metrics.probabilities import softmax
from leanformer.models.heads import vector_head
from leanformer.models.scoring import score_rows
from leanformer.models.store import read_model
from leanformer.tokenizer import Tokenizer
from leanformer.train.settings import FitSettings
from tests.making.tiny import tiny_artifact, tiny_classifier, tiny_config, tiny_dataset

DATA = tiny_dataset()
PLACE = Place(FitSettings(), 32, None, "cpu", lambda line: None)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    return tiny_artifact(tmp_path_factory.mktemp("encoder") / "encoder")


def scores(model, rows):
    return score_rows(model.eval(), rows, padding_id=0, device=torch.device("cpu"))


@pytest.mark.parametrize("classes", [3, 2])
@pytest.mark.parametrize("pooling", ["mean", "first", "max"])
def test_the_head_gives_what_the_regression_gives(pooling: str, classes: int, encoder: Artifact):
    assert DATA.train is not None and DATA.dev is not None
    train = DATA.train.select([i for i in range(60) if DATA.train.targets[i] < classes])
    model = tiny_classifier(vector_head(tiny_config(), pooling))
    rows = [Tokenizer(encoder.file("tokenizer.json"), 32).encode(part.texts) for part in (train, DATA.dev)]
    known, asked = (scores(model, part) for part in rows)
    made = with_regression(model, rows[0], train, "cpu")
    assert made.config.head.pooling == pooling and made.config.labels == 3
    # The same regression, by hand.
    divisor = 4 * np.sqrt((known.astype(float) ** 2).mean())
    assert abs(np.tanh(known / divisor) - known / divisor).max() < 0.2
    times = 1 / np.linalg.norm(np.tanh(known / divisor), axis=1).mean()
    theirs = LogisticRegression(C=STRENGTH, max_iter=500).fit(times * np.tanh(known / divisor), train.targets)
    expected = theirs.predict_proba(times * np.tanh(asked / divisor))
    logits = scores(made, rows[1])
    assert softmax(logits[:, :classes].astype(float)) == pytest.approx(expected, abs=1e-4)
    if classes == 2:
        assert (logits[:, 2] < logits[:, :2].max(axis=1)).all(), "a class without texts is never the answer"


def test_the_encoder_stays_as_it_is_and_dev_is_only_measured(encoder: Artifact):
    made = frozen(encoder, DATA, PLACE)
    before = read_model(encoder).encoder.state_dict()
    assert all(torch.equal(before[name], value) for name, value in made.model.encoder.state_dict().items())
    (figure,) = made.result["dev_accuracy"]
    assert DATA.dev is not None and figure == (made.answers(DATA.dev, "cpu") == DATA.dev.targets).mean()
    other = frozen(encoder, replace(DATA, dev=None), PLACE)
    assert other.result == {} and torch.equal(other.model.head.classifier.weight, made.model.head.classifier.weight)


def test_an_artifact_is_taken_as_it_is_and_other_formats_are_refused(encoder: Artifact, tmp_path: Path):
    assert vector_artifact(str(encoder.path), (), tmp_path, print).path == encoder.path
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ArtifactError, match=r"(?s)holds no encoder weights.*remedy: give an artifact"):
        read_encoder(replace(encoder, format="onnx"))
