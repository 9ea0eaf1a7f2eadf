"""Reading and writing Hugging Face checkpoint folders of the mapped families, without unpickling."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from leanformer.answers.forms import form_of
from leanformer.errors import CheckpointError
from leanformer.files import write_json
from leanformer.models.classifier import Classifier
from leanformer.models.heads import token_head
from leanformer.models.hf import bert, distilbert, electra, modernbert, mpnet, roberta
from leanformer.models.hf.problem_types import PROBLEMS, form_named
from leanformer.models.hf.weights import read_weights, unwrapped, weight_shapes
from leanformer.models.tensors import save_tensors
from leanformer.tagging.schemes import types_of
from leanformer.task import Task

_MAPPINGS = (bert, roberta, distilbert, electra, mpnet, modernbert)
FAMILIES: dict[str, ModuleType] = {kind: module for module in _MAPPINGS for kind in module.MODEL_TYPES}
# Missing from a bare encoder's checkpoint; initialised at random, as in transformers.
_HEAD = "head."
_LAST = "head.classifier."
# Suffixes of the stock classes for text and token classification.
_SEQUENCES, _TOKENS = PROBLEMS["label"].stock, PROBLEMS["tags"].stock
# The last weight of a stock model that finds answers in a context.
_ANSWERS = "qa_outputs."
# The last weight in classifiers of other families.
_FOREIGN_LAST = (
    "classifier.weight", "classifier.out_proj.weight", "score.weight", "logits_proj.weight", "qa_outputs.weight",
)  # fmt: skip


def read_config_file(folder: Path) -> dict[str, Any]:
    """The folder's `config.json`. Raises `CheckpointError` if it is missing, not JSON, or without `model_type`."""
    path = folder / "config.json"
    if not path.is_file():
        raise CheckpointError(f"{folder}: no config.json\n  remedy: give a folder saved by `save_pretrained`")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not valid JSON ({error})\n  remedy: save or fetch it again") from error
    if not isinstance(value, dict) or not isinstance(value.get("model_type"), str):
        raise CheckpointError(f"{path}: no model_type\n  remedy: give a folder saved by `save_pretrained`")
    return value


def check_tags(labels: Sequence[str], source: object) -> None:
    """Raise `CheckpointError` if the labels of a token classifier are not entity tags."""
    try:
        types_of(labels)
    except ValueError as error:
        raise CheckpointError(
            f"{source}: a token classifier whose labels are no tags of entities: {error}\n"
            "  remedy: set id2label in its config.json to IOB2 tags; other labels of words are not built"
        ) from None


def classifier_config(folder: Path, config: Mapping[str, Any]) -> dict[str, Any] | None:
    """The folder's `config.json` if it holds a fine-tuned classifier; None for a bare encoder.

    If it names no class, the weights decide: in a mapped family, a classifier has all the weights of one. The returned
    configuration then names its class.
    """
    given = config.get("architectures")
    if given:
        stock = tuple(problem.stock for problem in PROBLEMS.values())
        return dict(config) if any(name.endswith(stock) for name in given) else None
    family = FAMILIES.get(config["model_type"])
    if family is None:
        raise CheckpointError(
            f"{folder}/config.json: it names no class (architectures), and the family {config['model_type']!r} is not "
            "mapped\n"
            '  remedy: write the class that was saved, such as "architectures": ["DebertaV2ForSequenceClassification"]'
        )
    spelled = _spelled(family, config, weight_shapes(folder))
    have = set(spelled.values())
    theirs = family.names(family.read_config(config, 2))
    head = {name for name, ours in theirs.items() if _as_tuple(ours)[0].startswith(_HEAD)}
    last = {name for name, ours in theirs.items() if _as_tuple(ours)[0].startswith(_LAST)}
    if not last & have and "classifier.weight" not in have:
        return None
    tags = bool(head - have) or (getattr(family, "DENSE_TOKEN_HEAD", False) and _are_tags(config))
    return {**config, "architectures": [f"{family.MODEL_TYPES[0]}{_TOKENS if tags else _SEQUENCES}"]}


def _are_tags(config: Mapping[str, Any]) -> bool:
    names = config.get("id2label")
    try:
        return isinstance(names, dict) and bool(types_of([str(name) for name in names.values()]))
    except ValueError:
        return False


