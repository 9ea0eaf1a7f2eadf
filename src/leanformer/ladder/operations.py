"""How much work a rung does per text: operations, padding, memory traffic, and the machine's peak rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from leanformer.artifact import Artifact
from leanformer.batching import batches_by_length
from leanformer.formats import can
from leanformer.predictor import Predictor
from leanformer.runtime.engines.engine import OnnxEngine
from leanformer.shapes.flops import Shape, Work, traffic_bytes, work
from leanformer.shapes.of_artifact import shape_of_artifact

UNKNOWN_WORK: dict[str, Any] = {"flops_per_text": None, "padding_waste": None, "traffic_bytes_per_text": None}
"""Of a predictor that tells nothing of what it computes."""


def work_of(artifact: Artifact, predictor: Predictor, lengths: Sequence[int], rows: float = 1) -> dict[str, Any]:
    """Fields of `report.Rung` for rows of the given lengths in tokens, `rows` per text on average; None if unknown.

    For packs, only operations on the texts' own tokens are counted. Masked products between texts that share a line
    depend on how the engine tiles them and are not counted, so the padding waste of packs is unknown, not zero.
    """
    shape = shape_of_artifact(artifact)
    if shape is None or not lengths:
        return dict(UNKNOWN_WORK)
    mean = round(float(np.mean(lengths)))
    done = _batched(artifact, predictor, lengths, shape)
    flops = work(shape, [[length] for length in lengths]).per_text if done is None else done.per_text
    return {
        "flops_per_text": flops * rows,
        "padding_waste": None if done is None else done.waste,
        "traffic_bytes_per_text": traffic_bytes(_weights(artifact), shape, max(1, round(rows)), mean),
    }


def _batched(artifact: Artifact, predictor: Predictor, lengths: Sequence[int], shape: Shape) -> Work | None:
    """The work for the texts, padded in batches; None if they are not, as in packs and by our own engine."""
    rows = [np.zeros(length, dtype=np.int8) for length in lengths]
    if not can(artifact, "light"):
        tokens = getattr(predictor, "batch_tokens", None)
    elif artifact.properties.get("layout") == "padded" and getattr(predictor, "engine", None) != "native":
        tokens = getattr(predictor, "pack_tokens", None) or OnnxEngine.BATCH_TOKENS
    else:
        return None
    batches = [[lengths[i] for i in batch] for batch in batches_by_length(rows, tokens)]
    return work(shape, batches, pad_to=getattr(predictor, "pad_to", None))


def _weights(artifact: Artifact) -> int:
    """Bytes of the weights that every text needs: without the embedding tables, if their share is known."""
    whole, inner = (artifact.properties.get(name) for name in ("parameters", "parameters_without_embeddings"))
    return artifact.bytes if not whole or inner is None else round(artifact.bytes * int(inner) / int(whole))
