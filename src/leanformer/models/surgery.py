"""Smaller classifiers cut from larger ones: fewer layers, heads or feed-forward units, or another width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from leanformer.models.classifier import Classifier
from leanformer.models.encoder import Layer
from leanformer.shapes.encoder import EncoderConfig


def keep_layers(model: Classifier, layers: Sequence[int]) -> Classifier:
    """A copy, in the same mode, with only these layers (from 0, ascending).

    Each layer keeps its properties, including its window and rotary angles, at its new position. In a pre-norm encoder,
    a layer without a norm before its attention reads the embeddings, which are already normalised. It can only stay
    first. If it is removed, the next layer normalises the embeddings again, as it normalised its input in training.

    Raises `ValueError` for a layer that does not exist, for indices that are not ascending, or for none.
    """
    depth = len(model.config.layers)
    if not layers or any(not 0 <= i < depth for i in layers) or list(layers) != sorted(set(layers)):
        raise ValueError(f"layers {list(layers)} are not rising indices below {depth}")
    result = Classifier(replace(model.config, layers=tuple(model.config.layers[i] for i in layers)))
    around = {name: value for name, value in model.state_dict().items() if not name.startswith("encoder.layers.")}
    result.load_state_dict(around, strict=False)
    for ours, theirs in zip(result.encoder.layers, layers, strict=True):
        ours.load_state_dict(model.encoder.layers[theirs].state_dict())
    return result.train(model.training)


def narrow(model: Classifier, heads: Sequence[Tensor], units: Sequence[Tensor]) -> Classifier:
    """A copy, in the same mode, that keeps these heads and feed-forward units of each layer.

    `heads` and `units` are int64 indices per layer, in the order to keep them.
    Query, key and value lose rows, the attention output loses columns; the first feed-forward map and its gate lose
    rows, the second loses columns. The residual width stays the same, so heads * head_size may differ from it. A table
    of relative position biases stays complete, since all layers share it; each layer stores its heads' columns.
    """
    config, state = model.config, model.state_dict()
    shapes = []
    for index, (kept_heads, kept_units) in enumerate(zip(heads, units, strict=True)):
        layer, prefix = layer_at(model, index), f"encoder.layers.{index}."
        shapes.append(config.narrowed_layer(index, kept_heads.tolist(), len(kept_units)))
        rows = (kept_heads[:, None] * config.head_size + torch.arange(config.head_size)).reshape(-1)
        attention, ffn = layer.attention, layer.ffn
        cut(state, f"{prefix}attention", attention.HEAD_ROWS, attention.HEAD_COLUMNS, rows)
        cut(state, f"{prefix}ffn", ffn.UNIT_ROWS, ffn.UNIT_COLUMNS, kept_units)
    result = Classifier(replace(config, layers=tuple(shapes)))
    result.load_state_dict(state)
    return result.train(model.training)


def cut(state: dict[str, Tensor], part: str, rows: Sequence[str], columns: Sequence[str], kept: Tensor | slice) -> None:
    """Keep only these rows and columns of a part's maps, in place."""
    for name in rows:
        for key in (f"{part}.{name}.weight", f"{part}.{name}.bias"):
            if key in state:  # not every family has biases or a gate
                state[key] = state[key][kept]
    for name in columns:
        state[f"{part}.{name}.weight"] = state[f"{part}.{name}.weight"][:, kept]


def keep_words(model: Classifier, ids: Sequence[int]) -> Classifier:
    """A copy, in the same mode, with only these rows of the word table, in this order: row i is old id `ids[i]`.

    Raises `ValueError` if the padding id is not among them.
    """
    old = model.config.padding_id
    if old not in ids:
        raise ValueError(f"the padding id {old} must be kept")
    result = Classifier(replace(model.config, vocabulary=len(ids), padding_id=list(ids).index(old)))
    state = model.state_dict()
    state["encoder.embeddings.word.weight"] = state["encoder.embeddings.word.weight"][torch.as_tensor(ids)]
    result.load_state_dict(state)
    return result.train(model.training)


def head_norms(model: Classifier, layer: int) -> Tensor:
    """The product of the norms of each head's value and output weights in a layer, `[heads]`."""
    attention, size = layer_at(model, layer).attention, model.config.head_size
    value = attention.value.weight.unflatten(0, (-1, size)).flatten(1).norm(dim=1)
    output = attention.output.weight.unflatten(1, (-1, size)).transpose(0, 1).flatten(1).norm(dim=1)
    return value * output


def unit_norms(model: Classifier, layer: int) -> Tensor:
    """The product of the norms of incoming and outgoing weights of each feed-forward unit of a layer, `[ffn]`.

    In a gated block a unit has two incoming rows, whose outputs are multiplied; so are their norms.
    """
    ffn = layer_at(model, layer).ffn
    size = ffn.down.weight.norm(dim=0)
    for module in ffn.incoming:
        size = module.weight.norm(dim=1) * size
    return size


def largest_heads(model: Classifier, layer: int, count: int) -> Tensor:
    """The `count` heads of a layer with the largest `head_norms`, in ascending order."""
    return head_norms(model, layer).topk(count).indices.sort().values


def largest_units(model: Classifier, layer: int, count: int) -> Tensor:
    """The `count` feed-forward units of a layer with the largest `unit_norms`, in ascending order."""
    return unit_norms(model, layer).topk(count).indices.sort().values


def layer_at(model: Classifier, index: int) -> Layer:
    """A layer of a model, from 0."""
    layer = model.encoder.layers[index]
    assert isinstance(layer, Layer)
    return layer


def resized(config: EncoderConfig, *, hidden: int, heads: int, ffn: int, layers: int) -> EncoderConfig:
    """The configuration of a model of the same family with another width and layers of equal size.

    Layer n has the kind (window, angles, norm) of layer n of `config`, starting over if there are more. Embeddings that
    are narrower, with a projection, keep their width.
    """
    kinds = [config.layers[i % len(config.layers)] for i in range(layers)]
    # Only the first layer reads embeddings that are already normalised.
    shapes = tuple(
        replace(kind, heads=heads, ffn=ffn, bias_columns=None, attention_norm=kind.attention_norm or i > 0)
        for i, kind in enumerate(kinds)
    )
    relative = None if config.relative_bias is None else replace(config.relative_bias, heads=heads)
    labels = hidden if config.head.gives_vectors else config.labels
    return replace(
        config, hidden=hidden, head_size=hidden // heads, layers=shapes, relative_bias=relative, labels=labels
    )


def fresh_with_reduced_embeddings(config: EncoderConfig, source: Classifier) -> Classifier:
    """A model of another width, randomly initialised except for its word table: the source's, reduced by SVD.

    The projection onto the leading right singular vectors is the best approximation of that rank (Eckart and
    Young 1936); it is scaled to the standard deviation of a fresh table, 0.02. If the new table is wider than the
    source's,
    the additional columns stay random. Both tables must have the same number of rows.
    """
    model = Classifier(config)
    table = source.encoder.embeddings.word.weight.detach()
    rank = min(config.embedding_width, table.shape[1])
    _, vectors = torch.linalg.eigh(table.T @ table)
    reduced = table @ vectors.flip(1)[:, :rank]
    with torch.no_grad():
        model.encoder.embeddings.word.weight[:, :rank] = reduced * (0.02 / reduced.std())
    return model
