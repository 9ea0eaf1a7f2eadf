"""Exact match and F1 of answers in a text, as SQuAD defines them (Rajpurkar et al. 2016 and 2018).

The definitions are those of the official evaluation script of SQuAD 2.0. That of 1.1 differs only for a right answer of
which nothing is left after normalisation ("the", "%"): 2.0 leaves it out.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_WITHOUT_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(text: str) -> str:
    """In lower case, without ASCII punctuation and English articles, words separated by single spaces."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_WITHOUT_PUNCTUATION)).split())


def exact_match(answer: str, right: Sequence[str]) -> float:
    """1 if the answer equals one of the right ones after normalisation, otherwise 0; see `answer_f1`."""
    return float(normalised(answer) in [normalised(text) for text in _counted(right)])


def answer_f1(answer: str, right: Sequence[str]) -> float:
    """The highest F1 of the words of an answer with one of the `right` answers; words count as often as they occur.

    "" is no answer, as is a list without a right answer; against it, only no answer is right.
    """
    given = normalised(answer).split()
    return max(_f1(given, normalised(text).split()) for text in _counted(right))


def _counted(right: Sequence[str]) -> Sequence[str]:
    return [text for text in right if normalised(text)] or [""]


def _f1(given: Sequence[str], true: Sequence[str]) -> float:
    if not given or not true:
        return float(list(given) == list(true))
    same = sum((Counter(given) & Counter(true)).values())
    if not same:
        return 0.0
    precision, recall = same / len(given), same / len(true)
    return 2 * precision * recall / (precision + recall)
