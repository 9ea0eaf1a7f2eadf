"""Opens an artifact as a predictor: graphs in the light runtime, models on n-grams, others in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from leanformer.artifact import Artifact, open_artifact
from leanformer.cosines import PairCosines
from leanformer.errors import MissingExtraError
from leanformer.formats import format_of, function_of
from leanformer.predictor import Predictor

if TYPE_CHECKING:
    from leanformer.cascade.predictor import CascadePredictor
    from leanformer.models.predictor import TorchPredictor
    from leanformer.runtime.predictor import LightPredictor
    from leanformer.tiny.predictor import NgramPredictor

    Model: TypeAlias = LightPredictor | CascadePredictor | TorchPredictor | NgramPredictor
    Open: TypeAlias = Callable[[Artifact], Model]


@dataclass(frozen=True)
class Opening:
    """How to open an artifact, and each artifact inside it.

    Attributes:
        threads: cores to use; None takes those that this process may use.
        graph: opens a graph.
    """

    threads: int | None
    graph: Open

    def open(self, artifact: Artifact) -> Model:
        """A predictor for an artifact of any format. Raises what `open_predictor` raises."""
        opens, extra = function_of(artifact, "opens"), format_of(artifact).extra
        try:
            predictor: Model = opens(artifact, self)
        except ImportError as error:
            if extra is None:
                raise
            raise MissingExtraError(f"running {artifact.path} (format {artifact.format!r})", extra) from error
        return predictor


def open_predictor(
    artifact: Artifact | Path | str, *, threads: int | None = None, tuning: bool = True, graph: Open | None = None,
    exits: bool = True,
) -> Model:  # fmt: skip
    """A predictor that batches by length, for an artifact of any format.

    Args:
        threads: cores to use; None takes those that this process may use.
        tuning: use what `leanformer tune` stored with a graph for this machine.
        graph: opens a graph, including those of a cascade's members; None: with `threads`, `tuning` and `exits`.
        exits: whether texts may leave at calibrated early exits.

    Raises `MissingExtraError` if the artifact needs PyTorch and it is not installed, and `ArtifactError` for an unknown
    format.
    """
    if not isinstance(artifact, Artifact):
        artifact = open_artifact(artifact)
    if graph is None:

        def graph(artifact: Artifact) -> LightPredictor:
            from leanformer.runtime.predictor import LightPredictor

            return LightPredictor(artifact, threads=threads, tuning=tuning, exits=exits)

    return Opening(threads, graph).open(artifact)


def open_untuned(artifact: Artifact | Path | str, *, threads: int | None = None) -> Predictor:
    """`open_predictor` without the settings stored for this machine."""
    return open_predictor(artifact, threads=threads, tuning=False)


def open_pairs(artifact: Artifact | Path | str, *, threads: int | None = None, tuning: bool = True) -> PairCosines:
    """The embedder of an artifact as a predictor of pairs; of `cosines.OfPairs` too."""
    path = artifact.path if isinstance(artifact, Artifact) else artifact
    return PairCosines(open_predictor(path, threads=threads, tuning=tuning))


def load(path: Artifact | Path | str, *, threads: int | None = None, tuning: bool = True) -> Model:
    """Open a model for prediction: `leanformer.load("lean/").predict(["a text"])`.

    `predict` takes any number of texts and returns a list with a `Prediction` for each; pairs are tuples of two texts.
    Graphs, models on n-grams, and cascades of these need no PyTorch; the other formats need the extra `train`. `engine`
    is what runs the model, `engine_reason` why, and what to do if it could run faster here.

    Args:
        path: an artifact of any format: the folder that `compress`, `train` or another command wrote.
        threads: number of cores to use; None takes those that this process may use.
        tuning: use the settings that `leanformer tune` stored for this machine.

    Raises `ArtifactError` if the folder is not a complete artifact, and `MissingExtraError` if it needs PyTorch and
    PyTorch is not installed.
    """
    return open_predictor(path, threads=threads, tuning=tuning)


def open_graph(artifact: Artifact, opening: Opening) -> Model:
    """Open a graph in the light runtime."""
    return opening.graph(artifact)


def open_members(artifact: Artifact, opening: Opening) -> Model:
    """Open a cascade, with all of its members opened in the same way."""
    from leanformer.cascade.predictor import CascadePredictor

    return CascadePredictor(artifact, opening.open)


def open_ngrams(artifact: Artifact, opening: Opening) -> Model:
    """Open a model on n-grams."""
    from leanformer.tiny.predictor import NgramPredictor

    return NgramPredictor(artifact, threads=opening.threads)


def open_torch(artifact: Artifact, opening: Opening) -> Model:
    """Open a model in PyTorch. Raises `ImportError` if it is not installed."""
    import torch

    from leanformer.models.predictor import TorchPredictor
    from leanformer.runtime.cores import default_threads

    torch.set_num_threads(default_threads() if opening.threads is None else opening.threads)
    return TorchPredictor(artifact)
