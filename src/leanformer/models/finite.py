"""Checks for non-finite weights and outputs, as left by diverged training or an overflow."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from leanformer.errors import ArtifactError, LeanformerError

_REMEDY = (
    "the training diverged, or a number was too large for fp16: take an earlier checkpoint of it, or one that was "
    "saved in fp32"
)


def check_finite(
    tensors: Mapping[str, torch.Tensor], source: object, error: type[LeanformerError], remedy: str = _REMEDY
) -> None:
    """Raise `error` with the name of the first of `tensors` that is not finite in fp32, and the value found."""
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            continue
        values = tensor.detach().float()
        if bool(torch.isfinite(values).all()):
            continue
        wrong = int((~torch.isfinite(values)).sum())
        what = "NaN" if bool(torch.isnan(values).any()) else "infinite"
        raise error(
            f"{source}: the weight {name} is not finite: {wrong} of its {values.numel()} numbers "
            f"{'is' if wrong == 1 else 'are'} {what}\n  remedy: {remedy}"
        )


def check_answers(values: np.ndarray, source: object) -> None:
    """Raise `ArtifactError` if the logits of the model `source` are not finite."""
    if not np.isfinite(values).all():
        rows = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))
        raise ArtifactError(
            f"{source}: the model's answers are not finite, {len(rows)} of {len(values)} rows; its weights are, but "
            f"what it computes overflows\n  remedy: {_REMEDY}"
        )
