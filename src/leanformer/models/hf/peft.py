"""Adapters in the folder format of the library peft: read and merged with their base model, and written.

A folder has `adapter_config.json` and `adapter_model.safetensors`: for a linear map X of the base `X.lora_A.weight`,
`X.lora_B.weight` and, of DoRA, `X.lora_magnitude_vector`; or `X.ia3_l`; and whole weights of modules that were trained,
such as the head. What is merged is W + s B A, m (W + s B A) / |W + s B A| by rows, or W with scaled rows or columns.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from leanformer.errors import CheckpointError
from leanformer.files import sha256_file, sha256_json, write_json
from leanformer.models.finite import check_finite
from leanformer.models.hf.checkpoint import read_config_file
from leanformer.models.hf.folders import refuse_pointer
from leanformer.models.hf.problem_types import PROBLEMS
from leanformer.models.hf.weights import read_weights, weight_files
from leanformer.models.tensors import save_tensors
from leanformer.strict_json import read_json

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PREFIX, _BASE_HASH = "base_model.model.", "base_sha256"
_OWN = re.compile(r"\.(lora_A|lora_B|lora_magnitude_vector|ia3_l)(?:\.default)?(?:\.weight)?$")
_MODULE = re.compile(r"\^?[\w.-]+")
_KINDS = ("LORA", "IA3")
# Options of LoRA for what is not a low-rank update of a linear map, or not one of the base model as it is.
_REFUSED = ("fan_in_fan_out", "layer_replication", "trainable_token_indices", "target_parameters", "lora_bias",
            "use_qalora", "alora_invocation_tokens", "arrow_config", "eva_config", "megatron_config")  # fmt: skip
_PLAIN_STARTS = (True, False, None, "gaussian", "orthogonal")
_CLASSES = {
    "SEQ_CLS": PROBLEMS["label"].stock, "TOKEN_CLS": PROBLEMS["tags"].stock, "QUESTION_ANS": PROBLEMS["span"].stock,
}  # fmt: skip
_TOKENIZER_FILES = re.compile(r"(tokenizer|vocab|merges|special_tokens_map|added_tokens|sentencepiece|spm).*")


def is_adapter(folder: Path) -> bool:
    """Whether the folder holds an adapter in this format."""
    return (folder / CONFIG).is_file()


def base_of(folder: Path, base: Path | None = None) -> Path:
    """The base model's folder: `base`, or the one that the adapter names, if it is on this machine.

    Raises `CheckpointError` if there is none.
    """
    named = _config(folder).get("base_model_name_or_path")
    if base is not None:
        return base
    for path in (Path(named), folder / named) if isinstance(named, str) and named else ():
        if os.path.isfile(path / "config.json"):  # no error for names that no file can have
            return path
    raise CheckpointError(
        f"{folder}: an adapter of {named or 'a base model that it does not name'!s:.200}, which is not a folder on "
        f"this machine\n  remedy: name its base: leanformer export {folder} --to transformers --base BASE "
        "--output merged, and give merged"
    )


def merge_adapter(folder: Path, output: Path, base: Path | None = None) -> Path:
    """Merge an adapter into its base model, and write a checkpoint folder of transformers to the new folder `output`.

    The tokenizer is the adapter's, if it has one, or the base's. Labels are those of a `config.json` beside the adapter
    or of the base.

    Raises `CheckpointError` for an adapter that is of another kind, or not of this base; nothing is unpickled.
    """
    config, base = _config(folder), base_of(folder, base)
    _check(folder, config)
    own, whole = _read(folder)
    beside = read_config_file(folder) if (folder / "config.json").is_file() else {}
    if beside.get(_BASE_HASH) not in (None, _hash(base)):
        raise CheckpointError(
            f"{folder}: an adapter of other weights than those in {base}\n  remedy: its own base model"
        )
    weights = read_weights(base)
    for module, parts in own.items():
        name = _name(f"{module}.weight", weights)
        if name is None:
            raise CheckpointError(
                f"{folder}: it changes {module}, which {base} does not have\n  remedy: the model that it was trained on"
            )
        try:
            weights[name], factors = _merged(weights[name].float(), parts, config, module)
        except (RuntimeError, ArithmeticError, TypeError, ValueError) as error:
            raise CheckpointError(
                f"{folder}: its update of {module} does not fit {name} of {base}, {list(weights[name].shape)} "
                f"({error})\n  remedy: the model that it was trained on"
            ) from error
        bias = _name(f"{module}.bias", weights)
        if factors is not None and bias is not None:
            weights[bias] = weights[bias].float() * factors
    for name, value in whole.items():
        weights[_name(name, weights) or name] = value
    output.mkdir(parents=True, exist_ok=True)
    for source in (base, folder):
        for path in source.iterdir():
            if path.is_file() and _TOKENIZER_FILES.fullmatch(path.name) and path.suffix in (".json", ".txt", ".model"):
                shutil.copyfile(path, output / path.name)
    copied = {name: value.clone().contiguous() for name, value in weights.items()}
    save_tensors(copied, output / "model.safetensors", {"format": "pt"})
    write_json(output / "config.json", _merged_config(config, base, beside, whole))
    return output


def merged_folder(folder: Path) -> Path:
    """A temporary folder with the merged model, removed at exit; see `merge_adapter`, which it raises as."""
    place = Path(_scratch().name) / sha256_json(stamps(folder))[:16]
    return place if (place / "config.json").is_file() else merge_adapter(folder, place)


def stamps(folder: Path) -> list[list[Any]]:
    """Name, size and time of change of each file of an adapter and its base; raises as `base_of`."""
    files = [path for directory in (folder, base_of(folder)) for path in sorted(directory.iterdir()) if path.is_file()]
    return [[str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns] for path in files]


@cache
def _scratch() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="leanformer-adapters-")


def write_adapter(
    folder: Path, config: Mapping[str, Any], own: Mapping[str, Mapping[str, Tensor]], head: Mapping[str, Tensor],
    named: str, base: Path, theirs: Mapping[str, Any],
) -> None:  # fmt: skip
    """Write an adapter's folder, with the `config.json` `theirs` of the tuned model beside it.

    Args:
        folder: exists and is empty. config: further values of `adapter_config.json`.
        named: the base's name there. base: its folder.
        own: module of the base -> parameters by peft's names. head: whole weights by name.
    """
    tensors = {f"{_PREFIX}{module}.{name}": value for module, parts in own.items() for name, value in parts.items()}
    tensors |= {f"{_PREFIX}{name}": value for name, value in head.items()}
    save_tensors(
        {name: value.cpu().contiguous() for name, value in tensors.items()}, folder / WEIGHTS, {"format": "pt"}
    )
    # peft saves the last part of a stock classifier whole, whatever else is named.
    modules = {"classifier" if name.startswith("classifier.") else name.rpartition(".")[0] for name in head}
    write_json(folder / CONFIG, {
        **config, "base_model_name_or_path": named, "target_modules": sorted(own), "modules_to_save": sorted(modules),
        "inference_mode": True,
    })  # fmt: skip
    write_json(folder / "config.json", {**theirs, _BASE_HASH: _hash(base)})


def _config(folder: Path) -> dict[str, Any]:
    try:
        value = read_json(folder / CONFIG)
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{folder / CONFIG}: not valid JSON ({error})\n  remedy: save or fetch it again"
        ) from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{folder / CONFIG}: no object with settings\n  remedy: save or fetch it again")
    return value


def _check(folder: Path, config: Mapping[str, Any]) -> None:
    elsewhere = (
        "  remedy: merge it where peft is installed (merge_and_unload, then save_pretrained), and give the result, "
        "with its tokenizer beside it"
    )
    if config.get("peft_type") not in _KINDS:
        raise CheckpointError(
            f"{folder}: an adapter of the kind {config.get('peft_type')!r}; read are {', '.join(_KINDS)}, with DoRA\n"
            + elsewhere
        )
    changed = [name for name in _REFUSED if config.get(name)]
    if config.get("init_lora_weights") not in _PLAIN_STARTS:
        changed.append("init_lora_weights")
    patterns = config.get("alpha_pattern")  # of peft's, regular expressions; read are those that name modules
    if not (patterns is None or (isinstance(patterns, dict) and all(map(_MODULE.fullmatch, patterns)))):
        changed.append("alpha_pattern")
    if changed:
        raise CheckpointError(
            f"{folder}: {changed[0]} is {config[changed[0]]!r:.60} in {CONFIG}, which is not built\n{elsewhere}"
        )
    if (folder / "adapter_model.bin").is_file() and not (folder / WEIGHTS).is_file():
        raise CheckpointError(
            f"{folder}: adapter_model.bin is a pickle, which can run code and is never opened\n"
            f"  remedy: load it with peft in a place you trust and save it again, which writes {WEIGHTS}"
        )


def _read(folder: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Tensor]]:
    """The parameters of each adapted module, by peft's names, and whole weights by name."""
    path = folder / WEIGHTS
    refuse_pointer(path)
    try:
        found = load_file(path)
    except Exception as error:  # the library raises its own error type without a stable base
        raise CheckpointError(f"{path}: not a whole safetensors file ({error})\n  remedy: save it again") from error
    if not found:
        raise CheckpointError(f"{path}: it holds nothing\n  remedy: save the adapter again, after its training")
    check_finite(found, path, CheckpointError)
    own: dict[str, dict[str, Tensor]] = defaultdict(dict)
    whole: dict[str, Tensor] = {}
    for raw, value in found.items():
        name = raw.removeprefix(_PREFIX)
        if matched := _OWN.search(name):
            own[name[: matched.start()].removesuffix(".base_layer")][matched[1]] = value.float()
        elif "lora_" in name or "ia3_" in name or not name.endswith((".weight", ".bias")):
            raise CheckpointError(f"{path}: {raw} is no update of a linear map\n  remedy: an adapter of linear maps")
        else:
            name = name.replace(".modules_to_save.default.", ".").replace(".base_layer.", ".")
            whole[name] = value
    return own, whole


