"""The weights of a checkpoint folder: only complete, finite safetensors, under their names without wrappers."""

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

# Parts that torch.compile and DataParallel add to names, at the level of the wrapped module.
_WRAPPERS = {"_orig_mod", "module"}


def weight_files(folder: Path) -> list[Path]:
    """The folder's safetensors file or files. Raises `CheckpointError` if there are none or some are missing."""
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
        if Path(shard).name != shard:  # compare names, because the files in a hub cache are links
            raise CheckpointError(f"{index}: shard {shard!r} lies outside the folder")
        if not path.is_file():
            raise CheckpointError(f"{path}: no such file, and {INDEX} names it\n  remedy: fetch it too")
        refuse_pointer(path)
    return [path for _, path in paths]


def weight_shapes(folder: Path) -> dict[str, list[int]]:
    """Name -> shape of every weight, read from the headers only."""
    shapes: dict[str, list[int]] = {}
    for path in weight_files(folder):
        try:
            with safe_open(path, framework="pt") as file:
                shapes |= {name: list(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        except Exception as error:  # the library raises its own error type without a stable base
            raise CheckpointError(_broken(path, error)) from error
    return shapes


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of the folder's safetensors file or files, by their names there.

    Raises `CheckpointError` if there are none, if a file is incomplete, and for values that are not finite.
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
    """The names as they are, or without the parts that wrappers added: name -> name, and the parts that were dropped.

    torch.compile adds `_orig_mod.` and DataParallel `module.` at the level of the wrapped module; Lightning puts the
    name of an attribute, often `model.`, before all names. They are dropped only if some names do not fit as they are
    and all fit without them.
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
    if len(set(bare.values())) != len(given):  # the same weight with and without a wrapper
        return as_given, ""
    return bare, "".join(f"{part}." for part in (*parts, *dropped))
