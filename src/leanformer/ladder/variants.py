"""The other ways to run a rung's model, for `measure.stability`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from leanformer.artifact import Artifact, write_manifest
from leanformer.errors import MissingExtraError
from leanformer.formats import can
from leanformer.inputs.kinds import input_of
from leanformer.linear.predictor import LinearPredictor
from leanformer.loading import open_predictor
from leanformer.measure.stability import Alone, OtherCompany
from leanformer.predictor import Predictor
from leanformer.runtime.cores import allowed_cores
from leanformer.runtime.predictor import ENGINES, GRAPH, TOKENIZER, LightPredictor

Ways = Mapping[str, Callable[[], Predictor]]


def ways_of(artifact: Artifact, predictor: Predictor, scratch: Path) -> Ways:
    """Other ways to run this model, by name; `scratch` is an empty folder for a padded copy of its graph.

    For a graph: alone, in another batch, as the padded graph that `leanformer export` writes, with each other number of
    threads (one, and all that are allowed) and on each other engine. For PyTorch: alone, in another batch, padded. For
    a cascade and for a linear model: alone, in another batch.
    """
    ways: dict[str, Callable[[], Predictor]] = {
        "one text at a time": lambda: Alone(predictor),
        "in another batch": lambda: OtherCompany(predictor),
    }
    if isinstance(predictor, LinearPredictor):
        return ways
    if not isinstance(predictor, LightPredictor):
        return ways | ({"padded": lambda: _padded_torch(artifact)} if can(artifact, "module") else {})
    if artifact.properties.get("layout") != "padded":
        ways["as the padded graph"] = lambda: LightPredictor(_padded(artifact, scratch), threads=predictor.threads)
    for threads in sorted({1, 2, allowed_cores()} - {predictor.threads}):
        ways[f"{threads} thread{'s' if threads > 1 else ''}"] = _with_threads(
            artifact, threads, predictor.exits is not None
        )
    for engine in ENGINES:
        if engine != predictor.engine:
            ways[f"engine {engine}"] = _with_engine(artifact, predictor.threads, engine)
    return ways


def _with_threads(artifact: Artifact, threads: int, exits: bool) -> Callable[[], Predictor]:
    return lambda: open_predictor(artifact, threads=threads, exits=exits)


def _with_engine(artifact: Artifact, threads: int, engine: str) -> Callable[[], Predictor]:
    return lambda: LightPredictor(artifact, threads=threads, engine=engine)


def _padded_torch(artifact: Artifact) -> Predictor:
    from leanformer.models.predictor import TorchPredictor

    single = TorchPredictor(artifact, batch_tokens=None)
    return TorchPredictor(artifact, pad_to=single.positions, batch_tokens=None)


def _padded(artifact: Artifact, folder: Path) -> Artifact:
    """A copy of the artifact with the padded graph in place of the packed one."""
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("deriving the padded graph", "train") from error
    from leanformer.export.standard import write_standard_onnx

    write_standard_onnx(artifact, folder / GRAPH, token_types=input_of(artifact.task).paired)
    shutil.copyfile(artifact.file(TOKENIZER), folder / TOKENIZER)
    return write_manifest(
        folder, format="onnx", task=artifact.task, max_tokens=artifact.max_tokens,
        properties=dict(artifact.properties) | {"layout": "padded"},
    )  # fmt: skip
