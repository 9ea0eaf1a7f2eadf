"""Diagnosis of a folder or file that is not a complete checkpoint: what it is, and what the user can do.

Only names, the first bytes of a file and JSON are examined; a pickle is never opened.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from leanformer.errors import CheckpointError

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
_LFS = b"version https://git-lfs"
_SAVE = "load the model with transformers in a place you trust and save it again with `save_pretrained`"
# Weights that are not read: file suffix, description, and how to obtain weights that are.
_OTHER_WEIGHTS = {
    ".bin": ("a pickle, which can run code", f"{_SAVE}, which writes safetensors"),
    ".pt": ("a pickle, which can run code", f"{_SAVE}, which writes safetensors"),
    ".pth": ("a pickle, which can run code", f"{_SAVE}, which writes safetensors"),
    ".ckpt": ("a pickle, which can run code", f"{_SAVE}, which writes safetensors"),
    ".pkl": ("a pickle, which can run code", f"{_SAVE}, which writes safetensors"),
    ".h5": ("TensorFlow's", "convert them with transformers 4 (from_pretrained(..., from_tf=True), save_pretrained)"),
    ".msgpack": ("Flax's", "convert them with transformers 4 (from_pretrained(..., from_flax=True), save_pretrained)"),
    ".gguf": ("GGUF, quantised for language models", "give the checkpoint that they were made from"),
    ".onnx": ("an ONNX graph, which cannot be trained or cut", "give the checkpoint that it was exported from"),
    ".pb": ("TensorFlow's", "convert them with transformers 4 (from_pretrained(..., from_tf=True), save_pretrained)"),
}
_NO_CLASSIFIERS = {
    "ForCausalLM": "a causal language model", "LMHeadModel": "a causal language model",
    "ForConditionalGeneration": "a model that generates text", "ForSeq2SeqLM": "a model that generates text",
    "ForMultipleChoice": "a model of multiple choice",
}  # fmt: skip


def check_file(path: Path) -> None:
    """Raise `CheckpointError` for a file where a folder is required; the message says what the file is."""
    if not path.is_file():
        return
    if zipfile.is_zipfile(path) and path.suffix.lower() not in _OTHER_WEIGHTS:
        raise CheckpointError(f"{path}: a zip file, not a folder\n  remedy: unpack it, and give the folder in it")
    what, remedy = _OTHER_WEIGHTS.get(path.suffix.lower(), ("", ""))
    if what:
        raise CheckpointError(f"{path}: a file, not a folder; it is {what}\n  remedy: {remedy}; then give that folder")
    inside = f"{path.parent}, the folder that it lies in" if (path.parent / "config.json").is_file() else "a folder"
    raise CheckpointError(f"{path}: a file, not a folder saved by `save_pretrained`\n  remedy: give {inside}")


def check_folder(folder: Path, *, classifier: bool) -> None:
    """Raise `CheckpointError` for a folder that is recognisably no checkpoint, or one of another kind.

    Args:
        classifier: require a fine-tuned classifier; otherwise the encoder inside one is enough.
    """
    if not any(folder.iterdir()):
        raise CheckpointError(f"{folder}: an empty folder\n  remedy: give a folder saved by `save_pretrained`")
    if classifier and any((folder / name).is_file() for name in ("config_setfit.json", "model_head.pkl")):
        raise CheckpointError(
            f"{folder}: a SetFit model; its head, model_head.pkl, is a pickle, which is never opened\n"
            "  remedy: label texts with it where setfit is installed, SetFitModel.from_pretrained(...).predict(texts), "
            f"then train on them: leanformer train DATA --encoder {folder} --output teacher"
        )
    if not (folder / "config.json").is_file():
        _without_config(folder)
    for name in ("config.json", "tokenizer.json", WEIGHTS):
        refuse_pointer(folder / name)


def check_config(folder: Path, config: Mapping[str, Any], *, classifier: bool) -> None:
    """Raise `CheckpointError` if `config.json` describes a model that cannot be imported, whatever its weights."""
    if config.get("quantization_config"):
        method = config["quantization_config"]
        method = method.get("quant_method") if isinstance(method, Mapping) else method
        raise CheckpointError(
            f"{folder}: its weights are quantised (quantization_config in config.json: {method})\n"
            "  remedy: give the checkpoint that it was quantised from; what is saved here is made int8 anyway"
        )
    architectures = config.get("architectures") or []
    if not isinstance(architectures, list) or not all(isinstance(name, str) for name in architectures):
        raise CheckpointError(
            f"{folder}/config.json: architectures is {architectures!r:.60}, and not a list of names\n"
            '  remedy: write the class that was saved, such as ["BertForSequenceClassification"]'
        )
    for name in architectures if classifier else ():
        for ending, what in _NO_CLASSIFIERS.items():
            if name.endswith(ending):
                raise CheckpointError(
                    f"{folder}: {what} ({name}), not a fine-tuned classifier\n"
                    "  remedy: give a model of the class ...ForSequenceClassification, ...ForTokenClassification or "
                    "...ForQuestionAnswering, or fine-tune an encoder here: leanformer train DATA --encoder NAME "
                    "--output teacher"
                )


def refuse_pointer(path: Path) -> None:
    """Raise `CheckpointError` if the file is a Git LFS pointer."""
    if path.is_file() and path.stat().st_size < 1024 and path.read_bytes().startswith(_LFS):
        raise CheckpointError(
            f"{path}: a pointer of git-lfs, not the file itself\n  remedy: run `git lfs pull` in {path.parent}"
        )


def no_weights(folder: Path) -> CheckpointError:
    """The error for a folder with a configuration but no readable weights; it says what the folder has instead."""
    others = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in _OTHER_WEIGHTS)
    others = [path for path in others if path.name not in ("training_args.bin", "optimizer.pt", "scheduler.pt")]
    named = sorted(path.name for path in folder.glob("*.safetensors") if path.name != "adapter_model.safetensors")
    if (folder / "saved_model.pb").is_file() or (folder / "onnx").is_dir():
        others.append(folder / ("saved_model.pb" if (folder / "saved_model.pb").is_file() else "onnx/model.onnx"))
    if len(named) == 1:
        return CheckpointError(
            f"{folder}: no safetensors weights under the name that transformers gives them, {WEIGHTS}; there is "
            f"{named[0]}\n  remedy: if that is the whole model, rename it to {WEIGHTS}"
        )
    if named:
        return CheckpointError(
            f"{folder}: no safetensors weights that are whole: {len(named)} parts and no {INDEX}\n"
            "  remedy: fetch that file too, or save the model again with `save_pretrained`"
        )
    if others:
        what, remedy = _OTHER_WEIGHTS[others[0].suffix.lower()]
        if others[0].suffix == ".bin" and others[0].with_suffix(".xml").is_file():
            what, remedy = "a model of OpenVINO's", "give the checkpoint that it was exported from"
        return CheckpointError(
            f"{folder}: no safetensors weights; {others[0].relative_to(folder)} is {what}; Leanformer reads "
            f"safetensors only\n  remedy: {remedy}"
        )
    return CheckpointError(f"{folder}: no safetensors weights\n  remedy: save it again with `save_pretrained`")


def _without_config(folder: Path) -> None:
    """Raise `CheckpointError`, saying where in or near the folder the checkpoint may be."""
    kept = sorted(
        (int(found[1]), path)
        for path in folder.iterdir()
        if (found := re.fullmatch(r"checkpoint-(\d+)", path.name)) and (path / "config.json").is_file()
    )
    if kept:
        best = _best(folder, [path for _, path in kept])
        names = ", ".join(path.name for _, path in kept)
        raise CheckpointError(
            f"{folder}: no config.json; it is what a Trainer leaves, with {names} in it\n"
            f"  remedy: give {best or kept[-1][1]}, {'its best one' if best else 'its last one'}"
        )
    if (folder / "modules.json").is_file():
        encoder = next((path for path in sorted(folder.glob("0_*")) if (path / "config.json").is_file()), None)
        where = f"; its encoder is in {encoder.name}" if encoder else ""
        raise CheckpointError(
            f"{folder}: no config.json; it is a sentence encoder (sentence-transformers){where}\n"
            f"  remedy: for a classifier give {encoder or 'a fine-tuned model'}, fine-tuned if it is not; for vectors: "
            f"leanformer embedder {folder}"
        )
    if (refs := folder / "snapshots").is_dir() and (whole := _holding(refs)):
        raise CheckpointError(f"{folder}: no config.json; it is a cache of the hub\n  remedy: give {whole[-1]}")
    if within := _holding(folder):
        raise CheckpointError(
            f"{folder}: no config.json; there is one in {', '.join(path.name for path in within)}\n"
            f"  remedy: give {within[0]}" + (", or another of them" if within[1:] else "")
        )
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix.lower() in _OTHER_WEIGHTS:
            what, remedy = _OTHER_WEIGHTS[path.suffix.lower()]
            raise CheckpointError(f"{folder}: no config.json; {path.name} is {what}\n  remedy: {remedy}")
        if path.is_file() and zipfile.is_zipfile(path):
            raise CheckpointError(
                f"{folder}: no config.json; {path.name} is a zip file\n  remedy: unpack it, and give the folder in it"
            )
    raise CheckpointError(f"{folder}: no config.json\n  remedy: give a folder saved by `save_pretrained`")


def _holding(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if (path / "config.json").is_file()]


def _best(folder: Path, kept: list[Path]) -> Path | None:
    """The checkpoint that the Trainer recorded as best, if it did and the folder exists."""
    said = _object(kept[-1] / "trainer_state.json").get("best_model_checkpoint")
    name = re.split(r"[/\\]", said)[-1] if isinstance(said, str) else ""
    return next((path for path in kept if path.name == name), None)


def _object(path: Path) -> Mapping[str, Any]:
    """The JSON object in a file; empty if there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
