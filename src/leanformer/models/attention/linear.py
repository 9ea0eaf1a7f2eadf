"""Linear attention (Katharopoulos et al. 2020, arXiv 2006.16236): the cost is linear, not quadratic, in the length."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from leanformer.models.attention.bias import Places
from leanformer.models.attention.heads import MultiHead


class LinearAttention(MultiHead):
    """The output of token i is sum_j p_ij v_j, with p_ij = f(q_i) f(k_j) / sum_j f(q_i) f(k_j), f = elu + 1.

    The sums run over real tokens j and are computed once for all i. Attention is not causal. Attention dropout does not
    apply here and is omitted.
    """

    def attend(
        self, query: Tensor, key: Tensor, value: Tensor, places: Places, *, with_probabilities: bool
    ) -> tuple[Tensor, Tensor | None]:
        real = places.mask[:, None, :, None].to(key.dtype)
        query, key = F.elu(query) + 1, (F.elu(key) + 1) * real
        # Positive, since every row has a real token; the lower bound guards against underflow of the products.
        total = (query * key.sum(dim=-2, keepdim=True)).sum(dim=-1, keepdim=True).clamp_min(1e-12)
        context = query @ (key.transpose(-1, -2) @ value) / total
        return context, query @ key.transpose(-1, -2) / total if with_probabilities else None
