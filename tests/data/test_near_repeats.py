"""Near repeats: the same texts as comparing every pair finds, whatever is compared at a time."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from leanformer.data import near_repeats as module
from leanformer.data.near_repeats import near_pairs, near_partners, near_repeats
from leanformer.data.overlap import SEPARATOR


def grams(text: str) -> set[str]:
    return {text[i : i + 5] for i in range(len(text) - 4)}


def by_every_pair(texts: list[str], others: list[str], jaccard: float) -> np.ndarray:
    """The definition. Fractions are compared without rounding."""

    def near(text: str, other: str) -> bool:
        ours, theirs = grams(text), grams(other)
        together = len(ours | theirs)
        return text == other or (together > 0 and 1000 * len(ours & theirs) >= round(1000 * jaccard) * together)

    return np.array([any(near(text, other) for other in others) for text in texts])


def written(count: int, seed: int, letters: str = "abcde fgh") -> list[str]:
    drawn = random.Random(seed)
    return ["".join(drawn.choices(letters, k=drawn.randrange(0, 45))) for _ in range(count)]


def edited(texts: list[str], seed: int) -> list[str]:
    """Each text with a few letters changed, left out or added, at any place."""
    drawn = random.Random(seed)
    found = []
    for text in texts:
        letters = list(text)
        for _ in range(drawn.randrange(0, 4)):
            place = drawn.randrange(len(letters) + 1)
            letters[place : place + drawn.randrange(2)] = drawn.choices("abcdeé漢😀", k=drawn.randrange(2))
        found.append("".join(letters))
    return found


@pytest.mark.parametrize("jaccard", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("letters", ["abcde fgh", "ab"])
def test_as_comparing_every_pair(jaccard: float, letters: str) -> None:
    others = written(150, 1, letters)
    texts = [*edited(others, 2), *written(50, 3, letters)]
    wanted = by_every_pair(texts, others, jaccard)
    assert 20 < wanted.sum() < len(texts) - 20
    assert (near_repeats(texts, others, jaccard) == wanted).all()


@pytest.mark.parametrize(("block_letters", "block_pairs"), [(300, 10**6), (10**6, 40), (100, 1)])
def test_what_is_compared_at_a_time_changes_nothing(
    block_letters: int, block_pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = written(120, 1)
    texts = edited(others, 2)
    wanted = near_repeats(texts, others)
    monkeypatch.setattr(module, "_BLOCK_LETTERS", block_letters)
    monkeypatch.setattr(module, "_BLOCK_PAIRS", block_pairs)
    monkeypatch.setattr(module, "_BLOCK_GRAMS", block_letters)
    assert 0 < wanted.sum() < 120
    assert (near_repeats(texts, others) == wanted).all()


@pytest.mark.parametrize("many", [1, 20, 10**9])
def test_looking_at_a_few_texts_first_changes_nothing(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    others = [*written(60, 1), *templated(60, 4)]
    texts = [*edited(others, 2), *templated(40, 5)]
    monkeypatch.setattr(module, "_MANY_SHARES", many)
    monkeypatch.setattr(module, "_FEW_SHARES", 1)
    wanted = by_every_pair(texts, others, 0.8)
    assert (near_repeats(texts, others) == wanted).all()
    assert 60 < wanted.sum() < len(texts) - 5


def templated(count: int, seed: int) -> list[str]:
    drawn = random.Random(seed)
    return [
        f"your order {drawn.randrange(10**5)} is on its way, thank you for the {drawn.randrange(4)} things"
        for _ in range(count)
    ]


def test_texts_of_one_template_are_not_all_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    compared, plain = [0], module._similar

    def counting(ours: object, theirs: object, mine: np.ndarray, *others: object) -> np.ndarray:
        compared[0] += len(mine)
        return plain(ours, theirs, mine, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_similar", counting)
    texts, others = ([f"{text} that you asked us for" for text in templated(*way)] for way in ((50, 1), (1500, 2)))
    assert near_repeats(texts, others).sum() == 50
    few = compared[0]
    monkeypatch.setattr(module, "_MANY_SHARES", 10**9)
    near_repeats(texts, others)
    assert 50 <= few < (compared[0] - few) / 3


def test_the_threshold_itself_is_near() -> None:
    """Of 9 different grams 8 are shared, then 8 of 10; then what binary fractions miss."""
    text = "abcdefghijkl"  # 8 grams
    assert near_repeats([text], [text + "m"]).all()
    assert near_repeats([text], ["x" + text + "m"]).all()  # 8 / 10
    assert not near_repeats([text], ["yx" + text + "m"]).any()  # 8 / 11
    letters = "abcdefghijklmnopqrstuvwxyz0123456789+-*"
    for size, other, jaccard in ((14, 25, 0.56), (28, 35, 0.8)):
        shorter, longer = letters[: size + 4], letters[: other + 4]
        assert near_repeats([shorter], [longer], jaccard).all()
        assert near_repeats([longer], [shorter], jaccard).all()
        assert not near_repeats([shorter], [longer], jaccard + 0.001).any()


def test_short_texts_are_near_what_they_equal() -> None:
    texts, others = ["ab", "", "abcd", "abcde", "zz"], ["ab", "abcx", "abcde", "abcdf"]
    assert near_repeats(texts, others).tolist() == [True, False, False, True, False]
    assert near_repeats(["abcdefgh"], []).tolist() == [False]
    assert near_repeats([], ["abcdefgh"]).tolist() == []
    assert near_repeats(["abcdefgh"], ["xyz", ""]).tolist() == [False]


def test_grams_do_not_reach_into_the_next_text() -> None:
    """Two texts beside one another in memory are not one."""
    assert not near_repeats(["abcdefghijkl", "mnopqrstuvwx"], ["ghijklmnopqr", "xabcde"]).any()
    assert near_repeats(["a" * 50], ["a" * 5]).all()  # a gram that repeats counts once


def test_a_partner_is_one_of_the_near_texts_and_the_first_equal_one() -> None:
    others = written(150, 1)
    texts = edited(others, 2)
    partners = near_partners(texts, others)
    assert ((partners >= 0) == near_repeats(texts, others)).all() and 20 < (partners >= 0).sum() < 150
    for text, partner in zip(texts, partners, strict=True):
        assert partner < 0 or by_every_pair([text], [others[partner]], 0.8).all()
        assert text not in others or partner == others.index(text)


def every_pair(texts: list[str], jaccard: float) -> set[tuple[int, int]]:
    """The definition, as in `by_every_pair`, of different texts of five characters and more."""
    found = set()
    sets = [grams(text) for text in texts]
    for (row, ours), (other, theirs) in itertools.combinations(enumerate(sets), 2):
        together = len(ours | theirs)
        if together and 1000 * len(ours & theirs) >= round(1000 * jaccard) * together:
            found.add((row, other))
    return found


def all_pairs(texts: list[str], jaccard: float) -> list[tuple[int, int]]:
    return [(int(row), int(other)) for part in near_pairs(texts, jaccard) for row, other in part]


@pytest.mark.parametrize("jaccard", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("seed", range(4))
def test_pairs_are_those_of_comparing_every_pair_each_once(jaccard: float, seed: int) -> None:
    first = written(150, seed, "abcde fgh" if seed % 2 else "abc")
    longer = [f"{text}." for text in first if len(text) > 40]
    texts = list(dict.fromkeys([*first, *edited(first, 100 + seed), *longer, *templated(20, seed)]))
    wanted = every_pair(texts, jaccard)
    found = all_pairs(texts, jaccard)
    assert len(texts) > 200 and wanted
    assert len(set(found)) == len(found) and set(found) == wanted


@pytest.mark.parametrize(("block_letters", "block_pairs"), [(300, 10**6), (10**6, 40), (100, 1)])
def test_pairs_are_the_same_whatever_is_compared_at_a_time(
    block_letters: int, block_pairs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = written(100, 1)
    texts = list(dict.fromkeys([*first, *edited(first, 2), *templated(20, 3)]))
    wanted = every_pair(texts, 0.6)
    monkeypatch.setattr(module, "_BLOCK_LETTERS", block_letters)
    monkeypatch.setattr(module, "_BLOCK_PAIRS", block_pairs)
    monkeypatch.setattr(module, "_BLOCK_GRAMS", block_letters)
    found = all_pairs(texts, 0.6)
    assert len(wanted) > 20 and len(set(found)) == len(found) and set(found) == wanted


def test_no_pairs_of_no_texts_and_of_short_ones() -> None:
    for texts in ([], ["abcd", "abc", ""], ["abcdefgh", "stuvwxyz"]):
        assert all_pairs(texts, 0.8) == []


def test_every_text_of_an_input_has_to_be_near() -> None:
    """A long context does not make one row of its questions, nor does a question make one of its contexts."""
    context, other = (" ".join([*(f"day{number}" for number in range(90)), end]) for end in ("goal", "team"))
    asked, again, else_ = (
        "who founded the band that year?",
        "who founded the band that year",
        "where was it in hamburg?",
    )
    keys = [SEPARATOR.join(parts) for parts in ((asked, context), (else_, context), (again, other), (asked, "goal"))]
    assert sorted(all_pairs(keys, 0.8)) == [(0, 2)]
    assert near_partners(keys[1:], keys[:1]).tolist() == [-1, 0, -1]
    assert near_repeats([SEPARATOR.join(("who", context))], [SEPARATOR.join(("what", other))]).tolist() == [False]


def test_of_a_pair_of_sentences_the_whole_tells_enough() -> None:
    """Neither outweighs the other, so that one of them may be less alike than the whole has to be."""
    first = "the council said on monday that it would close the old bridge over the river for two years"
    second = "the old bridge over the river will be closed for two years, the council announced on monday"
    told = second.replace("announced", "told us")
    keys = [SEPARATOR.join((first, second)), SEPARATOR.join((first, told))]
    assert not near_repeats([second], [told])[0]
    assert near_repeats(keys[:1], keys[1:])[0] and sorted(all_pairs(keys, 0.8)) == [(0, 1)]