def _name(name: str, weights: Mapping[str, Tensor]) -> str | None:
    """The weight of the base with this name, which one of them may have with a prefix; None if there is none."""
    if name in weights:
        return name
    found = [key for key in weights if key.endswith(f".{name}") or (key.count(".") > 1 and name.endswith(f".{key}"))]
    return found[0] if len(found) == 1 else None


def _merged(
    weight: Tensor, parts: Mapping[str, Tensor], config: Mapping[str, Any], module: str
) -> tuple[Tensor, Tensor | None]:
    """The merged weight `[out, in]`, and what a bias is multiplied by; another error for parts that do not fit."""
    expected = {"ia3_l"} if config["peft_type"] == "IA3" else {"lora_A", "lora_B"}
    expected |= {"lora_magnitude_vector"} if config.get("use_dora") else set()
    if parts.keys() != expected:
        raise RuntimeError(f"it has {', '.join(sorted(parts))} and not {', '.join(sorted(expected))}")
    if "ia3_l" in parts:
        factors = parts["ia3_l"]
        if factors.numel() != weight.shape[0 if factors.shape[-1] == 1 else 1]:
            raise RuntimeError(f"{factors.numel()} factors")
        return weight * factors, factors.flatten() if factors.shape[-1] == 1 else None
    update = _scaling(config, module, parts) * (parts["lora_B"] @ parts["lora_A"])
    lengths = parts.get("lora_magnitude_vector", weight.new_empty(len(weight)))
    if update.shape != weight.shape or lengths.numel() != len(weight):  # nothing is repeated to fit
        raise RuntimeError(f"an update of {list(update.shape)} and {lengths.numel()} rows")
    update += weight
    if "lora_magnitude_vector" in parts:
        update *= (lengths.flatten() / update.norm(dim=1).clamp_min(1e-12))[:, None]
    return update, None


