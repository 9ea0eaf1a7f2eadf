"""Exact match and F1 of answers, as the official scorer of SQuAD 2.0 has them."""

from __future__ import annotations

import random
import re
import string

import pytest

from leanformer.metrics.squad import answer_f1, exact_match, normalised


@pytest.mark.parametrize(
    ("answer", "right", "exact", "f1"),
    [
        ("the Eiffel Tower", ["Eiffel tower."], 1, 1),
        ("Ada", ["Ada Lovelace"], 0, 2 / 3),
        ("in 1843 in London", ["1843 in London"], 0, 6 / 7),
        ("Ada", ["Grace", "Ada"], 1, 1),
        ("Lovelace", ["Grace Hopper", "Ada Lovelace", "Countess Ada Lovelace"], 0, 2 / 3),
        ("", [], 1, 1),
        ("Ada", [], 0, 0),
        ("", ["Ada"], 0, 0),
        ("the", ["an"], 1, 1),  # nothing is left of either, so that there is no answer
        ("U.S.", ["US"], 1, 1),
        ("twenty-one", ["twentyone"], 1, 1),
        ("“Ada”", ["Ada"], 0, 0),  # only ASCII punctuation is left out
        ("caf\u00e9", ["cafe\u0301"], 0, 0),
        ("\u00a0 Ada\n", ["ada"], 1, 1),
        ("theatre", ["atre"], 0, 0),
        ("a-b", ["ab"], 1, 1),
    ],
)
def test_scores_of_recorded_cases(answer: str, right: list[str], exact: float, f1: float) -> None:
    assert exact_match(answer, right) == exact
    assert answer_f1(answer, right) == pytest.approx(f1)


def test_normalisation_is_in_the_official_order() -> None:
    assert normalised("The a, an-the (A) THEN  x") == "anthe then x"


def another(answer: str, right: list[str]) -> tuple[float, float]:
    """Written again from the definition, with lists in place of counters."""

    def words(text: str) -> list[str]:
        text = "".join(letter for letter in text.lower() if letter not in string.punctuation)
        return re.sub(r"\b(a|an|the)\b", " ", text).split()

    golds = [words(text) for text in right if words(text)] or [[]]
    given, exact, best = words(answer), 0.0, 0.0
    for gold in golds:
        exact = max(exact, float(" ".join(gold) == " ".join(given)))
        left, same = list(gold), 0
        for word in given:
            if word in left:
                left.remove(word)
                same += 1
        if not gold or not given:
            best = max(best, float(gold == given))
        elif same:
            best = max(best, 2 * same / (len(gold) + len(given)))
    return exact, best


def test_a_thousand_random_answers_score_as_another_implementation_says() -> None:
    draw, words = (
        random.Random(0),
        ["the", "a", "An", "Ada,", "ada", "-", "x.y", "1843", "é", "\u00a0", "\n", "'s", "🙂"],
    )
    for _ in range(1000):
        answer, *right = (" ".join(draw.choices(words, k=draw.randrange(5))) for _ in range(draw.randrange(1, 5)))
        assert (exact_match(answer, right), answer_f1(answer, right)) == pytest.approx(another(answer, right))
