"""Training state on disk: safetensors and JSON, never a pickle.

Written so that a kill leaves the last one whole, and with a hash of each file: one that was damaged since is not taken
up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from leanformer.files import new_folder, restore_folder
from leanformer.kept import damaged, described, differing, keep, kept
from leanformer.models.tensors import save_tensors

_STATE = "state.json"
_AGAIN = "this training begins again"


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
        save_tensors(_plain(model.state_dict()), temporary / "model.safetensors")
        flat, scalars = _flatten(optimizer.state_dict())
        save_tensors(flat, temporary / "optimizer.safetensors")
        if best is not None:
            save_tensors(_plain(best), temporary / "best.safetensors")
        generators = {"cpu": torch.get_rng_state()}
        if torch.cuda.is_available():
            generators["cuda"] = torch.cuda.get_rng_state()
        save_tensors(generators, temporary / "random.safetensors")
        state = {"progress": asdict(progress), "optimizer": scalars, "files": described(temporary)}
        keep(temporary / _STATE, state)


def load(
    folder: Path,
    fingerprint: str,
    *,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    say: Callable[[str], None] = lambda line: None,
) -> tuple[Progress, dict[str, Tensor] | None] | None:
    """Put the state saved in `folder` back; None when there is none, or when it is of another run.

    None too where a file of it was damaged, of which `say` is told; nothing is put back then.
    """
    restore_folder(folder)
    state = kept(folder / _STATE, say, again=_AGAIN)
    if state is None:
        if folder.is_dir() and not (folder / _STATE).exists() and any(folder.iterdir()):
            damaged(folder / _STATE, say, again=_AGAIN, how="missing")
        return None
    progress = Progress(**state["progress"])
    progress.scores = tuple(progress.scores)
    if progress.fingerprint != fingerprint:
        return None
    if (wrong := differing(folder, state["files"])) is not None:
        damaged(wrong, say, again=_AGAIN, how="damaged" if wrong.exists() else "missing")
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
