"""Own small perturbations that leave the meaning as it is, and what they cost a model.

Compare drops, not levels: a model that loses no more than its teacher under typing errors is as robust, whatever both
score without them. The perturbations are decided by the text and a seed, so every model reads the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

import numpy as np

from leanformer.predictor import Predictor, logits

_TYPO_SHARE = 0.15  # of the words long enough to bear one
_SHORTEST = 4  # letters; a typing error in a shorter word often makes another word


def typos(text: str, seed: int = 13) -> str:
    """About one in seven longer words gets one error: two letters swapped, one left out, or one doubled.

    The first and last letter stay, as in most typing errors that people overlook. At least one word is hit where any
    is long enough.
    """
    random = Random(f"{seed}:{text}")  # seeded by text, which is the same on every platform and in every process
    words = text.split(" ")
    bearing = [i for i, word in enumerate(words) if len(word) >= _SHORTEST and word.isalpha()]
    if not bearing:
        return text
    for i in random.sample(bearing, max(1, round(_TYPO_SHARE * len(bearing)))):
        words[i] = _misspelt(words[i], random)
    return " ".join(words)


def _misspelt(word: str, random: Random) -> str:
    at = random.randrange(1, len(word) - 2)
    kind = random.randrange(3)
    if kind == 0 and word[at] != word[at + 1]:
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == 1:
        return word[:at] + word[at + 1 :]
    return word[: at + 1] + word[at:]


def lower(text: str, seed: int = 13) -> str:
    """Everything in small letters."""
    return text.lower()


def upper(text: str, seed: int = 13) -> str:
    """Everything in capitals."""
    return text.upper()


PERTURBATIONS: Mapping[str, Callable[[str, int], str]] = {"typos": typos, "lower": lower, "upper": upper}


def robustness(
    predictor: Predictor, texts: Sequence[str], labels: np.ndarray, *, seed: int = 13
) -> dict[str, dict[str, float]]:
    """For each perturbation: accuracy on perturbed texts, points lost by it, and the share of answers it changed.

    "touched" is the share of texts that it altered at all; an uncased tokenizer makes case no perturbation.
    """
    plain = logits(predictor, texts).argmax(axis=1)
    found = {}
    for name, change in PERTURBATIONS.items():
        altered = [change(text, seed) for text in texts]
        answers = logits(predictor, altered).argmax(axis=1)
        quality = float((answers == labels).mean())
        found[name] = {
            "quality": quality,
            "lost": float((plain == labels).mean()) - quality,
            "changed": float((answers != plain).mean()),
            "touched": float(np.mean([a != b for a, b in zip(altered, texts, strict=True)])),
        }
    return found
