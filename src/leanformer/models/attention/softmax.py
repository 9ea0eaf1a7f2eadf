"""Softmax attention (Vaswani et al. 2017), with local windows, relative biases and rotary positions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from leanformer.models.attention.bias import Places
from leanformer.models.attention.heads import MultiHead
from leanformer.models.attention.rotary import rotate
from leanformer.models.dropout import dropout


class SoftmaxAttention(MultiHead):
    """Scaled dot-product attention; scores are scaled by 1 / sqrt(head size)."""

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, places: Places, *, with_probabilities: bool
    ) -> tuple[Tensor, Tensor | None]:
        bias, base = places.bias(self.shape), self.shape.rotary_base
        if base is not None:
            query, key = rotate(query, base), rotate(key, base)
        probability = self.dropout if self.training else 0.0
        if not (with_probabilities or probability):
            return F.scaled_dot_product_attention(query, key, value, attn_mask=bias), None
        scores = query @ key.transpose(-1, -2) / self.head_size**0.5
        probabilities = torch.softmax(scores if bias is None else scores + bias, dim=-1)
        return dropout(probabilities, probability) @ value, probabilities
