"""The contest of a data set's graphs."""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers.run import step_names


def test_steps_of_one_name_keep_their_hash():
    steps = [Path(f"steps/{name}") for name in ("again-int8-01a6", "pruned-onnx-249b", "again-int8-bdb5")]
    assert step_names(steps) == ["again-int8-01a6", "pruned-onnx", "again-int8-bdb5"]
