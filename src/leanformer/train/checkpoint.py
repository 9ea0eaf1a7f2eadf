"""Training state on disk: safetensors and JSON, never a pickle.

A kill leaves the previous checkpoint intact. Every file is stored with a hash, and a checkpoint damaged since then is
not loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from leanformer.files import new_folder, restore_folder
from leanformer.kept import damaged, described, differing, keep, kept
from leanformer.models.tensors import save_tensors
from leanformer.train.hooks.hook import Hook, HookState
from leanformer.train.progress import Progress

_STATE, _BEST = "state.json", "best.safetensors"
_AGAIN = "this training begins again"


def save(
    folder: Path,
    *,
    progress: Progress,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    best: dict[str, Tensor] | None,
    hooks: Sequence[Hook] = (),
    left_out: Collection[str] = (),
) -> None:
    """Replace the checkpoint in `folder` by the current state, including random generators and hooks.

    `left_out` names weights of the model that do not change in the run.
    """
    with new_folder(folder) as temporary:
        weights = {name: value for name, value in model.state_dict().items() if name not in left_out}
        save_tensors(_plain(weights), temporary / "model.safetensors")
        flat, scalars = _flatten(optimizer.state_dict())
        save_tensors(flat, temporary / "optimizer.safetensors")
        if best is not None:
            save_tensors(_plain(best), temporary / _BEST)
        generators = {"cpu": torch.get_rng_state()}
        if torch.cuda.is_available():
            generators["cuda"] = torch.cuda.get_rng_state()
        save_tensors(generators, temporary / "random.safetensors")
        states = {hook.name: state for hook in hooks if (state := hook.state()) is not None}
        for name, state in states.items():
            save_tensors(_plain(state.tensors), temporary / _hook_file(name))
        values = {name: state.values for name, state in states.items()}
        about = {"progress": asdict(progress), "optimizer": scalars, "hooks": values, "files": described(temporary)}
        keep(temporary / _STATE, about)


def load_checkpoint(
    folder: Path,
    fingerprint: str,
    *,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    hooks: Sequence[Hook] = (),
    left_out: Collection[str] = (),
    say: Callable[[str], None] = lambda line: None,
) -> tuple[Progress, dict[str, Tensor] | None] | None:
    """Restore the state saved in `folder`; None if there is none, or if it is from another run.

    Also None, with a message through `say`, if one of its files is damaged, or if it was written by a version with
    other parts in the model, objective or hooks. In these cases nothing is restored.
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
    weights, values = load_file(folder / "model.safetensors"), state.get("hooks", {})
    expected = {name for name in model.state_dict() if name not in left_out}
    if weights.keys() != expected or values.keys() != {h.name for h in hooks if h.state() is not None}:
        damaged(folder / _STATE, say, again=_AGAIN, how="of an earlier version")
        return None
    model.load_state_dict(weights, strict=not left_out)
    for hook in hooks:
        if hook.name in values:
            hook.load_state(HookState(load_file(folder / _hook_file(hook.name)), values[hook.name]))
    optimizer.load_state_dict(_unflatten(load_file(folder / "optimizer.safetensors"), state["optimizer"]))
    generators = load_file(folder / "random.safetensors")
    torch.set_rng_state(generators["cpu"])
    if "cuda" in generators and torch.cuda.is_available():
        torch.cuda.set_rng_state(generators["cuda"])
    return progress, best_on_disk(folder) if (folder / _BEST).is_file() else None


def best_on_disk(folder: Path) -> dict[str, Tensor]:
    """The best weights of the checkpoint in `folder`, mapped from the file: in memory only while they are read.

    They stay what they are when the checkpoint is replaced.
    """
    return load_file(folder / _BEST)


def hook_values(folder: Path, fingerprint: str, name: str) -> Mapping[str, Any] | None:
    """What a hook kept as values in the checkpoint of the same run, before its state is restored; None without one."""
    restore_folder(folder)
    state = kept(folder / _STATE, lambda line: None, again=_AGAIN)
    if state is None or state["progress"]["fingerprint"] != fingerprint:
        return None
    values: Mapping[str, Any] | None = state.get("hooks", {}).get(name)
    return values


def _hook_file(name: str) -> str:
    return f"hook-{name}.safetensors"


def _plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().contiguous() for name, value in state.items()}


def _flatten(state: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimiser's state as flat tensors plus the remaining JSON values."""
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
