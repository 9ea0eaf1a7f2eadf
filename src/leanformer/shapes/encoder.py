"""The shape of an encoder classifier, as plain data; `encoder.json` in an artifact of format "encoder"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from leanformer.errors import CheckpointError
from leanformer.schema import fields as checked
from leanformer.schema import listed, nullable, number, text, truth, whole
from leanformer.shapes.attention import SOFTMAX, AttentionShape, attention_from_json, attention_to_json
from leanformer.shapes.feedforward import ACTIVATIONS, unit_parameters
from leanformer.shapes.flops import EncoderShape
from leanformer.shapes.head import HEAD, HeadShape

_WIDTH = whole(1, 1 << 20)
_ROWS = whole(1, 1 << 26)
_SHARE = number(0, 1)
_LAYER = checked(
    {"heads": _WIDTH, "ffn": _WIDTH},
    {
        "window": nullable(whole(0, 1 << 26)), "rotary_base": nullable(number(1)), "attention_norm": truth,
        "bias_columns": nullable(listed(whole(0, 1 << 20))), "attention": checked({"kind": text(100)}),
    },
    others=False,
)  # fmt: skip
ENCODER = checked(
    {
        "vocabulary": _ROWS, "hidden": _WIDTH, "head_size": _WIDTH, "positions": _ROWS,
        "token_types": whole(0, 1 << 20), "activation": text(100), "norm_epsilon": _SHARE, "dropout": _SHARE,
        "attention_dropout": _SHARE, "padding_id": whole(0, 1 << 26), "labels": _WIDTH,
        "layers": listed(_LAYER, 1, 10_000),
    },
    {
        "family": text(100), "embedding": nullable(_WIDTH), "position_table": truth,
        "position_offset": whole(0, 1 << 20),
        "relative_bias": nullable(
            checked({"buckets": _WIDTH, "max_distance": _WIDTH, "heads": _WIDTH}, others=False)
        ),
        "norm_first": truth, "gated_ffn": truth, "attention_bias": truth, "ffn_bias": truth, "norm_bias": truth,
        "head": HEAD,
    },
    others=False,
)  # fmt: skip
"""What `encoder.json` must look like, which may be anybody's."""


@dataclass(frozen=True)
class LayerShape:
    """One layer: its widths, and what distinguishes it from other layers.

    Attributes:
        heads: number of attention heads.
        ffn: width of the feed-forward block.
        window: largest distance, in tokens to either side, that attention reaches; None is unlimited.
        rotary_base: base of the rotary angles for queries and keys (theta; Su et al. 2021); None: no rotary positions.
        attention_norm: False for a pre-norm layer whose input is not normalised, such as the first one of ModernBERT.
        bias_columns: columns of the shared table of relative position biases that belong to this layer's heads; None
            means all of them in their order.
        attention: the kind of attention, with its options.
    """

    heads: int
    ffn: int
    window: int | None = None
    rotary_base: float | None = None
    attention_norm: bool = True
    bias_columns: tuple[int, ...] | None = None
    attention: AttentionShape = SOFTMAX


@dataclass(frozen=True)
class RelativeBias:
    """Biases added to the scores by the distance of two tokens, one table for all layers (Raffel et al. 2020).

    Attributes:
        buckets: rows of the table, half of them for each direction.
        max_distance: distances from here on share the last bucket.
        heads: columns of the table.
    """

    buckets: int
    max_distance: int
    heads: int


