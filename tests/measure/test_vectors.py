"""What embedders find, and in which index."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leanformer.artifact import Artifact
from leanformer.errors import LeanformerError
from leanformer.measure.vectors import check_index, retrieved
from leanformer.task import Task
from tests.making.graphs import make_embedder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, ...]:
    return make_embedder(tmp_path_factory.mktemp("embedder"))


def test_documents_are_ranked_by_cosine():
    documents = np.eye(3, dtype=np.float32)
    queries = np.array([[0, 1, 0], [0.6, 0.8, 0]], dtype=np.float32)
    found = retrieved(queries, documents, [{1: 1.0}, {0: 1.0}])
    np.testing.assert_allclose(found, [[1, 1, 1, 1], [1 / np.log2(3), 1, 0.5, 0.5]])
    with pytest.raises(LeanformerError, match="3 numbers cannot be compared with an index of 2"):
        retrieved(queries, documents[:, :2], [{1: 1.0}, {0: 1.0}])


def test_an_index_belongs_to_models_of_one_encoder(made: tuple[Artifact, ...], tmp_path: Path):
    encoder, onnx, int8 = made
    for ours, theirs in ((onnx, encoder), (int8, encoder), (int8, onnx), (onnx, int8), (onnx, onnx)):
        check_index(ours, theirs)
    stranger = replace(onnx, history=(), max_tokens=20)
    with pytest.raises(LeanformerError, match="vectors have another meaning than those of"):
        check_index(stranger, onnx)
    with pytest.raises(LeanformerError, match=r"vectors have 9 numbers, and those of .* 32"):
        check_index(replace(onnx, task=Task("embedding", (), width=9)), encoder)
