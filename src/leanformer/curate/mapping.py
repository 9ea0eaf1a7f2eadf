"""The data map of a data set: an encoder is fine-tuned on train, and what it shows about the rows is recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from leanformer.answers.form import FormTable
from leanformer.curate.curation import need_train, place
from leanformer.curate.data_map import (
    DataMap,
    confidence,
    correctness,
    forgetting,
    usable_information,
    variability,
)
from leanformer.curate.findings import Cluster, Findings
from leanformer.curate.label_models import LabelModels
from leanformer.curate.out_of_fold import deal_folds
from leanformer.curate.prediction_depth import prediction_depth
from leanformer.data.carving import strata
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError, LeanformerError
from leanformer.linear.fit import need_sklearn
from leanformer.metrics.calibration import fit_temperature, scaled_probabilities
from leanformer.metrics.probabilities import softmax
from leanformer.models.classifier import Classifier
from leanformer.models.heads import masked_mean
from leanformer.models.scoring import score_rows
from leanformer.models.store import device_of, start_classifier
from leanformer.task import Task
from leanformer.tokenizer import Tokenizer
from leanformer.train.fit import fit_classifier
from leanformer.train.hooks.dynamics import Dynamics
from leanformer.train.objectives.objective import LabelLoss, Supervised
from leanformer.train.rows import encode
from leanformer.train.settings import FitSettings

EPOCHS = 6
LEAST_EPOCHS = 3
# Of training for a map. A small set is not learnt in fewer steps than these: its epochs are more than a pass each.
_BATCH, _LEAST_STEPS = 32, 300
# The score on dev decides nothing but which weights give the depth.
_SCORED = 256


_SHOWN = 10  # rows of each kind in the report


def with_map(findings: Findings, data: Dataset, mapped: DataMap) -> Findings:
    """The findings with a map of train, and its rows that are most worth reading."""
    train = need_train(data)
    hardest, ambiguous = (
        tuple(place(train, "train", int(row)) for row in order[:_SHOWN])
        for order in (mapped.hardest, mapped.most_variable)
    )
    return replace(findings, map=mapped, hardest=hardest, ambiguous=ambiguous)


def can_map(task: Task) -> bool:
    """Whether there are maps of labels of the task's form: those where each row has one label that is a name."""
    return _MAPPED.get(task.answer) is not None


def data_map(
    data: Dataset,
    encoder: str,
    clusters: Sequence[Cluster],
    *,
    epochs: int = EPOCHS,
    max_tokens: int = 128,
    seed: int = 13,
    say: Callable[[str], None],
    device: str = "cpu",
) -> DataMap:
    """Fine-tune an encoder on train, without dropping a row, and map the rows.

    Confidence, variability, correctness, forgetting and error (EL2N, Paul et al. 2021) are those of this training;
    usable information is that of a linear model on n-grams, in cross-validation with duplicates in one fold, and 0 for
    a label that is in no other fold; depth is that of the trained model's states, averaged over tokens.

    Args:
        data: as in `curation.find`; dev is not needed. encoder: a folder, hub name or artifact to start from.
        clusters: the duplicates in train.

    Raises `LeanformerError` for labels that cannot be mapped or too few epochs, `DataError` for a single label.
    """
    if epochs < LEAST_EPOCHS:
        raise LeanformerError(f"--map-epochs {epochs}: a map needs {LEAST_EPOCHS} epochs at least, better {EPOCHS}")
    _MAPPED[data.task.answer]
    need_sklearn()
    train = need_train(data)
    labels = np.asarray(train.targets)
    if len(np.unique(labels)) < 2:
        raise DataError(
            "train has one label only; there is nothing to map", path=train.source, remedy="leave --map out"
        )
    where = device_of(device)
    torch.manual_seed(seed)
    model, tokenizer_path, _, positions = start_classifier(encoder, data.task)
    tokenizer = Tokenizer(tokenizer_path, min(max_tokens, positions))
    rows, padding = encode(tokenizer, train.task, train.inputs), model.config.padding_id

    def probabilities() -> np.ndarray:
        logits = rows.logits(lambda ids: score_rows(model, ids, padding_id=padding, device=where))
        return softmax(logits.astype(np.float64))

    told = Dynamics(probabilities, labels)
    say(f"a data map: {len(train):,} texts, {epochs} epochs")
    fit_classifier(
        model, Supervised(LabelLoss(data.task.answer)), train.inputs, labels,
        train.select(range(min(len(train), _SCORED))) if data.dev is None else data.dev, tokenizer,
        FitSettings(epochs=epochs, batch_size=_BATCH, seed=seed), work=None, identity="", device=device, say=say,
        steps=max(_LEAST_STEPS, epochs * -(-len(train) // _BATCH)), hooks=[told],
    )  # fmt: skip
    # Of a long text in windows, the first one.
    starts = range(len(rows.rows)) if rows.counts is None else np.cumsum([0, *rows.counts[:-1]]).tolist()
    states = layer_states(model, [rows.rows[start] for start in starts], padding, where)
    right = told.right
    measures = {
        "confidence": confidence(told.gold), "variability": variability(told.gold), "correctness": correctness(right),
        "forgetting": forgetting(right), "error": told.errors.mean(axis=0),
        "information": _information(train, clusters, seed), "depth": prediction_depth(states, labels, seed),
    }  # fmt: skip
    name = Path(encoder).resolve().name  # also of "." and ".."
    return DataMap(measures, epochs, name, train.content_hash)


def layer_states(
    model: Classifier, rows: Sequence[np.ndarray], padding_id: int, device: torch.device
) -> list[np.ndarray]:
    """The states of rows of token ids, averaged over tokens: of the embeddings and of each layer, `[rows, width]`."""

    class Means(torch.nn.Module):
        def forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor | None = None) -> torch.Tensor:
            hidden = model.encoder(ids, mask, types).hidden_states
            return torch.cat([masked_mean(layer, mask) for layer in hidden], dim=-1)

    found = score_rows(Means(), rows, padding_id=padding_id, device=device)
    return list(np.split(found, found.shape[1] // model.config.hidden, axis=1))


def _information(train: Examples, clusters: Sequence[Cluster], seed: int) -> np.ndarray:
    groups = np.arange(len(train))
    for cluster in clusters:
        groups[[place.row for place in cluster.places]] = cluster.places[0].row
    labels = np.asarray(train.targets)
    folds = deal_folds(np.array(strata(train)), groups, seed)
    models = LabelModels(train, folds, None, seed)
    logits = models.logits(labels, "label")
    # Where no other fold has the label, the model has not seen it, and its logit for it says nothing. One such row
    # would otherwise set the temperature of all.
    counts = np.zeros((labels.max() + 1, folds.max() + 1), dtype=np.int64)
    np.add.at(counts, (labels[models.drawn], folds[models.drawn]), 1)
    seen = counts.sum(axis=1)[labels] > counts[labels, folds]
    found = np.zeros(len(labels))
    if seen.any():
        probabilities = scaled_probabilities(logits, fit_temperature(logits[seen], labels[seen]))
        found[seen] = usable_information(probabilities[np.arange(len(labels)), labels], labels)[seen]
    return found


_MAPPED: FormTable[bool] = FormTable("leanformer/curate/mapping.py", {"label": True})
