"""Figures of several embedders on the same queries."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.measure.retrieval import of_embedders


def test_a_model_beside_the_first():
    documents = np.eye(4, dtype=np.float32)
    gains = [{number % 4: 1.0} for number in range(40)]
    right = documents[np.arange(40) % 4]
    wrong = right.copy()
    wrong[:10] = documents[(np.arange(10) + 1) % 4]
    first, second = of_embedders([(right, documents), (wrong, documents)], gains)
    assert first["figures"]["MRR"] == {"value": 1.0, "low": 1.0, "high": 1.0} and "lost" not in first
    lost, figure = second["lost"]["MRR"], second["figures"]["MRR"]
    assert 0.03 < lost["low"] < lost["value"] < lost["high"] < 0.3
    assert lost["value"] == pytest.approx(1 - figure["value"]) and lost["low"] == pytest.approx(1 - figure["high"])
