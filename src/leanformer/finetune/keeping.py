"""A trained adapter by itself, beside the model that it was merged into: in the folder format of the library peft."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from leanformer.artifact import is_artifact
from leanformer.errors import LeanformerError
from leanformer.finetune.tuned import Tuned
from leanformer.models.classifier import Classifier
from leanformer.models.hf.checkpoint import stock_form
from leanformer.models.hf.peft import is_adapter, write_adapter
from leanformer.models.store import find_checkpoint, start_classifier
from leanformer.outputs.folders import check_empty, foreign_output
from leanformer.outputs.place import folder_place
from leanformer.task import Task
from leanformer.train.adapters.ia3 import Ia3
from leanformer.train.adapters.kinds import adapter
from leanformer.train.adapters.lora import Lora
from leanformer.train.adapters.maps import HEAD, MapAdapter

_TASKS = {"ForSequenceClassification": "SEQ_CLS", "ForTokenClassification": "TOKEN_CLS"}


def check_keeping(value: str | None, encoder: str, task: Task, folder: Path, output: Path) -> None:
    """Raise `LeanformerError` unless the adapter `value` of `encoder` can be written to `folder`, beside `output`."""
    if value is None or not isinstance(adapter(value), MapAdapter):
        raise LeanformerError(
            f"--keep-adapter: {'no adapter is trained' if value is None else f'peft has no {value}'}\n"
            "  remedy: --adapter lora, dora or ia3"
        )
    if is_artifact(encoder) or is_adapter(Path(encoder)):
        raise LeanformerError(
            f"--keep-adapter: {encoder} is no checkpoint of transformers, which the adapter would belong to\n"
            "  remedy: leanformer export FOLDER --to transformers --output BASE first, and train BASE"
        )
    kept, made = folder.resolve(), output.resolve()
    if kept.is_relative_to(made) or made.is_relative_to(kept):
        raise LeanformerError(
            f"--keep-adapter: {folder} is, holds or is in the folder of the model, {output}\n  remedy: one beside it"
        )
    try:
        check_empty(folder)
        folder_place(folder)
    except LeanformerError as error:
        raise LeanformerError(str(error).replace("--output", "--keep-adapter")) from error
    stock_form(start_classifier(encoder, task)[0], task)


def write_kept(folder: Path, made: Tuned, encoder: str) -> None:
    """Write the adapter of `made`, merged into a model that started from `encoder`, to the new folder `folder`."""
    kind, model = made.adapter, made.model.cpu()
    assert isinstance(kind, MapAdapter)
    theirs, names, state = stock_form(model, made.task)
    stacked = {name.removesuffix(".weight"): [key.removesuffix(".weight") for key in ours]
               for name, ours in names.items() if name.endswith(".weight")}  # fmt: skip
    adapted = {name: ours for name, ours in stacked.items() if not kind.trained.keys().isdisjoint(ours)}
    own = {name: _in_peft(kind, ours, model) for name, ours in adapted.items()}
    head = {name: torch.cat([state[key] for key in ours]) for name, ours in names.items() if ours[0].startswith(HEAD)}
    ending = next((ending for ending in _TASKS if theirs["architectures"][0].endswith(ending)), "")
    config: dict[str, Any] = {"task_type": _TASKS.get(ending)}
    if isinstance(kind, Lora):
        ranks = {name: len(parts["lora_A.weight"]) for name, parts in own.items()}
        more = {name: rank for name, rank in ranks.items() if rank != kind.rank}
        config |= {
            "peft_type": "LORA", "r": kind.rank, "lora_alpha": kind.alpha, "lora_dropout": 0.0, "bias": "none",
            "use_dora": kind.directions, "rank_pattern": more,
            "alpha_pattern": {name: kind.alpha * rank / kind.rank for name, rank in more.items()},
        }  # fmt: skip
    else:
        inputs = [name for name, parts in own.items() if len(parts["ia3_l"]) == 1]
        config |= {"peft_type": "IA3", "feedforward_modules": inputs}
    named = os.path.abspath(encoder) if Path(encoder).is_dir() else encoder
    with foreign_output(folder) as temporary:
        write_adapter(temporary, config, own, head, named, find_checkpoint(encoder), theirs)


def _in_peft(kind: MapAdapter, ours: Sequence[str], model: Classifier) -> dict[str, Tensor]:
    """The parameters, by peft's names, of one of their maps, which holds the maps `ours` stacked by rows.

    The update of several low-rank ones is one of their ranks' sum; those that were not trained have none.
    """
    parts: list[Mapping[str, Tensor]] = [kind.trained.get(name, {}) for name in ours]
    weights = [model.get_parameter(f"{name}.weight") for name in ours]
    rows = [len(weight) for weight in weights]
    if isinstance(kind, Ia3):
        if ours[0].endswith(".down"):
            return {"ia3_l": parts[0]["factors"][None]}
        factors = [part.get("factors", torch.ones(count)) for part, count in zip(parts, rows, strict=True)]
        return {"ia3_l": torch.cat([factor.cpu() for factor in factors])[:, None]}
    blocks = [part["lora_b"].cpu() if part else torch.zeros(count, 0) for part, count in zip(parts, rows, strict=True)]
    found = {
        "lora_A.weight": torch.cat([part["lora_a"].cpu() for part in parts if part]),
        "lora_B.weight": torch.block_diag(*blocks),
    }
    if isinstance(kind, Lora) and kind.directions:
        lengths = [part["magnitude"].cpu() if part else weight.detach().norm(dim=1)
                   for part, weight in zip(parts, weights, strict=True)]  # fmt: skip
        found["lora_magnitude_vector"] = torch.cat(lengths)
    return found
