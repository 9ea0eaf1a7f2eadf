"""Kinds of self-attention: the module for each shape. To add a kind, add a file to this folder and a line here."""

from __future__ import annotations

from leanformer.models.attention.heads import MultiHead
from leanformer.models.attention.linear import LinearAttention
from leanformer.models.attention.softmax import SoftmaxAttention
from leanformer.shapes.attention import AttentionShape, Linear, Softmax
from leanformer.shapes.encoder import EncoderConfig, LayerShape

MODULES: dict[type[AttentionShape], type[MultiHead]] = {
    Linear: LinearAttention,
    Softmax: SoftmaxAttention,
}


def attention(config: EncoderConfig, shape: LayerShape) -> MultiHead:
    """The attention of a layer, randomly initialised."""
    return MODULES[type(shape.attention)](config, shape)