def _scaling(config: Mapping[str, Any], module: str, parts: Mapping[str, Tensor]) -> float:
    patterns = dict(config.get("alpha_pattern") or {})
    fitting = (value for key, value in patterns.items() if module == key.lstrip("^") or module.endswith(f".{key}"))
    alpha = next(fitting, config.get("lora_alpha", 8))
    rank = parts["lora_A"].shape[0]
    return float(alpha) / (rank**0.5 if config.get("use_rslora") else rank)


def _merged_config(
    config: Mapping[str, Any], base: Path, beside: Mapping[str, Any], whole: Mapping[str, Tensor]
) -> dict[str, Any]:
    """The `config.json` of the merged model: the base's, with the class and the labels that the adapter is for."""
    theirs = read_config_file(base)
    ending = _CLASSES.get(str(config.get("task_type")))
    if ending and not any(str(name).endswith(ending) for name in theirs.get("architectures") or ()):
        theirs["architectures"] = [f"{theirs['model_type']}{ending}"]
    labels = ("id2label", "label2id", "num_labels", "problem_type")
    if beside:
        return {**{k: v for k, v in theirs.items() if k not in labels}, **{k: beside[k] for k in labels if k in beside}}
    last = [value.shape[0] for name, value in whole.items() if name.startswith(("classifier.", "score.", "qa_outputs."))
            and name.endswith(("classifier.weight", "out_proj.weight", "score.weight", "outputs.weight"))]  # fmt: skip
    if last and last[0] != len(theirs.get("id2label") or ("", "")):
        return {**{k: v for k, v in theirs.items() if k not in labels}, "num_labels": last[0]}
    return theirs


def _hash(base: Path) -> str:
    digest = hashlib.sha256()
    for path in weight_files(base):
        digest.update(sha256_file(path).encode())
    return digest.hexdigest()
