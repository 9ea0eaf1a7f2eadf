"""Folders of `sentence-transformers`: how they compute one vector per text. All of its names stay in this file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leanformer.errors import CheckpointError

# The modules after the encoder: one pooling, optionally a normalisation.
_POOLING, _NORMALIZE, _TRANSFORMER = "Pooling", "Normalize", "Transformer"
_ORDERS = ([_TRANSFORMER, _POOLING], [_TRANSFORMER, _POOLING, _NORMALIZE])
_MODES = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "first", "pooling_mode_max_tokens": "max"}
# Names of the options file; older ones contain the family's name.
_OPTIONS = [
    f"sentence_{family}_config.json"
    for family in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
]
# Options that are read here or do not change vectors; any other that is set raises an error.
_READ = {
    "max_seq_length", "do_lower_case", "modality_config", "module_output_name", "transformer_task", "unpad_inputs",
    "cache_dir", "backend",
}  # fmt: skip


@dataclass(frozen=True)
class SentenceEncoder:
    """What a folder specifies about its vectors; None for what it does not specify.

    Attributes:
        folder: the encoder's folder, either the folder itself or one inside it.
        pooling: "mean", "first" or "max".
        longest: the maximum input length in tokens.
        prompt: text that `encode` puts before every text.
        prompts: names of prompts that are used only on request.
        lower: texts are lowercased before any other processing.
        unit: whether vectors are normalised to length 1; ours always are.
    """

    folder: Path
    pooling: str | None = None
    longest: int | None = None
    prompt: str = ""
    prompts: tuple[str, ...] = ()
    lower: bool = False
    unit: bool | None = None


def read_sentence_encoder(folder: Path) -> SentenceEncoder:
    """Read the folder's options. Raises `CheckpointError` for an unsupported feature, which the message names."""
    if not (folder / "modules.json").is_file():
        return SentenceEncoder(folder)
    modules = _modules(folder)
    kinds = [kind for kind, _ in modules]
    if unknown := [kind for kind in kinds if kind not in (_TRANSFORMER, _POOLING, _NORMALIZE)]:
        raise CheckpointError(
            f"{folder}: a sentence encoder with a module {unknown[0]}, which is not built\n"
            f"  remedy: give one that has {_TRANSFORMER}, {_POOLING} and perhaps {_NORMALIZE} alone"
        )
    if kinds not in _ORDERS:
        raise CheckpointError(
            f"{folder}/modules.json: one module {_POOLING} in a folder below is needed, behind one {_TRANSFORMER} and "
            f"before a {_NORMALIZE} if there is one; it has {', '.join(kinds) or 'none'}\n"
            "  remedy: save the model again with sentence-transformers, or give the encoder's folder and --pooling"
        )
    encoder = folder / modules[0][1]
    pooling = _object(folder / modules[1][1] / "config.json")
    prompt, prompts = _prompts(folder)
    if prompt and pooling.get("include_prompt") is False:
        raise CheckpointError(
            f"{folder}/{modules[1][1]}/config.json: include_prompt is false, which is not built: the prompt "
            f"{prompt!r} would be pooled with the text\n  remedy: give an encoder that pools its prompts too"
        )
    if kinds[-1] == _NORMALIZE:
        normalize = folder / modules[2][1] / "config.json"
        asked = _object(normalize) if normalize.is_file() else {}
        for key, value in asked.items():
            if key.startswith("module_") and value not in (None, "sentence_embedding"):
                raise CheckpointError(f"{normalize}: {key} {value!r} is not built\n  remedy: {_OTHER}")
    options = _options(encoder)
    longest = options.get("max_seq_length")
    if longest is not None and (type(longest) is not int or longest < 3):
        raise CheckpointError(
            f"{encoder}: max_seq_length is {longest!r:.40}, and not a number of tokens\n  remedy: write one, or null"
        )
    return SentenceEncoder(
        encoder, _pooling(folder, pooling), longest, prompt, prompts, bool(options.get("do_lower_case")),
        kinds[-1] == _NORMALIZE,
    )  # fmt: skip


_OTHER = "give an encoder without it"


def _modules(folder: Path) -> list[tuple[str, str]]:
    """Kind and folder of each module, in order; the encoder's folder may be "", the folder itself."""
    path = folder / "modules.json"
    try:
        modules = [(str(module["type"]).rpartition(".")[2], str(module["path"])) for module in _read(path)]
    except (KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path}: not a list of modules ({error!r})\n  remedy: save the model again with sentence-transformers"
        ) from error
    for kind, name in modules:
        if name and (Path(name).name != name or name == ".."):
            raise CheckpointError(
                f"{path}: the folder {name!r} of the module {kind} lies outside\n  remedy: write its name alone"
            )
    return modules


def _pooling(folder: Path, pooling: Mapping[str, Any]) -> str:
    # Older files have a flag for each mode, newer ones the name of the mode.
    chosen = [name for name, on in pooling.items() if name.startswith("pooling_mode_") and on is True]
    if isinstance(pooling.get("pooling_mode"), str):
        chosen = [f"pooling_mode_{pooling['pooling_mode']}_token" + "s" * (pooling["pooling_mode"] in ("mean", "max"))]
    if len(chosen) != 1 or chosen[0] not in _MODES:
        raise CheckpointError(
            f"{folder}: pooling {chosen or pooling.get('pooling_mode', 'unknown')} is not built; one of "
            f"{', '.join(_MODES)}\n  remedy: give an encoder that pools so"
        )
    return _MODES[chosen[0]]


def _prompts(folder: Path) -> tuple[str, tuple[str, ...]]:
    """The prompt that `encode` uses by default, and the names of all other non-empty prompts."""
    path = folder / "config_sentence_transformers.json"
    config = _object(path) if path.is_file() else {}
    if (kept := config.get("truncate_dim")) is not None:
        raise CheckpointError(
            f"{path}: truncate_dim is {kept!r:.60}, which is not built: encode() gives the first {kept!r:.60} numbers "
            "of each vector alone\n  remedy: write null, and cut the vectors yourself (bring them to length 1 again)"
        )
    prompts, name = config.get("prompts") or {}, config.get("default_prompt_name")
    if not isinstance(prompts, Mapping) or not all(isinstance(prompt, str | None) for prompt in prompts.values()):
        raise CheckpointError(f"{path}: prompts are not names with texts\n  remedy: write them so, or leave them out")
    if name is not None and (not isinstance(name, str) or not isinstance(prompts.get(name), str)):
        raise CheckpointError(
            f"{path}: default_prompt_name is {name!r:.60}, and prompts has no such text (it has "
            f"{', '.join(prompts) or 'none'})\n  remedy: write one of them, or null"
        )
    return (prompts[name] if name else ""), tuple(key for key, text in prompts.items() if text and key != name)


def _options(encoder: Path) -> Mapping[str, Any]:
    path = next((encoder / name for name in _OPTIONS if (encoder / name).is_file()), None)
    options = {} if path is None else _object(path)
    for key, value in options.items():
        task = key == "transformer_task" and value not in (None, "feature-extraction")
        if task or (key not in _READ and value):
            raise CheckpointError(
                f"{path}: {key} {json.dumps(value):.60} is not built\n"
                "  remedy: take it out, if vectors without it are what you want"
            )
    return options


def _object(path: Path) -> Mapping[str, Any]:
    value = _read(path)
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: not a JSON object\n  remedy: save the model again with sentence-transformers")
    return value


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: not readable as JSON ({error})\n  remedy: save the model again with sentence-transformers"
        ) from error
