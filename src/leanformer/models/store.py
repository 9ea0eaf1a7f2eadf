"""Classifiers as artifacts: writing ours, reading both formats, and importing checkpoints."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from leanformer.answers.forms import form_of
from leanformer.artifact import Artifact, is_artifact, open_artifact, write_manifest
from leanformer.data.matching import are_placeholders, match_in_order
from leanformer.errors import ArtifactError, CheckpointError, LeanformerError, MissingExtraError
from leanformer.exits import Exits
from leanformer.files import write_json
from leanformer.formats import format_of
from leanformer.inputs.kinds import input_of
from leanformer.models.classifier import Classifier
from leanformer.models.heads import HEADS
from leanformer.models.hf.checkpoint import (
    FAMILIES,
    check_tags,
    classifier_config,
    logits_of,
    read_classifier,
    read_config_file,
    usable_positions,
)
from leanformer.models.hf.folders import check_config, check_file, check_folder
from leanformer.models.hf.labels import label_names
from leanformer.models.hf.peft import is_adapter, merged_folder
from leanformer.models.hf.problem_types import form_named, is_stock_of, kind_of
from leanformer.models.hf.stock import compare_from_text, stock_model
from leanformer.models.hf.tokenizer import AWKWARD, longest_input, stock_tokenizer, tokenizer_file
from leanformer.models.reading import check_agreement, read_config, read_weights
from leanformer.models.scoring import score_rows
from leanformer.models.writing import TOKENIZER, write_module
from leanformer.outputs.folders import new_artifact
from leanformer.shapes.encoder import ENCODER, EncoderConfig
from leanformer.task import BUILT, Task, Text
from leanformer.tokenizer import Tokenizer, truncation_side
from leanformer.tokenizer_file.read import read_tokenizer

CONFIG = "encoder.json"
# Files of a Hugging Face folder that are copied into an artifact of format "transformers". No code, no pickles.
_TAKEN = ("*.json", "*.safetensors", "*.txt", "*.model")


def write_classifier(
    model: Classifier,
    folder: Path,
    *,
    task: Task,
    tokenizer: Path,
    max_tokens: int,
    history: Sequence[Mapping[str, Any]],
    exits: Exits | None = None,
) -> Artifact:
    """Write `model` as an artifact of format "encoder" into the new folder `folder`.

    `tokenizer` is the `tokenizer.json` to copy, `exits` are its early exits. Raises `ValueError` if the task's number
    of outputs differs.
    """
    if task.outputs != model.config.labels:
        raise ValueError(f"a task with {task.outputs} outputs ({task.kind}) for {model.config.labels} logits")
    return write_module(
        model, folder, format="encoder", config=CONFIG, task=task, tokenizer=tokenizer, max_tokens=max_tokens,
        history=history, exits=exits,
    )  # fmt: skip


def read_model(artifact: Artifact) -> Classifier:
    """The `Classifier` of an artifact of format "encoder", in eval mode."""
    if not format_of(artifact).layers:
        raise ArtifactError(
            f"{artifact.path}: format {artifact.format!r} holds no encoder weights to train or change\n"
            "  remedy: give an artifact of format encoder, as `leanformer train` writes"
        )
    config = read_config(artifact, CONFIG, ENCODER, EncoderConfig.from_json)
    check_agreement(
        artifact, CONFIG, labels=config.labels, fits=HEADS[artifact.task.answer].fits(config.head),
        padding_id=config.padding_id, vocabulary=config.vocabulary, positions=config.positions,
    )  # fmt: skip
    return read_weights(artifact, lambda: Classifier(config)).eval()


def find_checkpoint(name: str) -> Path:
    """A local folder for `name`: the folder itself, or the hub repository of that name, downloaded.

    For a folder with an adapter (see `hf.peft`) it is one with the merged model, which is removed at exit.

    Raises `CheckpointError` if it is neither, or a file; `MissingExtraError` if the hub library is not installed.
    """
    if Path(name).is_dir():
        return merged_folder(Path(name)) if is_adapter(Path(name)) else Path(name)
    check_file(Path(name))
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise CheckpointError(f"{name}: no such folder\n  remedy: give a model folder or a hub name such as org/model")
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingExtraError("fetching a model from the hub", "train") from error
    try:
        return Path(snapshot_download(name, allow_patterns=list(_TAKEN)))
    except Exception as error:  # offline, unknown, gated: the hub library raises many types, with one remedy
        raise CheckpointError(
            f"{name}: neither a folder nor a hub model that can be reached ({type(error).__name__})\n"
            "  remedy: check the name, or fetch it elsewhere and give the folder"
        ) from error


def own_labels(source: Path, *, pairs: bool = False) -> tuple[tuple[str, ...], str]:
    """The label names of a checkpoint folder's logits, and its kind of task.

    Raises `CheckpointError` if it is not a fine-tuned classifier.
    """
    return _understood(source, pairs)[1:]


def _understood(source: Path, pairs: bool) -> tuple[dict[str, Any], tuple[str, ...], str]:
    """The `config.json` of a fine-tuned classifier, and the results of `own_labels`."""
    check_folder(source, classifier=True)
    given = read_config_file(source)
    check_config(source, given, classifier=True)
    if (config := classifier_config(source, given)) is None:
        raise CheckpointError(
            f"{source}: not a fine-tuned sequence classifier (architectures: {given.get('architectures')})\n"
            f"  remedy: fine-tune it first: leanformer train DATA --encoder {source} --output teacher"
        )
    nameless = {kind.answer for kind in BUILT.values() if not kind.named}
    own = () if form_named(config) in nameless else label_names(config, source, logits_of(source, config))
    return config, own, kind_of(config, len(own), pairs=pairs, source=source)


def max_tokens_of(config: dict[str, Any], limit: int, said: int | None = None) -> int:
    """The maximum input length: `limit`, or less if the model has fewer positions or its tokenizer `said` so."""
    return min(limit, usable_positions(config, limit), limit if said is None else said)


def import_checkpoint(
    name: str,
    folder: Path,
    *,
    max_tokens: int = 128,
    labels: Sequence[str] | None = None,
    pairs: bool = False,
    texts: Sequence[Text] = (),
    named: Task | None = None,
) -> Artifact:
    """Import a fine-tuned sequence or token classifier as an artifact in the new folder `folder`.

    `name` is one of our artifacts (returned unchanged), a Hugging Face folder, or a hub name. A mapped family
    becomes format "encoder"; any other is copied as format "transformers" and can serve as a teacher.

    Args:
        labels: the data's label names. They replace the names of a checkpoint that has only placeholders (LABEL_0,
            ...):
            by number if all are integers, otherwise in this order, which must be that of the logits. The history
            records the assignment, as the option `labels_matched` of the import.
        pairs: whether it was fine-tuned on pairs of texts, which a checkpoint does not record.
        texts: typical inputs; their tokens and logits are compared with those of `transformers`.
        named: its task, if its label names were already determined; it is used unchanged.

    Raises `CheckpointError` if it is not a fine-tuned classifier, or if its labels are not the data's.
    """
    if is_artifact(name):
        return open_artifact(name)
    source = find_checkpoint(name)
    config, own, kind = _understood(source, pairs)
    task = named or Task(kind, match_in_order(own, labels, source) if BUILT[kind].named else ())
    if form_of(task).per_word:
        check_tags(task.labels, source)
    options: dict[str, Any] = {"source": Path(name).name, "family": config["model_type"]}
    if task.labels and task.labels != own and (named is not None or are_placeholders(own)):
        options["labels_matched"] = dict(zip(own, task.labels, strict=True))
    origin = {"step": "import", "options": options, "parent": None}
    tokens = max_tokens_of(config, max_tokens, longest_input(source))
    if config["model_type"] in FAMILIES:
        each = form_of(task).windowed is not None
        model, missing = read_classifier(source, task.outputs, tokens=each, answers=each, config=config)
        if missing:
            raise CheckpointError(
                f"{source}: said to be fine-tuned, but it lacks the weight {missing[0]}\n"
                "  remedy: save the whole model with `save_pretrained`"
            )
        tokenizer = tokenizer_file(source, model.config.vocabulary, texts=texts)
        _compare(model.eval(), tokenizer, texts, task, tokens, source)
        return write_classifier(model, folder, task=task, tokenizer=tokenizer, max_tokens=tokens, history=[origin])
    rows = config.get("vocab_size")
    tokenizer = tokenizer_file(source, rows if isinstance(rows, int) else None, texts=texts)
    with new_artifact(folder) as temporary:
        for pattern in _TAKEN:
            for path in sorted(source.glob(pattern)):
                shutil.copyfile(path, temporary / path.name)
        if not list(temporary.glob("*.safetensors")):
            raise CheckpointError(f"{source}: no safetensors weights\n  remedy: save it again with `save_pretrained`")
        shutil.copyfile(tokenizer, temporary / TOKENIZER)
        write_manifest(temporary, format="transformers", task=task, max_tokens=tokens, history=(origin,))
    return open_artifact(folder)


def _compare(
    model: Classifier, tokenizer: Path, texts: Sequence[Text], task: Task, max_tokens: int, source: Path
) -> None:
    """Compare logits with those of the checkpoint's own library, if that can read the complete folder."""
    theirs = stock_tokenizer(source)
    stock = None if theirs is None else stock_model(source, task)
    if stock is None:
        return
    ours = Tokenizer(tokenizer, max_tokens)
    compare_from_text(
        lambda chosen: score_rows(
            model, ours.encode(chosen), padding_id=model.config.padding_id, device=torch.device("cpu")
        ),
        stock, theirs, texts or (list(pairwise(AWKWARD)) if input_of(task).paired else AWKWARD),
        max_tokens=max_tokens, source=source,
    )  # fmt: skip