def logits_of(folder: Path, config: Mapping[str, Any]) -> int | None:
    """The number of logits of the classifier in the folder, from its weights; None if it cannot be determined."""
    family, shapes = FAMILIES.get(config["model_type"]), weight_shapes(folder)
    if family is None:
        known = {shape[0] for name, shape in shapes.items() if name.endswith(_FOREIGN_LAST) and len(shape) == 2}
        return known.pop() if len(known) == 1 else None
    names = _token_names({}) if form_named(config) else family.names(family.read_config(config, 2))
    last = {name for name, ours in names.items() if _as_tuple(ours)[0] == f"{_LAST}weight"}
    return next((shapes[raw][0] for raw, name in _spelled(family, config, shapes).items() if name in last), None)


def _spelled(family: ModuleType, config: Mapping[str, Any], raw: Iterable[str]) -> dict[str, str | None]:
    """Each weight's name -> its name in the family's mapping file, None for a weight to ignore."""
    short = _unwrapped(family, config, raw)[0]
    return {name: _normalised(family, inner, bool(form_named(config))) for name, inner in short.items()}


def _normalised(family: ModuleType, name: str, answers: bool) -> str | None:
    """The weight's name in the family's mapping file. A head that finds `answers` is named as one that tags tokens."""
    if not name.startswith(_ANSWERS):
        return family.normalise(name)
    return f"classifier.{name.removeprefix(_ANSWERS)}" if answers else None


def _unwrapped(family: ModuleType, config: Mapping[str, Any], raw: Iterable[str]) -> tuple[dict[str, str], str]:
    theirs = family.names(family.read_config(config, 2))
    known = {None, *theirs, *_token_names(theirs)}
    return unwrapped(raw, lambda name: _normalised(family, name, True) in known)


def usable_positions(config: dict[str, Any], default: int) -> int:
    """The maximum input length in tokens of the model with this `config.json`; `default` if it does not say.

    For an unmapped family it is the size of the position table, which may slightly exceed what the model can use.
    """
    family = FAMILIES.get(config["model_type"])
    if family is None:
        return int(config.get("max_position_embeddings", default))
    return int(family.read_config(config, labels=2).positions)


def read_classifier(
    folder: Path, labels: int, *, tokens: bool = False, answers: bool = False, config: dict[str, Any] | None = None
) -> tuple[Classifier, list[str]]:
    """Read a checkpoint of a mapped family as a `Classifier` with `labels` logits per text, or per token with `tokens`.

    With `answers`, the head of a model that finds answers in a context is taken; otherwise it is ignored.
    `config` is the content of its `config.json`, if already read.

    Returns the model and the names of the parts that the checkpoint lacks and that are therefore initialised at random
    (the classifier of a bare encoder; its pooler, if it has none).
    Raises `CheckpointError` for an unmapped family, a missing or unknown weight, or a wrong shape.
    """
    theirs = read_config_file(folder) if config is None else config
    family = FAMILIES.get(theirs["model_type"])
    if family is None:
        raise CheckpointError(
            f"{folder}: the family {theirs['model_type']!r} is not mapped (mapped: {', '.join(sorted(FAMILIES))})"
        )
    ours_config = family.read_config(theirs, labels)
    names = family.names(ours_config)
    if tokens:
        if form_named(theirs):
            _check_token_head(family)
        # Weights found only in a sequence classifier's head are ignored; a token classifier's head has one map.
        passed_over = {name for name, ours in names.items() if _as_tuple(ours)[0].startswith(_HEAD)}
        ours_config, names = token_head(ours_config), _token_names(names)
        passed_over -= set(names)
    else:
        passed_over = set()
    model = Classifier(ours_config)
    state = model.state_dict()
    ours_by_theirs = names
    seen: set[str] = set()
    weights = read_weights(folder)
    short, prefix = _unwrapped(family, theirs, weights)
    if prefix:
        warnings.warn(
            f"{folder}: the weights are named without the prefix {prefix!r} of a wrapper around the model", stacklevel=2
        )
    for raw, tensor in weights.items():
        theirs_name = _normalised(family, short[raw], answers)
        if theirs_name is None or theirs_name in passed_over:
            continue
        ours = _as_tuple(ours_by_theirs.get(theirs_name, ()))
        if not ours:
            raise CheckpointError(
                f"{folder}: the weight {raw!r} has no place in a {theirs['model_type']} classifier\n"
                "  remedy: save the model itself with `save_pretrained`, not what it was wrapped in or built into"
            )
        rows = [state[key].shape[0] for key in ours]
        wanted = [sum(rows), *state[ours[0]].shape[1:]]
        if list(tensor.shape) != wanted:
            if ours[0].startswith("head.classifier"):
                continue  # another task's classifier: it is initialised at random
            raise CheckpointError(f"{folder}: {raw} has shape {list(tensor.shape)}, config.json asks for {wanted}")
        for key, part in zip(ours, tensor.to(torch.float32).split(rows), strict=True):
            state[key] = part
            seen.add(key)
    missing = [name for name in state if name not in seen]
    if wrong := [name for name in missing if not name.startswith(_HEAD)]:
        raise CheckpointError(
            f"{folder}: weights are missing, the first is {wrong[0]}\n"
            "  remedy: save the whole model with `save_pretrained`"
        )
    model.load_state_dict(state)
    return model, missing


