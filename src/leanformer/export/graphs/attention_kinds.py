"""The kinds of attention that have graph nodes. A kind without them runs in PyTorch and cannot be exported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from leanformer.export.graphs.graph import Graph
from leanformer.export.graphs.position_graph import Positions
from leanformer.export.graphs.softmax_graph import softmax_nodes, softmax_operators
from leanformer.models.attention.heads import MultiHead
from leanformer.shapes.attention import Softmax, need_graph
from leanformer.shapes.encoder import EncoderConfig, LayerShape


class Nodes(Protocol):
    """Add the nodes of one layer's attention, from the tokens `asking` to the tokens `x`; returns the output's name."""

    def __call__(
        self, g: Graph, module: MultiHead, asking: str, x: str, positions: Positions, name: str, *,
        first_token_only: bool,
    ) -> str: ...  # fmt: skip


class Operators(Protocol):
    """How many nodes of each operator they are."""

    def __call__(self, config: EncoderConfig, shape: LayerShape, *, first_token_only: bool) -> dict[str, int]: ...


@dataclass(frozen=True)
class AttentionGraph:
    """A kind of attention as graph nodes."""

    nodes: Nodes
    operators: Operators


GRAPHS: dict[str, AttentionGraph] = {
    Softmax.kind: AttentionGraph(softmax_nodes, softmax_operators),
}


def attention_graph(shape: LayerShape, place: object = "a layer") -> AttentionGraph:
    """The nodes of a layer's attention. Raises `CheckpointError`, naming `place`, for a kind without nodes."""
    need_graph(shape.attention, place)
    return GRAPHS[shape.attention.kind]


def need_graphs(config: EncoderConfig, place: object) -> None:
    """Raise `CheckpointError`, naming `place`, if a layer has a kind of attention without nodes."""
    for layer in config.layers:
        attention_graph(layer, place)
