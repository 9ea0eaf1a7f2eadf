"""Configuration and weights of our own models, read from an untrusted artifact."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn
from torch.overrides import TorchFunctionMode

from leanformer.artifact import AGAIN, Artifact
from leanformer.errors import ArtifactError, CheckpointError
from leanformer.models.finite import check_finite
from leanformer.models.writing import WEIGHTS
from leanformer.schema import Check
from leanformer.strict_json import read_json

Config = TypeVar("Config")
Module = TypeVar("Module", bound=nn.Module)


def read_config(artifact: Artifact, name: str, schema: Check, make: Callable[[Mapping[str, Any]], Config]) -> Config:
    """The configuration in the file `name`. Raises `ArtifactError` if it is invalid."""
    path = artifact.file(name)
    try:
        value = read_json(path, most_bytes=64 << 20)
        schema(value, name)
        return make(value)
    except (ValueError, OSError, CheckpointError) as error:
        raise ArtifactError(f"{path}: not a configuration that can be read ({error}){AGAIN}") from error


def check_agreement(
    artifact: Artifact,
    name: str,
    *,
    labels: int,
    fits: bool,
    padding_id: int,
    vocabulary: int,
    positions: int | None = None,
) -> None:
    """Raise `ArtifactError` if a configuration contradicts the manifest, or itself.

    `fits`: whether its head supports the manifest's answer form.
    """
    task = artifact.task
    problem = None
    if labels != task.outputs:
        problem = f"{labels} labels, and the manifest has {task.outputs} outputs ({task.kind})"
    elif not fits:
        problem = f"a head for another task than the manifest's ({task.kind})"
    elif padding_id >= vocabulary:
        problem = f"the padding id {padding_id}, and {vocabulary} words"
    elif positions is not None and positions < artifact.max_tokens:
        problem = f"{positions} positions, and the manifest allows {artifact.max_tokens} tokens"
    if problem is not None:
        raise ArtifactError(f"{artifact.file(name)}: it has {problem}{AGAIN}")


class _Undrawn(TorchFunctionMode):
    """Leaves out the drawing of first weights: on the meta device it draws nothing, and imports torch's compiler."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__module__", "") == nn.init.__name__:
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


def read_weights(artifact: Artifact, make: Callable[[], Module]) -> Module:
    """The module that `make` creates, with the artifact's weights.

    Names and shapes are compared before anything is allocated, so a configuration cannot request more memory than the
    weights file has. Raises `ArtifactError` if they differ, and for weights that are not finite.
    """
    path = artifact.file(WEIGHTS)
    with torch.device("meta"), _Undrawn():
        expected = {name: list(value.shape) for name, value in make().state_dict().items()}
    try:
        with safe_open(path, framework="pt") as tensors:
            found = {name: tensors.get_slice(name).get_shape() for name in tensors.keys()}  # noqa: SIM118
        for name in sorted({*expected, *found}):
            if expected.get(name) != found.get(name):
                raise ValueError(
                    f"the weight {name:.80} has the shape {found.get(name, 'of none')}, and the configuration says "
                    f"{expected.get(name, 'that there is none')}"
                )
        weights = load_file(path)
        model = make()
        check_finite(weights, path, ArtifactError, "recreate the artifact")
        model.load_state_dict(weights)
    except (SafetensorError, ValueError, TypeError, RuntimeError, OSError) as error:
        raise ArtifactError(f"{path}: not the weights of this model ({error}){AGAIN}") from error
    return model
