"""From an artifact to a predictor: the light runtime for graphs, PyTorch for everything else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from leanformer.artifact import Artifact, open_artifact
from leanformer.errors import MissingExtraError
from leanformer.predictor import Predictor

if TYPE_CHECKING:
    from leanformer.runtime.predictor import LightPredictor


def open_predictor(artifact: Artifact | Path | str, *, threads: int | None = None, tuning: bool = True) -> Predictor:
    """A predictor that batches by length, whatever the artifact's format.

    Args:
        threads: cores to use; None takes those that this process may use.
        tuning: use what `leanformer tune` stored beside a graph for this machine.

    Raises `MissingExtraError` when the artifact needs PyTorch and it is not installed.
    """
    if not isinstance(artifact, Artifact):
        artifact = open_artifact(artifact)
    if artifact.format == "onnx":
        from leanformer.runtime.predictor import LightPredictor

        return LightPredictor(artifact, threads=threads, tuning=tuning)
    try:
        import torch

        from leanformer.models.predictor import TorchPredictor
    except ImportError as error:
        raise MissingExtraError(f"running {artifact.path} (format {artifact.format!r})", "train") from error
    from leanformer.runtime.cores import allowed_cores

    torch.set_num_threads(allowed_cores() if threads is None else threads)
    return TorchPredictor(artifact)


def open_untuned(artifact: Artifact | Path | str, *, threads: int | None = None) -> Predictor:
    """`open_predictor` without what is stored for this machine."""
    return open_predictor(artifact, threads=threads, tuning=False)


def load(path: Path | str, *, threads: int | None = None) -> LightPredictor:
    """Open a lean model for prediction, without torch.

    Args:
        path: the folder that `leanformer compress` wrote.
        threads: cores to use; None takes those that this process may use.

    Raises `ArtifactError` when it is not a whole artifact of format "onnx".
    """
    from leanformer.runtime.predictor import load as load_light

    return load_light(path, threads=threads)
