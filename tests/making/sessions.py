"""ONNX Runtime on a graph as the product runs it, so that int8 sums saturate on no CPU."""

from __future__ import annotations

from pathlib import Path

import onnx
import onnxruntime as ort

from leanformer.runtime.engines.engine import OnnxEngine


def session_of(graph: onnx.ModelProto | Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    for entry, value in OnnxEngine.ENTRIES.items():
        options.add_session_config_entry(entry, value)
    source = str(graph) if isinstance(graph, Path) else graph.SerializeToString()
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
