"""What `leanformer.shapes.flops` counts, for the shape of a configuration. Counts are per text, without padding."""

from __future__ import annotations

from leanformer.shapes import flops
from leanformer.shapes.encoder import EncoderConfig
from leanformer.shapes.flops import Shape


def shape_of_config(config: EncoderConfig, *, first_token_only: bool = False) -> Shape:
    """What the count depends on.

    With `first_token_only` the last layer is computed for the first token alone where the head reads no other, as our
    graphs do; a head that averages or tags tokens needs them all, and PyTorch always computes them.
    """
    head = config.head
    return Shape(
        config.hidden, config.head_size, tuple((one.heads, one.ffn) for one in config.layers),
        0 if head.gives_vectors else config.labels,
        pooler=head.pooling != "none" and not head.gives_vectors,
        first_only=first_token_only and head.pooling == "first",
        gated=config.gated_ffn, embedding=config.embedding, every_token=head.pooling == "none",
    )  # fmt: skip


def head_flops(config: EncoderConfig, tokens: int, queries: int | None = None) -> int:
    """One attention head over `tokens` tokens, `queries` of which are computed, all of them by default."""
    return shape_of_config(config).head_flops(tokens, tokens if queries is None else queries)


def unit_flops(config: EncoderConfig, tokens: int) -> int:
    """One feed-forward unit over `tokens` tokens."""
    return shape_of_config(config).unit_flops(tokens)


def outputs_of_layer(config: EncoderConfig, layer: int, tokens: int, *, first_token_only: bool) -> int:
    """How many tokens of a layer's output are computed: in the last layer of an exported graph perhaps one alone."""
    return shape_of_config(config, first_token_only=first_token_only).asked(layer, tokens)


def encoder_flops(config: EncoderConfig, tokens: int, *, first_token_only: bool = False) -> int:
    """Layers, head and the projection of narrow embeddings over one text of `tokens` tokens."""
    return flops.encoder_flops(shape_of_config(config, first_token_only=first_token_only), 1, tokens)
