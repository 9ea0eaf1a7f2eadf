"""Words of a text and their places in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leanformer.tagging.words import as_sentence, join_words, split_words, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("John lives in Berlin.", ["John", "lives", "in", "Berlin", "."]),
        ('  "Hi!"\tshe  said ', ['"', "Hi", "!", '"', "she", "said"]),
        ("3.14 e-mail l'Iran U.S.", ["3.14", "e-mail", "l'", "Iran", "U.S", "."]),
        ("...", [".", ".", "."]),
        ("東京はJapan、", ["東", "京", "は", "Japan", "、"]),
        ("ñandú नमस्ते", ["ñandú", "नमस्ते"]),
        ("a\u00a0b", ["a", "b"]),
        ("", []),
    ],
)
def test_the_rule(text: str, words: list[str]) -> None:
    assert list(as_sentence(text).words) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("anna's flat in Rome’s centre", "anna |'s| flat in Rome |’s| centre"),
        ("FRANCE'S VH1's (the '90s)", "FRANCE |'S| VH1 |'s| ( the ' 90s )"),
        ("don't can’t I'd they'll shouldn't've", "do |n't| ca |n’t| I |'d| they |'ll| should |n't| |'ve|"),
        ("\"Titanic\"'s, 'anna's'", "\" Titanic \" |'s| , ' anna |'s| '"),
        ("girls' James' Sa'd Mu'amm Hawai'i rock'n'roll", "girls ' James ' Sa'd Mu'amm Hawai'i rock'n'roll"),
    ],
)
def test_clitics_are_words_of_their_own(text: str, words: str) -> None:
    assert list(as_sentence(text).words) == words.replace("|", "").split()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("l'Italie d’Espagne L'Oréal qu'il c'est", "l' Italie d’ Espagne L' Oréal qu' il c' est"),
        ("dell'Emilia-Romagna all’Adige un'isola l'Hérault", "dell' Emilia-Romagna all’ Adige un' isola l' Hérault"),
        ("D'autres D'Angelo Dell'Acqua d'Ivoire", "D' autres D'Angelo Dell'Acqua d' Ivoire"),
        ("l'«Équipe» l'Italie's", "l' « Équipe » l' Italie 's"),
        ("aujourd'hui quelqu'un O'Neill c'mon N'Djamena", "aujourd'hui quelqu'un O'Neill c'mon N'Djamena"),
        # Igbo and Kinyarwanda write these as one word.
        ("n'Awka n'ihi n'u", "n'Awka n'ihi n'u"),
    ],
)
def test_elided_words_are_words_of_their_own(text: str, words: str) -> None:
    assert list(as_sentence(text).words) == words.split()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lena/anna in Paris-based firms", "lena / anna in Paris-based firms"),
        ("anna's/lena’s, U.K./China", "anna 's / lena ’s , U.K . / China"),
        ("rome,paris rome(italy) rome—oslo AC/DC/lena", "rome , paris rome ( italy ) rome — oslo AC / DC / lena"),
        ("東京/大阪's", "東 京 / 大 阪 's"),
        ('km/h A/S 9/11 2007/08 1,5 o(s AT&T EU:n צה"ל', 'km/h A/S 9/11 2007/08 1,5 o(s AT&T EU:n צה"ל'),
        ("http://a.com/bb/cc www.aa.com/bb gallica.fr/ark aa@bb.de/cc", None),
        ("Stefan–Boltzmann Jean-Marie", None),
    ],
)
def test_a_slash_between_words_is_a_word_and_a_hyphen_is_none(text: str, words: str | None) -> None:
    assert list(as_sentence(text).words) == (words or text).split()


def test_a_text_whose_words_were_split_before_keeps_them() -> None:
    for text in ("anna 's flat , do n't", "l' Italie d’ Espagne", "they 'll , he ’s ;"):
        assert list(as_sentence(text).words) == text.split()
    assert list(as_sentence("anna 's, \"they 've").words) == ["anna", "'s", ",", '"', "they", "'ve"]


def test_one_word_of_very_many_letters_takes_no_time() -> None:
    for text in ("a's" * 100_000, "ab/" * 100_000, "l'" * 100_000, "'" * 200_000, "l'a" * 100_000, "n't" * 100_000):
        places = split_words(text)
        assert places[0][0] == 0 and places[-1][1] == len(text)


PIECES = (
    "anna",
    "l",
    "d",
    "dell",
    "n't",
    "'s",
    "’s",
    "'",
    "’",
    "/",
    "-",
    "(",
    ")",
    ",",
    "京",
    " ",
    "İ",
    "é",
    ".",
    "ab",
)


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join)))
def test_places_are_in_order_and_hold_all_but_white_space(text: str) -> None:
    end = 0
    for start, stop in split_words(text):
        assert start < stop and not text[end:start].strip()
        assert not any(letter.isspace() for letter in text[start:stop])
        end = stop
    assert not text[end:].strip()


@given(st.lists(st.text()))
def test_joined_words_come_apart_as_they_were(words: list[str]) -> None:
    apart = words_of(join_words(words))
    if words not in ([], [""]):  # an empty string is a sentence without words
        assert apart == [word.replace(" ", "\u00a0") for word in words]
    sentence = as_sentence(words)
    assert list(sentence.words) == words
