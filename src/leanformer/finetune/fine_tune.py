"""Fine-tune an encoder checkpoint for a task: what makes a teacher."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch

from leanformer.answers.forms import form_of
from leanformer.artifact import Artifact, open_artifact
from leanformer.data.dataset import Dataset
from leanformer.data.variety import require_variety
from leanformer.errors import DataError, LeanformerError
from leanformer.files import remove_folder, sha256_json, write_json
from leanformer.models.store import device_of, start_classifier, write_classifier
from leanformer.outputs.folders import new_output
from leanformer.progress import to_stdout
from leanformer.tokenizer import Tokenizer
from leanformer.train.fit import dev_result, encoder_hash, fit_classifier
from leanformer.train.objectives.chain import tag_chain
from leanformer.train.objectives.objective import LabelLoss, Supervised
from leanformer.train.settings import FitSettings
from leanformer.train.targets import labels_of, with_scale


def fine_tune(
    encoder: str,
    data: Dataset,
    output: Path,
    settings: FitSettings,
    *,
    max_tokens: int = 128,
    crf: bool = False,
    work: Path,
    device: str = "auto",
    say: Callable[[str], None] = to_stdout,
) -> Artifact:
    """Fine-tune `encoder` on the labels of `data.train`, keeping the weights that are best on `data.dev`.

    What the loss and the dev figure are depends on the task's answer; a scale or thresholds are kept in its artifact.

    Beside the artifact lie `training.json` and, where dev was taken out of train, `dev_rows.json` with the numbers
    of the rows, so that another program can be compared on the same division.

    Args:
        encoder: a Hugging Face folder or hub name of a mapped family, or one of our encoder artifacts.
        output: new folder of the artifact; not the encoder's, nor one above it.
        crf: of a model that tags words, learn which tag follows which too (see `objectives.chain`).
        work: folder of checkpoints; they are removed when the artifact is written, and it too if it is empty then.

    Raises `DataError` without a labelled train and dev split or with one label alone, `CheckpointError` for an encoder
    we cannot map, and `LeanformerError` where `output` would replace the encoder, the device is not there, or `crf` has
    no tags to learn.
    """
    if data.train is None:
        raise DataError(
            "training needs a labelled train split", path=data.name, remedy="give a train file whose rows have labels"
        )
    require_variety(data)
    if data.dev is None:
        raise DataError(
            "there is no dev split to choose the best epoch by, and none could be taken out of train",
            path=data.name,
            remedy="give a dev file, or more train rows: at least two texts of a label",
        )
    if Path(encoder).exists() and Path(encoder).resolve().is_relative_to(output.resolve()):
        raise LeanformerError(
            f"{output}: is or holds the encoder to start from; it will not be overwritten\n  remedy: another output"
        )
    loss = tag_chain(data.task, "train") if crf else LabelLoss(data.task.answer)
    device_of(device)  # a device that is not there is said now, not after the texts were tokenised
    torch.manual_seed(settings.seed)
    model, tokenizer_path, missing, positions = start_classifier(encoder, data.task)
    if missing:
        say(f"starting at random: {', '.join(missing)}")
    tokens = min(max_tokens, positions)
    tokenizer = Tokenizer(tokenizer_path, tokens)
    train = replace(data.train, task=with_scale(data.task, data.train))
    say(f"{len(train)} training texts, {len(data.dev)} dev texts, {data.task.kind}, {len(data.task.labels)} labels")
    cut = {"train": tokenizer.count_longer(train.inputs), "dev": tokenizer.count_longer(data.dev.inputs)}
    if form_of(data.task).per_word:
        cut = {}  # they are read in windows
    if any(cut.values()):
        shares = (f"{count} of {len(getattr(data, split))} {split} texts" for split, count in cut.items())
        say(f"note: {' and '.join(shares)} are longer than {tokens} tokens and get cut")
    result = fit_classifier(
        model, Supervised(loss), train.inputs, labels_of(train), replace(data.dev, task=train.task),
        tokenizer, settings,
        work=work, identity=sha256_json([encoder_hash(model), data.training_hash, tokens, *(["crf"] if crf else [])]),
        device=device, say=say, languages=train.languages,
    )  # fmt: skip
    entry = {
        "step": "train.fine_tune",
        "options": {
            "encoder": Path(encoder).name,
            "max_tokens": tokens,
            **settings.to_json(),
            **({"crf": True} if crf else {}),
        },
        "parent": None,
        "result": dev_result(result, train.task),
        "data": {"name": data.name, "training_hash": data.training_hash},
    }
    with new_output(output, say) as temporary:
        write_classifier(
            model, temporary, task=result.task, tokenizer=tokenizer_path, max_tokens=tokens, history=[entry]
        )
        # Time is a fact about this machine, so it lies beside the artifact and not in its content.
        write_json(temporary / "training.json", {"seconds": round(result.seconds, 1), **dev_result(result, train.task)})
        if data.dev_rows is not None:
            write_json(temporary / "dev_rows.json", {"taken_from": "train", "rows": list(data.dev_rows)})
    # Only what we put there: the folder may be one that somebody keeps other things in.
    remove_folder(work / "checkpoint")
    with suppress(OSError):
        work.rmdir()
    return open_artifact(output)
