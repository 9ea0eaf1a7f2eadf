"""ONNX Runtime behind one narrow call: padded ids and mask in, logits out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort

from leanformer.errors import ArtifactError


class OnnxEngine:
    """A session on one graph. `run` may be called from several Python threads at once.

    Args:
        path: the graph; inputs `input_ids`, `attention_mask` (int64 `[B, S]`), output `logits`.
        threads: threads that work together on one call.

    Raises `ArtifactError` when the file is not a graph that ONNX Runtime can load.
    """

    def __init__(self, path: Path, threads: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Idle threads that spin take the cores from the tokenizer and from other processes.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        try:
            self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime has many error classes and no common base but Exception
            raise ArtifactError(f"{path}: ONNX Runtime cannot load it ({error})") from error

    def run(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Logits `[B, labels]`, float32."""
        (logits,) = self._session.run(["logits"], {"input_ids": ids, "attention_mask": mask})
        return np.asarray(logits)
