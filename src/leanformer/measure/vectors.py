"""Vectors measured: documents found for queries, and which index a model's queries may be asked of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from leanformer.artifact import Artifact, is_artifact, open_artifact
from leanformer.errors import LeanformerError
from leanformer.metrics.probabilities import unit_vectors
from leanformer.metrics.retrieval import of_ranking
from leanformer.predictor import Predictor, chunked, logits

# Queries whose scores with all documents are in memory at a time.
_QUERIES = 256


def gives_vectors(place: str | Path) -> bool:
    """Whether there is an embedder: an artifact of one, or a folder of sentence-transformers."""
    if is_artifact(place):
        return open_artifact(place, verify=False).task.width is not None
    return (Path(place) / "modules.json").is_file()


def embed(predictor: Predictor, texts: Sequence[str]) -> np.ndarray:
    """Vectors `[texts, width]` of length 1, float32."""
    return np.concatenate([unit_vectors(logits(predictor, part)) for part in chunked(texts)])


def retrieved(queries: np.ndarray, documents: np.ndarray, gains: Sequence[Mapping[int, float]]) -> np.ndarray:
    """The `metrics.retrieval.FIGURES` of each query, `[queries, figures]`, with documents ranked by cosine.

    Args:
        queries, documents: vectors of length 1, `[n, width]`.
        gains: of each query, document -> how relevant it is.

    Raises `LeanformerError` if the widths differ.
    """
    if queries.shape[1] != documents.shape[1]:
        raise LeanformerError(
            f"vectors of {queries.shape[1]} numbers cannot be compared with an index of {documents.shape[1]}\n"
            "  remedy: embed queries and documents with models of one width"
        )
    parts = range(0, len(queries), _QUERIES)
    scores = (row for start in parts for row in queries[start : start + _QUERIES] @ documents.T)
    return np.array([of_ranking(row, gain) for row, gain in zip(scores, gains, strict=True)])


def check_index(embedder: Artifact, index: Artifact) -> None:
    """Raise `LeanformerError` if queries of `embedder` cannot be compared with documents of `index`.

    They can if one of the two was made from the other, or both from one encoder, and their widths are equal.
    """
    if embedder.task.width != index.task.width:
        raise LeanformerError(
            f"{embedder.path}: its vectors have {embedder.task.width} numbers, and those of {index.path} "
            f"{index.task.width}\n  remedy: embed the documents with a model of the same width"
        )
    if not _origins(embedder) & _origins(index):
        raise LeanformerError(
            f"{embedder.path}: its vectors have another meaning than those of {index.path}: neither was made from the "
            "other, nor both from one encoder\n"
            "  remedy: embed the documents with the model that it was made from, or with itself"
        )


def _origins(artifact: Artifact) -> set[str]:
    return {artifact.content_hash, *(entry["parent"] for entry in artifact.history if entry.get("parent"))}
