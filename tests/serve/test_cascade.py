"""A server answers with a cascade as `leanformer.load` does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from leanformer.artifact import open_artifact
from leanformer.cascade.plan import Plan
from leanformer.cascade.store import write_cascade
from leanformer.loading import open_predictor
from leanformer.predictor import logits
from tests.making.cascades import other_tokenizer
from tests.making.servers import Server
from tests.making.tiny import tiny_texts
from tests.serve.test_routes import as_array

TEXTS = list(tiny_texts(120, seed=8)[0])


@pytest.mark.slow
@pytest.mark.parametrize("own_tokenizers", [False, True])
def test_a_cascade_is_served(tiny_onnx_artifact: Path, other_artifact: Path, tmp_path: Path, own_tokenizers: bool):
    small = open_artifact(tiny_onnx_artifact)
    (tmp_path / "large").mkdir()
    for path in other_artifact.iterdir():
        if path.is_file():
            (tmp_path / "large" / path.name).write_bytes(path.read_bytes())
    large = open_artifact(tmp_path / "large")
    large = other_tokenizer(large) if own_tokenizers else large
    whole = logits(open_predictor(small, threads=1), TEXTS)
    threshold = float(np.median(np.exp(whole).max(axis=1) / np.exp(whole).sum(axis=1)))
    cascade = write_cascade([small, large], Plan("probability", (1.0,), (threshold,)), tmp_path / "both")
    predictor = open_predictor(cascade, threads=1)
    expected = logits(predictor, TEXTS)
    assert getattr(predictor, "answered", None) == [60, 60]
    with Server(f"both={cascade.path}", "--workers", 1) as server:
        answer = server.predict(TEXTS, raw_scores=True)
        assert answer.status == 200
        np.testing.assert_allclose(as_array(answer.json), expected, atol=1e-5)
        alone = [server.predict(text, raw_scores=True, exact=True).json for text in TEXTS[:10]]
        np.testing.assert_allclose(as_array(alone), expected[:10], atol=1e-5)
