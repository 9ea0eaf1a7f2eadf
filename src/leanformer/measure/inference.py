"""Energy of answering texts, metered on the same texts and in the same batches as throughput."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from leanformer.measure.energy import LEAST_SECONDS, Energy, EnergySettings, meter
from leanformer.measure.speed import sample
from leanformer.predictor import Predictor
from leanformer.task import Text


def meter_inference(
    predictor: Predictor,
    texts: Sequence[Text],
    settings: EnergySettings,
    *,
    seconds: float = 8.0,
    seed: int = 13,
    least_seconds: float = LEAST_SECONDS,
) -> Energy:
    """Answer `texts`, in one order for all models, again and again for `settings.seconds`; tokenizer included.

    Args:
        seconds: a predictor too slow for all texts in so many seconds gets a sample of them, as for throughput.
        least_seconds: below which there is no figure.
    """
    order = np.random.default_rng(seed).permutation(len(texts))
    shown = sample(predictor, [texts[i] for i in order], seconds)
    answered = 0
    with meter("inference", country=settings.country, least_seconds=least_seconds) as block:
        while block.seconds < settings.seconds:
            predictor.infer(predictor.tokenize(shown))
            answered += len(shown)
    assert block.energy is not None
    return replace(block.energy, texts=answered)
