"""One server for all tests that only ask it; those that stop, fill or kill one start their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leanformer.artifact import open_artifact
from leanformer.runtime.predictor import LightPredictor
from tests.making.graphs import make_embedder, make_onnx, make_tagger
from tests.making.servers import Server


@pytest.fixture(scope="session")
def other_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another tiny model for the same labels."""
    return make_onnx(tmp_path_factory.mktemp("other_artifact"), seed=5)[1].path


@pytest.fixture(scope="session")
def server(tiny_onnx_artifact: Path, other_artifact: Path) -> Iterator[Server]:
    """Two models, `tiny` first, on two workers."""
    with Server(f"tiny={tiny_onnx_artifact}", f"other={other_artifact}", "--workers", 2) as one:
        yield one


@pytest.fixture(scope="session")
def predictor(tiny_onnx_artifact: Path) -> LightPredictor:
    """The model `tiny`, without a server."""
    return LightPredictor(open_artifact(tiny_onnx_artifact), threads=1)


@pytest.fixture(scope="session")
def tagger_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that tags words, with windows of 16 tokens."""
    return make_tagger(tmp_path_factory.mktemp("tagger"))[1].path


@pytest.fixture(scope="session")
def tag_server(tiny_onnx_artifact: Path, tagger_artifact: Path) -> Iterator[Server]:
    """A model that labels, `tiny`, and one that tags words, `tags`, on two workers."""
    with Server(f"tiny={tiny_onnx_artifact}", f"tags={tagger_artifact}", "--workers", 2) as one:
        yield one


@pytest.fixture(scope="session")
def tagger(tagger_artifact: Path) -> LightPredictor:
    """The model `tags`, without a server."""
    return LightPredictor(open_artifact(tagger_artifact), threads=1)


@pytest.fixture(scope="session")
def embedder_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that gives vectors of 32 numbers."""
    return make_embedder(tmp_path_factory.mktemp("embedder"))[1].path


@pytest.fixture(scope="session")
def embedder(embedder_artifact: Path) -> LightPredictor:
    """The same, without a server."""
    return LightPredictor(open_artifact(embedder_artifact), threads=1)


# The models of `all_server`: one for each route.
MODELS = ("tiny", "tags", "vectors")


@pytest.fixture(scope="session")
def all_server(tiny_onnx_artifact: Path, tagger_artifact: Path, embedder_artifact: Path) -> Iterator[Server]:
    """A server whose models answer all routes; their names are `MODELS`."""
    folders = (tiny_onnx_artifact, tagger_artifact, embedder_artifact)
    with Server(*(f"{name}={folder}" for name, folder in zip(MODELS, folders, strict=True)), "--workers", 2) as one:
        yield one
