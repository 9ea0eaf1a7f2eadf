"""Kinds of self-attention: the module for each shape.

To add a kind of the main tier, add a file to this folder and a line here. Kinds of the reference tier are found by
name: the file `NAME.py` has a function `NAME` and, if the kind has parameters, a subclass of `Mixer` called `MODULE`.
"""

from __future__ import annotations

from importlib import import_module

from leanformer.models.attention.heads import MultiHead
from leanformer.models.attention.linear import LinearAttention
from leanformer.models.attention.mixer import Mixer
from leanformer.models.attention.softmax import SoftmaxAttention
from leanformer.shapes.attention import AttentionShape, Linear, Softmax
from leanformer.shapes.encoder import EncoderConfig, LayerShape

MODULES: dict[type[AttentionShape], type[MultiHead]] = {
    Linear: LinearAttention,
    Softmax: SoftmaxAttention,
}


def attention(config: EncoderConfig, shape: LayerShape) -> MultiHead:
    """The attention of a layer, randomly initialised."""
    kind = shape.attention.kind
    if type(shape.attention) in MODULES:
        return MODULES[type(shape.attention)](config, shape)
    module = import_module(f"leanformer.models.attention.{kind}")
    made: Mixer = getattr(module, "MODULE", Mixer)(config, shape, getattr(module, kind))
    return made
