"""ONNX Runtime behind one narrow call: padded ids and mask in, logits out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime as ort

from leanformer.errors import ArtifactError


class OnnxEngine:
    """A session on one graph. `run` may be called from several Python threads at once.

    Args:
        path: the graph; inputs `input_ids`, `attention_mask` and, where it tells two texts apart, `token_type_ids`
            (int64 `[B, S]`), output `logits`.
        threads: threads that work together on one call.

    Attributes:
        takes_types: whether the graph has the third input.

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
        self.takes_types = any(one.name == "token_type_ids" for one in self._session.get_inputs())

    def run(self, ids: np.ndarray, mask: np.ndarray, types: np.ndarray | None = None) -> np.ndarray:
        """Logits `[B, outputs]`, float32; token types are passed over by a graph that makes no use of them."""
        feeds = {"input_ids": ids, "attention_mask": mask}
        if self.takes_types:
            feeds["token_type_ids"] = np.zeros_like(ids) if types is None else types
        (logits,) = self._session.run(["logits"], feeds)
        return np.asarray(logits)
