"""A teacher from few labels: logistic regression on the vectors of an encoder, folded into the head of the model.

The vector of a text is pooled from its tokens, as the encoder's folder says, or their mean. It passes through the
head of every classifier here, a dense layer and tanh, before the logits; so the regression is fitted on what that
head gives if the dense layer divides by a constant. Nothing is approximated, and the result is an ordinary model.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from leanformer.answers.forms import metric_of
from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.files import remove_folder
from leanformer.finetune.tuned import Place, Tuned
from leanformer.models.classifier import Classifier
from leanformer.models.heads import PooledHead, vector_head
from leanformer.models.scoring import score_rows
from leanformer.models.sentence_encoder import import_sentence_encoder
from leanformer.models.store import device_of, read_model
from leanformer.models.writing import TOKENIZER
from leanformer.shapes.head import HeadShape
from leanformer.tokenizer import Tokenizer
from leanformer.train.fit import dev_name

VECTORS = "vectors"  # folder of the imported encoder, in the work folder
STRENGTH = 10.0  # inverse regularisation C, for vectors whose mean length is 1
_SPREAD = 4.0  # what the vectors are divided by, in units of their root mean square: tanh is nearly linear there
_STEPS = 500
_NEVER = 10.0  # how far below all others the logit of a class without texts is, of a text without features


def vector_artifact(encoder: str, texts: Sequence[str], work: Path, say: Callable[[str], None]) -> Artifact:
    """The encoder as an artifact to read vectors from: itself, or a checkpoint imported into `work`.

    Raises `CheckpointError` for a family that is not mapped.
    """
    if is_artifact(encoder):
        return open_artifact(encoder)
    remove_folder(work / VECTORS)  # of a run that was killed
    (work / VECTORS).mkdir(parents=True)
    return import_sentence_encoder(encoder, texts, work / VECTORS, fallback="mean", say=say)


def read_encoder(artifact: Artifact) -> Classifier:
    """A model that returns the vectors of texts `[B, H]`, pooled by their mean where the artifact does not say how.

    Raises `ArtifactError` for an artifact of another format than "encoder".
    """
    model = read_model(artifact)
    if model.config.head.gives_vectors:
        return model
    vectors = Classifier(vector_head(model.config, "mean"))
    vectors.encoder.load_state_dict(model.encoder.state_dict())
    return vectors.eval()


def frozen(artifact: Artifact, data: Dataset, place: Place) -> Tuned:
    """Fit the regression on `data.train`; the encoder stays as it is."""
    assert data.train is not None
    tokens = min(place.max_tokens, artifact.max_tokens)
    tokenizer = Tokenizer(artifact.file(TOKENIZER), tokens)
    model = with_regression(read_encoder(artifact), tokenizer.encode(data.train.texts), data.train, place.device)
    return with_figure(Tuned(model, artifact.file(TOKENIZER), tokens, data.task, {}), data, place)


def with_regression(model: Classifier, rows: Sequence[np.ndarray], examples: Examples, device: str) -> Classifier:
    """The encoder of `model`, which returns vectors, as a classifier for the task of `examples`, fitted on them.

    Args:
        rows: token ids of the texts of `examples`.
    """
    where, task = device_of(device), examples.task
    padding = model.config.padding_id
    vectors = score_rows(model.to(where).eval(), rows, padding_id=padding, device=where).astype(np.float64)
    divisor = max(_SPREAD * float(np.sqrt((vectors**2).mean())), 1e-12)
    seen = np.tanh(vectors / divisor)
    times = 1 / max(float(np.linalg.norm(seen, axis=1).mean()), 1e-12)
    weights, bias = _regression(times * seen, examples.targets, task.outputs)
    head = HeadShape(pooling=model.config.head.pooling, dropout=model.config.head.dropout)
    made = Classifier(replace(model.config, labels=task.outputs, head=head))
    made.encoder.load_state_dict(model.encoder.state_dict())
    assert isinstance(made.head, PooledHead)
    with torch.no_grad():
        made.head.pooler.weight.copy_(torch.eye(model.config.hidden) / divisor)
        made.head.classifier.weight.copy_(torch.from_numpy(times * weights.T))
        made.head.classifier.bias.copy_(torch.from_numpy(bias))
    return made.eval()


def _regression(vectors: np.ndarray, labels: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Multinomial logistic regression: weights `[width, classes]` and bias `[classes]`.

    A class without texts has no weights, and a bias that is lower than all others.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    present = np.unique(labels)
    with warnings.catch_warnings():
        # A solution that has not fully converged answers the same.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=STRENGTH, max_iter=_STEPS).fit(vectors, labels)
    found, offset = model.coef_.T, model.intercept_
    if len(present) == 2:  # there is one vector for both
        found, offset = np.concatenate([-found, found], axis=1) / 2, np.concatenate([-offset, offset]) / 2
    weights, bias = np.zeros((vectors.shape[1], classes)), np.full(classes, offset.min() - _NEVER)
    weights[:, present], bias[present] = found, offset
    return weights, bias


def with_figure(tuned: Tuned, data: Dataset, place: Place) -> Tuned:
    """The same with its figure on dev, where there is a dev split."""
    if data.dev is None:
        return tuned
    figure = metric_of(data.task)(tuned.answers(data.dev, place.device), data.dev.targets)
    return replace(tuned, result={**tuned.result, dev_name(data.task): [figure]})
