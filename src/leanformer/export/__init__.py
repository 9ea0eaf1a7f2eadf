"""Torch to graph: techniques that turn a model into ONNX, and shrink the graph."""
