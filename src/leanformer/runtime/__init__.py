"""The light runtime: ONNX Runtime, tokenizers, numpy."""
