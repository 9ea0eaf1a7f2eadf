"""Kinds of attention as plain data, each with the operations of its own products."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Softmax:
    """Every token attends to every token: softmax of the scaled products of queries and keys (Vaswani et al. 2017).

    Local attention counts in full: its products are masked, not left out.
    """

    def flops(self, tokens: int, asked: int, head_size: int) -> int:
        """Operations of one head's two products over `tokens` keys, for `asked` queries; its linear maps are extra."""
        return 4 * asked * tokens * head_size

    def elements(self, tokens: int, head_size: int) -> int:
        """Entries of what one head writes and reads again between its two products: the scores."""
        return tokens * tokens
