"""Folders of `sentence-transformers`: how they make one vector of a text. All foreign names of theirs live here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from leanformer.errors import CheckpointError

# What follows the encoder: one pooling, and perhaps a normalisation, which changes no angle.
_POOLING, _NORMALIZE, _TRANSFORMER = "Pooling", "Normalize", "Transformer"
_MODES = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "first"}


def read_sentence_encoder(folder: Path) -> tuple[str | None, int | None]:
    """The pooling ("mean" or "first") and the longest input in tokens; None for what the folder does not say.

    Raises `CheckpointError` for a sentence encoder that has more than an encoder and one of these poolings.
    """
    if not (folder / "modules.json").is_file():
        return None, None
    modules = [(str(one["type"]).rpartition(".")[2], str(one["path"])) for one in _read(folder / "modules.json")]
    if unknown := [kind for kind, _ in modules if kind not in (_TRANSFORMER, _POOLING, _NORMALIZE)]:
        raise CheckpointError(f"{folder}: a sentence encoder with a module {unknown[0]}, which is not built")
    paths = [path for kind, path in modules if kind == _POOLING]
    if len(paths) != 1 or Path(paths[0]).name != paths[0]:
        raise CheckpointError(f"{folder}/modules.json: one module {_POOLING} in a folder below is needed")
    pooling = _read(folder / paths[0] / "config.json")
    # Older files have a flag for each mode, newer ones its name.
    chosen = [name for name, on in pooling.items() if name.startswith("pooling_mode_") and on is True]
    if isinstance(pooling.get("pooling_mode"), str):
        chosen = [f"pooling_mode_{pooling['pooling_mode']}_token" + "s" * (pooling["pooling_mode"] == "mean")]
    if len(chosen) != 1 or chosen[0] not in _MODES:
        raise CheckpointError(f"{folder}: pooling {chosen or 'unknown'} is not built; one of {', '.join(_MODES)}")
    path = folder / "sentence_bert_config.json"
    longest = _read(path).get("max_seq_length") if path.is_file() else None
    return _MODES[chosen[0]], None if longest is None else int(longest)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: not readable as JSON ({error})") from error
