"""The standard file of an artifact that somebody changed is refused in words, and leaves nothing behind."""

from __future__ import annotations

import shutil
from pathlib import Path

import onnx
import pytest

from leanformer.artifact import open_artifact
from leanformer.errors import ArtifactError
from leanformer.export.standard import write_standard_onnx
from tests.fuzz.hashes import repair
from tests.making.graphs import make_onnx


def test_a_node_whose_input_comes_from_nowhere(tmp_path: Path) -> None:
    encoder, whole = make_onnx(tmp_path / "made")
    write_standard_onnx(whole, tmp_path / "whole.onnx")
    changed = tmp_path / "changed"
    shutil.copytree(whole.path, changed)
    graph = onnx.load(changed / "model.onnx")
    node = next(node for node in graph.graph.node if node.op_type == "LayerNormalization")
    node.input[0] = "nowhere"
    (changed / "model.onnx").write_bytes(graph.SerializeToString())
    repair(changed)
    with pytest.raises(
        ArtifactError, match=r"model.onnx: cannot be rewritten.*nowhere.*\n  remedy: recreate the artifact"
    ):
        write_standard_onnx(open_artifact(changed), tmp_path / "plain.onnx")
    assert not (tmp_path / "plain.onnx").exists()
    write_standard_onnx(encoder, tmp_path / "plain.onnx")  # the remedy
    assert (tmp_path / "plain.onnx").is_file()