def _check_token_head(family: ModuleType) -> None:
    if getattr(family, "DENSE_TOKEN_HEAD", False):
        raise CheckpointError(
            f"the stock token classifier of {family.MODEL_TYPES[0]} has a head that is not built\n"
            "  remedy: fine-tune the encoder here (leanformer train --task tokens), and keep the artifact"
        )


def _token_names(names: Mapping[str, str | tuple[str, ...]]) -> dict[str, str | tuple[str, ...]]:
    """The names of a token classifier's weights, from those of a sequence classifier of the family."""
    encoder = {theirs: ours for theirs, ours in names.items() if not _as_tuple(ours)[0].startswith(_HEAD)}
    return encoder | {f"classifier.{part}": f"head.classifier.{part}" for part in ("weight", "bias")}


def _as_tuple(ours: str | tuple[str, ...]) -> tuple[str, ...]:
    """Our names as a tuple: a family's single weight may hold several of ours, stacked by rows."""
    return (ours,) if isinstance(ours, str) else ours


def stock_form(model: Classifier, task: Task) -> tuple[dict[str, Any], dict[str, tuple[str, ...]], dict[str, Tensor]]:
    """`model` as a stock sequence or token classifier of its family.

    Returns its `config.json`, the stock name of each weight with our names of what is stacked in it, and the weights by
    our names.

    A score's scale is folded into the last layer, so that stock `transformers` returns scores on the original scale.
    `transformers` has no place for thresholds: they are written to `config.json` as `label_thresholds`, which it
    preserves and ignores. The same holds for learnt tag transitions, as `label_transitions` (see `Task.transitions`),
    and for the score that an answer needs, as `null_score_diff_threshold`, which it has with the sign of the score of
    no answer.

    Raises `CheckpointError` if the shape has no stock equivalent.
    """
    config = model.config
    family = FAMILIES[config.family]
    theirs, weights = family.write_config(config), family.names(config)
    as_stock = family.read_config(theirs, config.labels)
    problem = PROBLEMS[task.answer]
    if form_of(task).windowed is not None:
        _check_token_head(family)
        as_stock, weights = token_head(as_stock), _token_names(weights)
        theirs["architectures"] = [
            architecture.replace(_SEQUENCES, problem.stock) for architecture in theirs["architectures"]
        ]
    if as_stock != config:
        raise CheckpointError(
            f"a stock {config.family} has no option for what this model computes\n"
            "  remedy: keep it as a Leanformer artifact, or write it as ONNX"
        )
    if problem.stock in (_SEQUENCES, _TOKENS):
        names = task.labels or ("score",)
        theirs["id2label"] = {str(index): name for index, name in enumerate(names)}
        theirs["label2id"] = {name: index for index, name in enumerate(names)}
    else:
        weights = {name.replace("classifier.", _ANSWERS): ours for name, ours in weights.items()}
    if problem.name:
        theirs["problem_type"] = problem.name
    if task.no_answer is not None:
        theirs["null_score_diff_threshold"] = -task.no_answer
    if task.thresholds is not None:
        theirs["label_thresholds"] = dict(zip(task.labels, task.thresholds, strict=True))
    if task.transitions is not None:
        theirs["label_transitions"] = [list(row) for row in task.transitions]
    state = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    if task.scale is not None:
        offset, unit = task.scale
        state["head.classifier.weight"] = state["head.classifier.weight"] * unit
        state["head.classifier.bias"] = state["head.classifier.bias"] * unit + offset
    return theirs, {name: _as_tuple(ours) for name, ours in weights.items()}, state


def write_checkpoint(model: Classifier, task: Task, folder: Path) -> None:
    """Write `model` into `folder` as `stock_form` gives it, which it raises as. The caller adds the tokenizer."""
    theirs, weights, state = stock_form(model, task)
    folder.mkdir(parents=True, exist_ok=True)
    # Copies, since safetensors does not accept weights that share memory.
    copied = {name: torch.cat([state[key] for key in ours]) for name, ours in weights.items()}
    save_tensors(copied, folder / "model.safetensors", metadata={"format": "pt"})
    write_json(folder / "config.json", theirs)
