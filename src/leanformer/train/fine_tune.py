"""Fine-tune an encoder checkpoint into a classifier: what makes a teacher."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch

from leanformer.artifact import Artifact
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.errors import DataError, LeanformerError
from leanformer.files import remove_folder, sha256_json, write_json
from leanformer.metrics.classification import accuracy
from leanformer.models.classifier import Classifier
from leanformer.models.scoring import score_rows
from leanformer.models.store import device_of, start_classifier, write_classifier
from leanformer.tokenizer import Tokenizer
from leanformer.train.batches import TrainingSet
from leanformer.train.loop import FitResult, FitSettings, fit
from leanformer.train.objectives.objective import CrossEntropy, Objective


def fine_tune(
    encoder: str,
    data: Dataset,
    output: Path,
    settings: FitSettings,
    *,
    max_tokens: int = 128,
    work: Path,
    device: str = "auto",
    say: Callable[[str], None] = print,
) -> Artifact:
    """Fine-tune `encoder` on `data.train` with cross-entropy, keeping the weights that are best on `data.dev`.

    Beside the artifact lie `training.json` and, where dev was taken out of train, `dev_rows.json` with the numbers
    of the rows, so that another program can be compared on the same division.

    Args:
        encoder: a Hugging Face folder or hub name of a mapped family, or one of our encoder artifacts.
        output: new folder of the artifact; not the encoder's, nor one above it.
        work: folder of checkpoints; they are removed when the artifact is written, and it too if it is empty then.

    Raises `DataError` without a labelled train and dev split, `CheckpointError` for an encoder we cannot map, and
    `LeanformerError` where `output` would replace the encoder or the device is not there.
    """
    if data.train is None:
        raise DataError(
            "training needs a labelled train split", path=data.name, remedy="give a train file whose rows have labels"
        )
    if data.dev is None:
        raise DataError(
            "there is no dev split to choose the best epoch by, and none could be taken out of train",
            path=data.name,
            remedy="give a dev file, or more train rows: at least two texts of a label",
        )
    if data.task.kind != "classification":
        raise DataError(
            f"training for the task {data.task.kind!r} is not built yet, only classification", path=data.name
        )
    if Path(encoder).exists() and Path(encoder).resolve().is_relative_to(output.resolve()):
        raise LeanformerError(
            f"{output}: is or holds the encoder to start from; it will not be overwritten\n  remedy: another output"
        )
    device_of(device)  # a device that is not there is said now, not after the texts were tokenised
    torch.manual_seed(settings.seed)
    model, tokenizer_path, missing, positions = start_classifier(encoder, data.task)
    if missing:
        say(f"starting at random: {', '.join(missing)}")
    tokens = min(max_tokens, positions)
    tokenizer = Tokenizer(tokenizer_path, tokens)
    say(f"{len(data.train)} training texts, {len(data.dev)} dev texts, {len(data.task.labels)} labels")
    cut = {"train": tokenizer.count_longer(data.train.texts), "dev": tokenizer.count_longer(data.dev.texts)}
    if any(cut.values()):
        shares = (f"{count} of {len(getattr(data, split))} {split} texts" for split, count in cut.items())
        say(f"note: {' and '.join(shares)} are longer than {tokens} tokens and get cut")
    result = fit_classifier(
        model, CrossEntropy(), data.train.texts, labels_of(data.train), data.dev, tokenizer, settings,
        work=work, identity=sha256_json([encoder_hash(model), data.training_hash, tokens]), device=device, say=say,
    )  # fmt: skip
    entry = {
        "step": "train.fine_tune",
        "options": {"encoder": Path(encoder).name, "max_tokens": tokens, **settings.__dict__},
        "parent": None,
        "result": {"dev_accuracy": list(result.scores), "best_epoch": result.best_epoch + 1},
        "data": {"name": data.name, "training_hash": data.training_hash},
    }
    artifact = write_classifier(
        model, output, task=data.task, tokenizer=tokenizer_path, max_tokens=tokens, history=[entry]
    )
    # Time is a fact about this machine, so it lies beside the artifact and not in its content.
    write_json(output / "training.json", {"seconds": round(result.seconds, 1), "dev_accuracy": list(result.scores)})
    if data.dev_rows is not None:
        write_json(output / "dev_rows.json", {"taken_from": "train", "rows": list(data.dev_rows)})
    # Only what we put there: the folder may be one that somebody keeps other things in.
    remove_folder(work / "checkpoint")
    with suppress(OSError):
        work.rmdir()
    return artifact


def fit_classifier(
    model: Classifier,
    objective: Objective,
    texts: Sequence[str],
    labels: np.ndarray,
    dev: Examples,
    tokenizer: Tokenizer,
    settings: FitSettings,
    *,
    work: Path,
    identity: str,
    device: str,
    say: Callable[[str], None],
) -> FitResult:
    """Fit a classifier on `texts`, scored by accuracy on `dev`; `labels` `[texts]` are -1 where there is none."""
    padding = model.config.padding_id
    data = TrainingSet(tokenizer.encode(texts), labels, padding)
    dev_rows, dev_labels = tokenizer.encode(dev.texts), np.asarray(dev.labels)
    where = device_of(device)

    def score() -> float:
        predicted = score_rows(model, dev_rows, padding_id=padding, device=where).argmax(axis=1)
        return accuracy(predicted, dev_labels)

    return fit(
        model, objective, data, settings, score=score, folder=work / "checkpoint", identity=identity, device=where,
        say=say,
    )  # fmt: skip


def labels_of(examples: Examples) -> np.ndarray:
    """Class index of each example `[n]`, int64; -1 throughout when they are unlabelled."""
    return np.asarray((-1,) * len(examples) if examples.labels is None else examples.labels, dtype=np.int64)


def encoder_hash(model: Classifier) -> str:
    """Hash of a model's weights and shape."""
    digest = hashlib.sha256(json.dumps(model.config.to_json(), sort_keys=True).encode())
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
