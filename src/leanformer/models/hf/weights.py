"""The weights of a foreign folder: safetensors alone, whole and finite, and under the names that they had unwrapped."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from leanformer.errors import CheckpointError
from leanformer.models.finite import check_finite
from leanformer.models.hf.folders import INDEX, WEIGHTS, no_weights, refuse_pointer

# What torch.compile and DataParallel put into names, wherever the wrapped module stands.
_WRAPPERS = {"_orig_mod", "module"}


def weight_files(folder: Path) -> list[Path]:
    """The folder's safetensors file or files. Raises `CheckpointError` when there are none, or not all."""
    index = folder / INDEX
    if not index.is_file():
        if not (folder / WEIGHTS).is_file():
            raise no_weights(folder)
        refuse_pointer(folder / WEIGHTS)
        return [folder / WEIGHTS]
    try:
        shards = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        paths = [(shard, folder / shard) for shard in shards]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{index}: not an index of safetensors files ({error!r})") from error
    for shard, path in paths:
        if Path(shard).name != shard:  # by name, because a hub cache keeps its files behind links
            raise CheckpointError(f"{index}: shard {shard!r} lies outside the folder")
        if not path.is_file():
            raise CheckpointError(f"{path}: no such file, and {INDEX} names it\n  remedy: fetch it too")
        refuse_pointer(path)
    return [path for _, path in paths]


def weight_shapes(folder: Path) -> dict[str, list[int]]:
    """Name -> shape of every weight, from the headers alone."""
    shapes: dict[str, list[int]] = {}
    for path in weight_files(folder):
        try:
            with safe_open(path, framework="pt") as file:
                shapes |= {name: list(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        except Exception as error:  # the library raises its own error type without a stable base
            raise CheckpointError(_broken(path, error)) from error
    return shapes


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of the folder's safetensors file or files, by the names in them.

    Raises `CheckpointError` when there are none, when a file is not whole, and for numbers that are not finite.
    """
    tensors: dict[str, torch.Tensor] = {}
    for path in weight_files(folder):
        try:
            found = load_file(path)
        except Exception as error:  # the library raises its own error type without a stable base
            raise CheckpointError(_broken(path, error)) from error
        check_finite(found, path, CheckpointError)
        tensors |= found
    return tensors


def _broken(path: Path, error: Exception) -> str:
    return f"{path}: not a whole safetensors file ({error})\n  remedy: fetch or save it again"


def unwrapped(names: Iterable[str], fits: Callable[[str], bool]) -> tuple[dict[str, str], str]:
    """The names as they are, or without what wrappers wrote into them: name -> name, and what was dropped.

    torch.compile writes `_orig_mod.` and DataParallel `module.` where the wrapped module stands, Lightning the name of
    an attribute, often `model.`, before all. They are dropped only where some names do not fit as they are, and all
    do without.
    """
    given = list(names)
    as_given = {name: name for name in given}
    if all(map(fits, given)):
        return as_given, ""
    bare = {name: ".".join(part for part in name.split(".") if part not in _WRAPPERS) for name in given}
    parts = dict.fromkeys(part for name in given for part in name.split(".") if part in _WRAPPERS)
    dropped: list[str] = []
    while not all(map(fits, bare.values())):
        first = {name.partition(".")[0] for name in bare.values()}
        if len(first) != 1 or not all("." in name for name in bare.values()):
            return as_given, ""
        dropped += first
        bare = {name: short.partition(".")[2] for name, short in bare.items()}
    if len(set(bare.values())) != len(given):  # the same weight with and without
        return as_given, ""
    return bare, "".join(f"{part}." for part in (*parts, *dropped))