@dataclass(frozen=True)
class EncoderConfig:
    """A Transformer encoder with a classification head. The defaults of the later fields are those of BERT.

    Every layer has its own shape, so heads * head_size need not equal `hidden`.

    Attributes:
        vocabulary: rows of the word table.
        hidden: width of the residual stream.
        head_size: width of one attention head, the same in all layers.
        layers: the shape of each layer, first to last.
        positions: the longest input in tokens.
        token_types: rows of the token-type table; 0 for a family without one.
        activation: of the feed-forward blocks, one of `ACTIVATIONS` ("gelu" is the exact one).
        norm_epsilon: added to the variance in every LayerNorm.
        dropout, attention_dropout: used in training only.
        padding_id: id of padding tokens; masked everywhere.
        labels: number of logits.
        family: the architecture, given as the `model_type` of its Hugging Face checkpoints.
        embedding: width of the embedding tables if a linear map projects them to `hidden`; None means `hidden`.
        position_table: whether learned absolute positions are added to the word embeddings.
        position_offset: row of that table for the first token (RoBERTa counts from padding_id + 1).
        relative_bias: the table of relative position biases, if there is one.
        norm_first: pre-norm: norms before attention and feed-forward and one after the last layer; otherwise post-norm:
            after each residual sum.
        gated_ffn: feed-forward blocks multiply the activation with a second linear map (GeGLU; Shazeer 2020).
        attention_bias, ffn_bias, norm_bias: whether those maps and norms have biases.
        head: the shape of the classification head.
    """

    vocabulary: int
    hidden: int
    head_size: int
    layers: tuple[LayerShape, ...]
    positions: int
    token_types: int
    activation: str
    norm_epsilon: float
    dropout: float
    attention_dropout: float
    padding_id: int
    labels: int
    family: str = "bert"
    embedding: int | None = None
    position_table: bool = True
    position_offset: int = 0
    relative_bias: RelativeBias | None = None
    norm_first: bool = False
    gated_ffn: bool = False
    attention_bias: bool = True
    ffn_bias: bool = True
    norm_bias: bool = True
    head: HeadShape = field(default_factory=HeadShape)

    def __post_init__(self) -> None:
        if self.head.gives_vectors and (self.head.pooling == "none" or self.labels != self.hidden):
            raise CheckpointError(f"a vector is pooled, and {self.hidden} wide, not {self.labels}")
        if self.activation not in ACTIVATIONS:
            raise CheckpointError(f"unknown activation {self.activation!r}; one of {', '.join(ACTIVATIONS)}")
        if not self.layers:
            raise CheckpointError("an encoder needs at least one layer")
        if any(layer.heads < 1 or layer.ffn < 1 for layer in self.layers):
            raise CheckpointError("every layer needs at least one head and one feed-forward unit")
        if self.positions < 1:
            raise CheckpointError(f"no input is short enough for {self.positions} positions")
        if self.head_size % 2 and any(layer.rotary_base is not None for layer in self.layers):
            raise CheckpointError(f"rotary positions turn pairs; head size {self.head_size} is odd")
        if not self.norm_first and not all(layer.attention_norm for layer in self.layers):
            raise CheckpointError("a layer without a norm before its attention is a pre-norm layer (norm_first)")
        for layer in self.layers:
            self._check_attention(layer)
            self._check_bias_columns(layer)

    def _check_attention(self, layer: LayerShape) -> None:
        placed = self.relative_bias is not None or layer.window is not None or layer.rotary_base is not None
        if placed and not layer.attention.scores:
            raise CheckpointError(
                f"{layer.attention.kind} attention has no scores of pairs, so it can have no relative position biases, "
                "windows or rotary angles"
            )

    def _check_bias_columns(self, layer: LayerShape) -> None:
        if self.relative_bias is None:
            if layer.bias_columns is not None:
                raise CheckpointError("a layer names columns of relative position biases, and there are none")
            return
        columns = range(self.relative_bias.heads) if layer.bias_columns is None else layer.bias_columns
        if len(columns) != layer.heads or any(not 0 <= column < self.relative_bias.heads for column in columns):
            raise CheckpointError(
                f"a layer of {layer.heads} heads takes the relative position biases {list(columns)} of "
                f"{self.relative_bias.heads}"
            )

    @property
    def embedding_width(self) -> int:
        """Width of the embedding tables."""
        return self.hidden if self.embedding is None else self.embedding

    @property
    def reads_token_types(self) -> bool:
        """Whether token types can affect the output."""
        return self.token_types > 1

    @property
    def places_by_table_alone(self) -> bool:
        """Whether positions enter only through the position table: no relative biases, windows or rotary angles."""
        turned = any(layer.window is not None or layer.rotary_base is not None for layer in self.layers)
        return self.position_table and self.relative_bias is None and not turned

    @property
    def is_uniform(self) -> bool:
        """Whether stock `transformers` can represent this shape: equal widths, and heads that span the hidden width."""
        widths = {(layer.heads, layer.ffn) for layer in self.layers}
        return len(widths) == 1 and self.layers[0].heads * self.head_size == self.hidden

    def narrowed_layer(self, index: int, heads: Sequence[int], ffn: int) -> LayerShape:
        """A layer with the heads `heads`, in this order, and `ffn` units; it keeps the bias columns of its heads."""
        layer = self.layers[index]
        columns = None
        if self.relative_bias is not None:
            whole = range(layer.heads) if layer.bias_columns is None else layer.bias_columns
            columns = tuple(whole[head] for head in heads)
            if layer.bias_columns is None and columns == tuple(whole):
                columns = None
        return replace(layer, heads=len(heads), ffn=ffn, bias_columns=columns)

    @property
    def head_parameters(self) -> int:
        """Parameters of one attention head; the bias of the output map is counted for none."""
        return 4 * self.hidden * self.head_size + (3 * self.head_size if self.attention_bias else 0)

    @property
    def unit_parameters(self) -> int:
        """Parameters of one feed-forward unit; the bias of the output map is counted for none."""
        return unit_parameters(self.hidden, gated=self.gated_ffn, biases=self.ffn_bias)

    def shape(self, *, first_token_only: bool = False) -> EncoderShape:
        """The shape on which the cost depends.

        With `first_token_only`, and if the head reads only the first token, the last layer is computed for that token
        alone, as in our graphs. A head that averages or tags tokens needs all of them, and PyTorch always computes all.
        """
        head = self.head
        return EncoderShape(
            self.hidden, self.head_size, tuple((layer.heads, layer.ffn) for layer in self.layers),
            0 if head.gives_vectors else self.labels,
            pooler=head.pooling != "none" and not head.gives_vectors,
            first_only=first_token_only and head.pooling == "first",
            gated=self.gated_ffn, embedding=self.embedding, every_token=head.pooling == "none",
            attention=tuple(layer.attention for layer in self.layers),
        )  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Plain values, without fields of other families that have their default."""
        return _without_defaults(self) | {"layers": [_layer_to_json(layer) for layer in self.layers]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> EncoderConfig:
        """Raises `CheckpointError` on missing or unknown keys."""
        try:
            given = {**value, "layers": tuple(_layer(layer) for layer in value["layers"])}
            if given.get("relative_bias") is not None:
                given["relative_bias"] = RelativeBias(**given["relative_bias"])
            if "head" in given:
                given["head"] = HeadShape(**given["head"])
            return cls(**given)
        except (TypeError, KeyError) as error:
            raise CheckpointError(f"not an encoder configuration: {error}") from error


def _without_defaults(value: EncoderConfig | LayerShape) -> dict[str, Any]:
    optional = {field_.name: HeadShape() if field_.name == "head" else field_.default for field_ in fields(value)}
    kept = [name for name in optional if getattr(value, name) != optional[name]]
    return {name: part for name, part in asdict(value).items() if name in kept}


def _layer_to_json(layer: LayerShape) -> dict[str, Any]:
    value = _without_defaults(layer)
    return value | {"attention": attention_to_json(layer.attention)} if "attention" in value else value


def _layer(value: Mapping[str, Any]) -> LayerShape:
    given = dict(value)
    if given.get("bias_columns") is not None:
        given["bias_columns"] = tuple(given["bias_columns"])
    if "attention" in given:
        given["attention"] = attention_from_json(given["attention"])
    return LayerShape(**given)