def start_classifier(name: str, task: Task) -> tuple[Classifier, Path, list[str], int]:
    """A `Classifier` to fine-tune for `task`, from an encoder checkpoint or one of our encoder artifacts.

    Returns the model, its tokenizer file, the names of the randomly initialised parts, and its number of positions.
    The caller must seed torch beforehand, for those parts.
    """
    if is_artifact(name):
        artifact = open_artifact(name)
        model = read_model(artifact)
        if artifact.task.question != task.question:
            head = HEADS[task.answer]
            config = model.config if head.fits(model.config.head) else head.fresh(model.config)
            fresh = Classifier(replace(config, labels=task.outputs))
            fresh.encoder.load_state_dict(model.encoder.state_dict())
            return fresh, artifact.file(TOKENIZER), ["head"], model.config.positions
        return model, artifact.file(TOKENIZER), [], model.config.positions
    source = find_checkpoint(name)
    check_folder(source, classifier=False)
    theirs = read_config_file(source)
    check_config(source, theirs, classifier=False)
    answers = is_stock_of(task.answer, theirs)
    model, missing = read_classifier(source, task.outputs, tokens=form_of(task).windowed is not None, answers=answers)
    return model, tokenizer_file(source, model.config.vocabulary), missing, model.config.positions


def device_of(name: str) -> torch.device:
    """The device for "auto" (CUDA if available), "cpu", "cuda" or, with several GPUs, "cuda:NUMBER".

    Raises `LeanformerError` for any other name, and for a GPU that does not exist.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    match = re.fullmatch(r"cuda(?::([0-9]+))?", name)
    if match is None:
        raise LeanformerError(f"unknown device {name!r}\n  remedy: one of auto, cpu, cuda")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(match[1] or 0) >= count:
        raise LeanformerError(
            f"device {name!r}: PyTorch sees {count or 'no'} GPU{'s' if count > 1 else ''} here\n"
            "  remedy: use cpu, or auto, which takes what is available; for a GPU install PyTorch's build for CUDA"
        )
    return torch.device(name)


def write_tokenizer_config(artifact: Artifact, folder: Path) -> None:
    """Write the `tokenizer_config.json` that stock transformers needs for the `tokenizer.json` in the same folder."""
    tokenizer = read_tokenizer(artifact.file(TOKENIZER)).library
    encoder = read_config(artifact, CONFIG, ENCODER, EncoderConfig.from_json)
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": artifact.max_tokens,
        "pad_token": tokenizer.id_to_token(encoder.padding_id),
    }
    if truncation_side(tokenizer) == "left":
        config["truncation_side"] = "left"
    # By default a fast tokenizer returns no token types, and stock models of other families do not accept them.
    types = ["token_type_ids"] if encoder.reads_token_types else []
    config["model_input_names"] = ["input_ids", *types, "attention_mask"]
    for role, spellings in _SPECIAL.items():
        present = [spelling for spelling in spellings if tokenizer.token_to_id(spelling) is not None]
        if present:
            config[role] = present[0]
    write_json(folder / "tokenizer_config.json", config)


_SPECIAL = {
    "cls_token": ("[CLS]", "<s>"),
    "sep_token": ("[SEP]", "</s>"),
    "unk_token": ("[UNK]", "<unk>"),
    "mask_token": ("[MASK]", "<mask>"),
}
