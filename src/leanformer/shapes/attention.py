"""Kinds of attention as plain data: the name of each, and the operations of its products.

A new kind is a dataclass here, with its options if it has any, an entry in `MAIN`, and a module in `models/attention/`.
That is enough for PyTorch; for export it also needs graph nodes (`export/graphs/`), which `has_graph` declares. Kinds
of the reference tier are in `mixers.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol

from leanformer.errors import CheckpointError
from leanformer.shapes.mixers import REFERENCE


class AttentionShape(Protocol):
    """A kind of attention; its fields are its options.

    Attributes:
        scores: whether it computes a score for each pair of tokens, to which windows, relative biases and rotary angles
            can be applied.
        has_graph: whether it has graph nodes, so that it can be exported.
        maps: number of linear maps between the hidden width and the heads: queries, keys, values and the output.
    """

    kind: ClassVar[str]
    scores: ClassVar[bool]
    has_graph: ClassVar[bool]
    maps: ClassVar[int]

    def flops(self, tokens: int, asked: int, head_size: int) -> int:
        """Operations of one head's products over `tokens` keys, for `asked` queries; linear maps are not included."""
        ...

    def elements(self, tokens: int, head_size: int) -> int:
        """Number of entries that one head writes between its products and reads again."""
        ...


@dataclass(frozen=True)
class Softmax:
    """Every token attends to every token: softmax of the scaled products of queries and keys (Vaswani et al. 2017).

    Local attention is counted in full, because its products are masked, not skipped.
    """

    kind: ClassVar[str] = "softmax"
    scores: ClassVar[bool] = True
    has_graph: ClassVar[bool] = True
    maps: ClassVar[int] = 4

    def flops(self, tokens: int, asked: int, head_size: int) -> int:
        return 4 * asked * tokens * head_size

    def elements(self, tokens: int, head_size: int) -> int:
        return tokens * tokens


@dataclass(frozen=True)
class Linear:
    """Keys and values summed once for all queries, through a feature map (Katharopoulos et al. 2020)."""

    kind: ClassVar[str] = "linear"
    scores: ClassVar[bool] = False
    has_graph: ClassVar[bool] = False
    maps: ClassVar[int] = 4

    def flops(self, tokens: int, asked: int, head_size: int) -> int:
        return 2 * (tokens + asked) * head_size**2

    def elements(self, tokens: int, head_size: int) -> int:
        return head_size**2


SOFTMAX = Softmax()
MAIN: dict[str, type[AttentionShape]] = {shape.kind: shape for shape in (Softmax, Linear)}
KINDS: dict[str, type[AttentionShape]] = MAIN | REFERENCE


def attention_to_json(shape: AttentionShape) -> dict[str, Any]:
    """The kind and its options."""
    return {"kind": shape.kind, **asdict(shape)}  # type: ignore[call-overload]


def attention_from_json(value: Mapping[str, Any]) -> AttentionShape:
    """Raises `CheckpointError` for an unknown kind, and for options that the kind does not have."""
    options = dict(value)
    kind = options.pop("kind", None)
    if kind not in KINDS:
        raise CheckpointError(f"unknown kind of attention {kind!r}; one of {', '.join(KINDS)}")
    try:
        return KINDS[kind](**options)
    except TypeError as error:
        raise CheckpointError(f"not the options of {kind} attention: {error}") from error


def need_graph(shape: AttentionShape, place: object) -> None:
    """Raise `CheckpointError`, naming `place`, for a kind of attention without graph nodes."""
    if not shape.has_graph:
        exported = ", ".join(name for name, kind in KINDS.items() if kind.has_graph)
        raise CheckpointError(
            f"{place}: {shape.kind} attention runs in PyTorch only; kinds that can be exported: {exported}\n"
            "  remedy: run the artifact as it is (leanformer.load, leanformer predict); to export, quantise or tune, "
            "take a model whose layers all have softmax attention"
        )
