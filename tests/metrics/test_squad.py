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


@pytest.mark.parametrize(
    ("answer", "right", "exact", "f1"),
    [
        # Both are "cat sat on mat": articles go, wherever they stand.
        ("the cat sat on the mat", ["A cat sat on a mat!"], 1, 1),
        # One "cat" of three is shared: precision 1/3, recall 1/2, and 2 * (1/3 * 1/2) / (1/3 + 1/2) = 2/5.
        ("cat cat cat", ["cat dog"], 0, 2 / 5),
        # Two of three words given, both of the first gold's: 2 * (2/3 * 1) / (2/3 + 1) = 4/5; of the second's none.
        ("New York City", ["New York", "NYC"], 0, 4 / 5),
        # The best over the golds: 2 * (1/2 * 1/4) / (3/4) = 1/3 with the first, 2 * (1/2 * 1) / (3/2) = 2/3.
        ("Ada Byron", ["Countess of Lovelace Ada", "Byron"], 0, 2 / 3),
        ("$1,000.50", ["100050"], 1, 1),  # punctuation goes without a space
        ("10 000", ["10,000"], 0, 0),
        ("state-of-the-art", ["state of the art"], 0, 0),  # "stateoftheart" has no article, "state of art" lost one
        ("A.B.", ["a b"], 0, 0),  # "ab", and "b"
        # A gold of which nothing is left does not count while another has words ...
        ("", ["the", "Ada"], 0, 0),
        ("Ada", ["the", "Ada"], 1, 1),
        # ... and if none has, there is no answer.
        ("an", [], 1, 1),
        ("Ada", ["...", "a"], 0, 0),
        ("THE END", ["end"], 1, 1),
        ("_Ada_", ["Ada"], 1, 1),  # the underscore is punctuation
    ],
)
def test_scores_computed_by_hand_from_the_official_rules(
    answer: str, right: list[str], exact: float, f1: float
) -> None:
    assert exact_match(answer, right) == exact
    assert answer_f1(answer, right) == pytest.approx(f1)
