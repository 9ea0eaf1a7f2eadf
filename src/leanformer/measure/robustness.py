"""Small perturbations that keep the meaning of a text, and how much quality a model loses under them.

Compare drops, not levels: a model that loses no more than its teacher under typing errors is as robust, whatever both
score without them. The perturbations depend only on the text and a seed, so every model reads the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

import numpy as np

from leanformer.answers.forms import decide, form_of, metric_of
from leanformer.inputs.input import changed
from leanformer.predictor import Predictor, logits
from leanformer.task import Text

_TYPO_SHARE = 0.15  # of the words that are long enough
_SHORTEST = 4  # letters; a typing error in a shorter word often makes another word


def typos(text: str, seed: int = 13) -> str:
    """About one in seven longer words gets one error: two letters swapped, one left out, or one doubled.

    The first and last letter stay, as in most typing errors that readers overlook. At least one word is changed if any
    is long enough.
    """
    random = Random(f"{seed}:{text}")  # seeded by the text: the same on every platform and in every process
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
    """The text in lower case."""
    return text.lower()


def upper(text: str, seed: int = 13) -> str:
    """The text in upper case."""
    return text.upper()


PERTURBATIONS: Mapping[str, Callable[[str, int], str]] = {"typos": typos, "lower": lower, "upper": upper}


def robustness(
    predictor: Predictor, texts: Sequence[Text], targets: np.ndarray, *, seed: int = 13
) -> dict[str, dict[str, float | None]]:
    """For each perturbation: quality on perturbed texts, quality lost, and the share of answers that changed.

    In pairs both texts are perturbed; `targets` are as in `Examples.targets`, and quality is the task's metric
    (`forms.metric_of`). "changed" is the share of answers, None for scores; "touched" is the share of texts that the
    perturbation altered at all. For an uncased tokenizer, changes of case have no effect.
    """
    task, score = predictor.task, metric_of(predictor.task)
    plain = decide(logits(predictor, texts), task)
    found: dict[str, dict[str, float | None]] = {}
    for name, change in PERTURBATIONS.items():
        altered = [changed(text, _seeded(change, seed)) for text in texts]
        answers = decide(logits(predictor, altered), task)
        quality = float(score(answers, targets))
        found[name] = {
            "quality": quality,
            "lost": float(score(plain, targets)) - quality,
            "changed": form_of(task).flipped(answers, plain),
            "touched": float(np.mean([a != b for a, b in zip(altered, texts, strict=True)])),
        }
    return found


def _seeded(change: Callable[[str, int], str], seed: int) -> Callable[[str], str]:
    return lambda text: change(text, seed)
