"""Linear attention (Katharopoulos et al. 2020, arXiv 2006.16236): cost grows with the length, not with its square."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from leanformer.models.attention.bias import Places
from leanformer.models.attention.heads import MultiHead


class LinearAttention(MultiHead):
    """Token i gives sum_j p_ij v_j with p_ij = f(q_i) f(k_j) / sum_j f(q_i) f(k_j) over real tokens j; f = elu + 1.

    The sums over j are made once for all i. Nothing is causal. Attention dropout has no place here and is left out.
    """

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, places: Places, *, with_probabilities: bool
    ) -> tuple[Tensor, Tensor | None]:
        real = places.mask[:, None, :, None].to(key.dtype)
        query, key = F.elu(query) + 1, (F.elu(key) + 1) * real
        # Above zero, since a row has a real token; the bound is for products that underflow.
        total = (query * key.sum(dim=-2, keepdim=True)).sum(dim=-1, keepdim=True).clamp_min(1e-12)
        context = query @ (key.transpose(-1, -2) @ value) / total
        return context, query @ key.transpose(-1, -2) / total if with_probabilities else None
