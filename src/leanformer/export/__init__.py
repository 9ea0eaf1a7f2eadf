"""Torch to graph: techniques that convert a model to ONNX, and that shrink the graph."""
