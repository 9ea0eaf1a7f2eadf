"""Any artifact as one standard ONNX file: `input_ids`, `attention_mask`, optional `token_type_ids` -> `logits`."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from leanformer.artifact import Artifact
from leanformer.errors import ArtifactError


def write_standard_onnx(artifact: Artifact, path: Path, *, token_types: bool = False) -> None:
    """Write `path` by way of a temporary name. The graph in an artifact of format "onnx" is such a file already.

    Raises `ArtifactError` for a family that is not mapped, and for token types asked of a graph that was made without.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        if artifact.format == "onnx":
            if token_types:
                raise ArtifactError(
                    f"{artifact.path}: its graph was made without token types\n"
                    "  remedy: export the encoder artifact that it was made from"
                )
            shutil.copyfile(artifact.file("model.onnx"), temporary)
        else:
            import onnx

            from leanformer.export.encoder_graph import encoder_graph
            from leanformer.models.store import read_model

            onnx.save(encoder_graph(read_model(artifact), token_types=token_types), temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
