"""Our classifier as an ONNX graph: `input_ids`, `attention_mask` -> `logits`, with dynamic batch and length.

What differs from a traced model: query, key and value are one product; the scale of the scores is folded into the
query; reshapes copy their dynamic dimensions (0) instead of computing them; and the last layer computes queries,
attention output and feed-forward for the first token alone, because the head reads nothing else.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import torch

from leanformer.export.graph import Graph
from leanformer.models.classifier import Classifier
from leanformer.models.config import EncoderConfig
from leanformer.models.encoder import Layer

# Added to the scores of padded keys; exp of it is exactly zero in fp32.
MASKED = -1e9


def encoder_graph(model: Classifier, *, token_types: bool = False) -> onnx.ModelProto:
    """The graph of `model`; with `token_types` it has the third input `token_type_ids`, else they count as zero."""
    config, g = model.config, Graph()
    x = _embeddings(g, model, token_types)
    mask = mask_nodes(g)
    last = len(config.layers) - 1
    for index, layer in enumerate(model.encoder.layers):
        assert isinstance(layer, Layer)
        read = None
        if index == last:
            read = g.node("Slice", [x, g.integers(0), g.integers(1), g.integers(1)], f"layer{index}.first")
        x = layer_nodes(g, layer, x, mask, config, f"layer{index}", read=read)
    head_nodes(g, model, g.node("Squeeze", [x, g.integers(1)], "first_token"))
    names = ["input_ids", "attention_mask"] + (["token_type_ids"] if token_types else [])
    return g.model({name: ["batch", "tokens"] for name in names}, {"logits": ["batch", config.labels]})


def _embeddings(g: Graph, model: Classifier, token_types: bool) -> str:
    e = model.encoder.embeddings
    word = g.node("Gather", [g.constant("word_table", array(e.word.weight)), "input_ids"], "word")
    types, positions = array(e.token_type.weight), array(e.position.weight)
    if not token_types:
        positions = positions + types[0]
    position = position_nodes(g, g.constant("position_table", positions))
    x = g.node("Add", [word, position], "embedded")
    if token_types:
        kind = g.node("Gather", [g.constant("token_type_table", types), "token_type_ids"], "token_type")
        x = g.node("Add", [x, kind], "embedded_with_type")
    return g.norm(x, array(e.norm.weight), array(e.norm.bias), e.norm.eps, "embeddings")


def mask_nodes(g: Graph) -> str:
    """`attention_mask` `[B, S]` to what is added to scores, `[B, 1, 1, S]`."""
    mask = g.node("Cast", ["attention_mask"], "mask.float", to=onnx.TensorProto.FLOAT)
    mask = g.node("Sub", [g.constant("one", np.array(1, np.float32)), mask], "mask.padded")
    mask = g.node("Mul", [mask, g.constant("masked", np.array(MASKED, np.float32))], "mask.bias")
    return str(g.node("Unsqueeze", [mask, g.integers(1, 2)], "mask"))


def position_nodes(g: Graph, table: str) -> str:
    """The rows of the position table `[S, H]` for `input_ids` `[B, S]`."""
    length = g.node("Shape", ["input_ids"], "length", start=1, end=2)
    return str(g.node("Slice", [table, g.integers(0), length, g.integers(0)], "position"))


def head_nodes(g: Graph, model: Classifier, first: str) -> None:
    """From the first tokens `[B, H]` to the output `logits` `[B, labels]`."""
    pooled = g.linear(first, array(model.head.pooler.weight), array(model.head.pooler.bias), "pooler")
    pooled = g.node("Tanh", [pooled], "pooled")
    logits = g.linear(pooled, array(model.head.classifier.weight), array(model.head.classifier.bias), "classifier")
    g.node("Identity", [logits], "logits")


def layer_nodes(
    g: Graph, layer: Layer, x: str, mask: str, config: EncoderConfig, name: str, *, read: str | None = None
) -> str:
    """One layer over `x` `[B, S, H]`, with `mask` added to the scores.

    With `read`, those tokens of `x` that are read later (`[B, R, H]`), the layer is computed for them alone, and
    `mask` is theirs.
    """
    a, size = layer.attention, config.head_size
    heads, width = a.heads, a.heads * size
    scale = size**-0.5
    query = (array(a.query.weight) * scale, array(a.query.bias) * scale)
    key = (array(a.key.weight), array(a.key.bias))
    value = (array(a.value.weight), array(a.value.bias))
    if read is not None:
        residual = read
        q = g.linear(residual, *query, f"{name}.query")
        kv = g.linear(x, *_stacked(key, value), f"{name}.key_value")
        k, v = g.node("Split", [kv], f"{name}.split", outputs=2, axis=-1, num_outputs=2)
    else:
        residual = x
        qkv = g.linear(x, *_stacked(query, key, value), f"{name}.query_key_value")
        q, k, v = g.node("Split", [qkv], f"{name}.split", outputs=3, axis=-1, num_outputs=3)
    by_head = g.integers(0, 0, heads, size)

    def split_heads(y: str, part: str, order: list[int]) -> str:
        return str(
            g.node("Transpose", [g.node("Reshape", [y, by_head], f"{name}.{part}.heads")], f"{name}.{part}", perm=order)
        )

    q, k, v = split_heads(q, "q", [0, 2, 1, 3]), split_heads(k, "k", [0, 2, 3, 1]), split_heads(v, "v", [0, 2, 1, 3])
    scores = g.node("Add", [g.node("MatMul", [q, k], f"{name}.scores"), mask], f"{name}.masked_scores")
    probabilities = g.node("Softmax", [scores], f"{name}.probabilities", axis=-1)
    context = g.node("MatMul", [probabilities, v], f"{name}.context")
    context = g.node("Transpose", [context], f"{name}.context.tokens", perm=[0, 2, 1, 3])
    context = g.node("Reshape", [context, g.integers(0, 0, width)], f"{name}.context.joined")
    attended = g.linear(context, array(a.output.weight), array(a.output.bias), f"{name}.attention_output")
    x = g.node("Add", [residual, attended], f"{name}.attention_residual")
    n = layer.attention_norm
    x = g.norm(x, array(n.weight), array(n.bias), n.eps, f"{name}.attention_norm")
    up = g.linear(x, array(layer.ffn.up.weight), array(layer.ffn.up.bias), f"{name}.up")
    if config.activation == "relu":
        active = g.node("Relu", [up], f"{name}.activation")
    else:
        kind = "tanh" if config.activation == "gelu_tanh" else "none"
        active = g.node("Gelu", [up], f"{name}.activation", approximate=kind)
    down = g.linear(active, array(layer.ffn.down.weight), array(layer.ffn.down.bias), f"{name}.down")
    x = g.node("Add", [x, down], f"{name}.ffn_residual")
    n = layer.ffn_norm
    return g.norm(x, array(n.weight), array(n.bias), n.eps, f"{name}.ffn_norm")


def expected_operators(layers: int, *, activation: str = "gelu", token_types: bool = False) -> dict[str, int]:
    """How many nodes of each operator the graph of so many layers has; every export is checked against it.

    Per layer 6 products (4 linear maps on packed queries, keys and values; 2 in attention), and one more in the
    last layer, whose query is computed apart; 2 in the head.
    """
    counts = Counter(
        {
            "MatMul": 6 * layers + 1 + 2,
            "Add": 7 * layers + 1 + 2 + 1,
            "LayerNormalization": 2 * layers + 1,
            "Softmax": layers,
            "Reshape": 4 * layers,
            "Transpose": 4 * layers,
            "Split": layers,
            "Relu" if activation == "relu" else "Gelu": layers,
            "Gather": 1, "Shape": 1, "Slice": 2, "Cast": 1, "Sub": 1, "Mul": 1, "Unsqueeze": 1,
            "Squeeze": 1, "Tanh": 1, "Identity": 1,
        }
    )  # fmt: skip
    if token_types:
        counts.update({"Gather": 1, "Add": 1})
    return dict(sorted(counts.items()))


def _stacked(*maps: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Several linear maps of the same input as one."""
    return np.concatenate([w for w, _ in maps]), np.concatenate([b for _, b in maps])


def array(value: torch.Tensor) -> np.ndarray:
    return np.asarray(value.detach().cpu().float().numpy())
