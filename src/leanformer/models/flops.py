"""Floating-point operations of an encoder, counted from its shape.

A multiplication with its addition counts as two, as `torch.utils.flop_counter` counts. Only matrix products count:
norms, softmax and activations are linear in the width and small beside them. Counts are per text.
"""

from __future__ import annotations

from leanformer.models.config import EncoderConfig


def head_flops(config: EncoderConfig, tokens: int, queries: int | None = None) -> int:
    """One attention head over `tokens` tokens: its query, key, value and output maps and its two products.

    `queries` is the number of tokens whose output is computed, all of them by default.
    """
    asked = tokens if queries is None else queries
    maps = 4 * (tokens + asked) * config.hidden * config.head_size
    return maps + 4 * asked * tokens * config.head_size


def unit_flops(config: EncoderConfig, tokens: int) -> int:
    """One feed-forward unit over `tokens` tokens: its row of the first map, and of a gate, its column of the second."""
    return (6 if config.gated_ffn else 4) * tokens * config.hidden


def outputs_of_layer(config: EncoderConfig, layer: int, tokens: int, *, first_token_only: bool) -> int:
    """How many tokens of a layer's output are computed: in the last layer of an exported graph the first one alone.

    That is, where the head reads no other; a head that averages tokens needs them all.
    """
    last = layer == len(config.layers) - 1 and config.head.pooling == "first"
    return 1 if first_token_only and last else tokens


def encoder_flops(config: EncoderConfig, tokens: int, *, first_token_only: bool = False) -> int:
    """Layers, head and the projection of narrow embeddings over one text of `tokens` tokens, without padding.

    With `first_token_only` the last layer is computed for the first token alone where the head reads no other, as our
    graphs do; PyTorch computes it for all. Local attention counts in full: its products are masked, not left out.
    """
    total = 2 * config.hidden * (config.hidden + config.labels)
    if config.embedding is not None:
        total += 2 * tokens * config.embedding * config.hidden
    for i, layer in enumerate(config.layers):
        queries = outputs_of_layer(config, i, tokens, first_token_only=first_token_only)
        total += layer.heads * head_flops(config, tokens, queries) + layer.ffn * unit_flops(config, queries)
    return total
