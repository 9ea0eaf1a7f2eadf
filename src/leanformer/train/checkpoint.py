"""Training state on disk: safetensors and JSON, never a pickle; written so that a kill leaves the last one whole."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from leanformer.files import new_folder, restore_folder, write_json


@dataclass
class Progress:
    """Where a run stands: `step` optimiser steps of `epoch` are done; scores are dev scores, highest best."""

    fingerprint: str
    epoch: int = 0
    step: int = 0
    best: float | None = None
    best_epoch: int = -1
    scores: tuple[float, ...] = ()
    seconds: float = 0.0
    finished: bool = False


def save(
    folder: Path,
    *,
    progress: Progress,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    best: dict[str, Tensor] | None,
) -> None:
    """Replace the checkpoint in `folder` by the present state, random generators included."""
    with new_folder(folder) as temporary:
        save_file(_plain(model.state_dict()), temporary / "model.safetensors")
        flat, scalars = _flatten(optimizer.state_dict())
        save_file(flat, temporary / "optimizer.safetensors")
        if best is not None:
            save_file(_plain(best), temporary / "best.safetensors")
        generators = {"cpu": torch.get_rng_state()}
        if torch.cuda.is_available():
            generators["cuda"] = torch.cuda.get_rng_state()
        save_file(generators, temporary / "random.safetensors")
        write_json(temporary / "state.json", {"progress": asdict(progress), "optimizer": scalars})


def load(
    folder: Path, fingerprint: str, *, model: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[Progress, dict[str, Tensor] | None] | None:
    """Put the state saved in `folder` back; None when there is none, or when it is of another run."""
    restore_folder(folder)
    if not (folder / "state.json").is_file():
        return None
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    progress = Progress(**state["progress"])
    progress.scores = tuple(progress.scores)
    if progress.fingerprint != fingerprint:
        return None
    model.load_state_dict(load_file(folder / "model.safetensors"))
    optimizer.load_state_dict(_unflatten(load_file(folder / "optimizer.safetensors"), state["optimizer"]))
    generators = load_file(folder / "random.safetensors")
    torch.set_rng_state(generators["cpu"])
    if "cuda" in generators and torch.cuda.is_available():
        torch.cuda.set_rng_state(generators["cuda"])
    best = folder / "best.safetensors"
    return progress, load_file(best) if best.is_file() else None


def _plain(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().contiguous() for name, value in state.items()}


def _flatten(state: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimiser's state as flat tensors and the JSON rest."""
    tensors = {
        f"{index}/{name}": value.detach().cpu().contiguous()
        for index, values in state["state"].items()
        for name, value in values.items()
    }
    return tensors, {"param_groups": state["param_groups"]}


def _unflatten(tensors: dict[str, Tensor], scalars: dict[str, Any]) -> dict[str, Any]:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split("/", 1)
        state.setdefault(int(index), {})[name] = value
    groups = [{k: tuple(v) if k == "betas" else v for k, v in group.items()} for group in scalars["param_groups"]]
    return {"state": state, "param_groups": groups}
