"""Sparse vectors of texts, against scikit-learn's TF-IDF, and what pairs share."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from leanformer.linear import features as features_module
from leanformer.linear.features import OVERLAP_COLUMNS, Features, learn_features
from leanformer.linear.ngrams import CHARACTERS, KINDS, WORDS, ngrams
from tests.making.tiny import tiny_texts

TEXTS = [text.replace(".", "").replace(",", "") for text in tiny_texts(60, seed=4)[0]]
PAIRS = [("the cat sat", "the cat sat"), ("the cat sat", "a dog ran off"), ("the cat", "the cat sat down")]


def dense(features: Features, rows: list[np.ndarray]) -> np.ndarray:
    values = np.zeros((len(rows), features.width))
    for number, row in enumerate(rows):
        assert (np.diff(row[:, 0]) > 0).all(), "columns rise"
        values[number, row[:, 0].astype(int)] = row[:, 1]
    return values


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (WORDS, {"token_pattern": r"\S+", "ngram_range": (1, 2)}),
        (CHARACTERS, {"analyzer": "char_wb", "ngram_range": (2, 6)}),
    ],
)
@pytest.mark.parametrize("least", [1, 3])
def test_vectors_are_those_of_scikit_learn(kind: str, options: dict[str, object], least: int):
    """Up to the order of the columns, which products of vectors do not depend on."""
    known, others = TEXTS[:40], [*TEXTS[40:], "nothing0known9 here7"]
    features = learn_features(known, pairs=False, least=least).restricted([kind])
    theirs = TfidfVectorizer(sublinear_tf=True, min_df=least, **options).fit(known)
    assert features.width == 1 + len(theirs.vocabulary_)
    ours = dense(features, features.encode(others))
    assert (ours[:, 0] == 1).all()
    expected, reference = theirs.transform(others).toarray(), theirs.transform(known).toarray()
    own = dense(features, features.encode(known))[:, 1:]
    if kind == CHARACTERS:  # scikit-learn counts a word that is shorter than an n-gram once more for each length
        assert (own @ ours[:, 1:].T > 0).tolist() == (reference @ expected.T > 0).tolist()
        assert np.allclose((ours[:-1, 1:] ** 2).sum(axis=1), 1)
        return
    assert np.allclose(own @ ours[:, 1:].T, reference @ expected.T, atol=1e-6)


@pytest.mark.parametrize("most", [1, 30, 31, 32, 100])
def test_of_too_many_n_grams_the_most_frequent_are_kept(most: int):
    every = learn_features(TEXTS, pairs=False, least=1)
    some = learn_features(TEXTS, pairs=False, least=1, most=most)
    assert every.width - 1 > 100 >= most >= some.width - 1
    kept, left = [], []
    for kind, vocabulary in every.vocabularies.items():
        there = np.isin(vocabulary.hashes, some.vocabularies[kind].hashes)
        assert np.array_equal(vocabulary.idf[there], some.vocabularies[kind].idf)
        kept += vocabulary.idf[there].tolist()
        left += vocabulary.idf[~there].tolist()
    assert max(kept, default=0) < min(left), "what few texts have is left out"
    assert most < sum(idf <= min(left) for idf in [*kept, *left]), "no more than has to be"
    assert learn_features(TEXTS, pairs=False, least=1, most=every.width).width == every.width


@pytest.mark.parametrize("letters", [1, 300])
def test_how_much_is_counted_at_a_time_changes_nothing(letters: int, monkeypatch: pytest.MonkeyPatch):
    whole, sizes = learn_features(TEXTS, pairs=False, least=2), list[int]()
    monkeypatch.setattr(features_module, "_LETTERS", letters)
    monkeypatch.setattr(features_module, "ngrams", lambda texts: sizes.append(sum(map(len, texts))) or ngrams(texts))
    parts = learn_features(TEXTS, pairs=False, least=2)
    assert len(sizes) > 5 and max(sizes) <= max(letters, max(map(len, TEXTS))) * 1.5
    for kind in KINDS:
        assert np.array_equal(whole.vocabularies[kind].hashes, parts.vocabularies[kind].hashes)
        assert np.array_equal(whole.vocabularies[kind].idf, parts.vocabularies[kind].idf)


def test_a_text_does_not_depend_on_the_others():
    features = learn_features(TEXTS, pairs=False, least=2)
    together = features.encode(TEXTS * 10)
    for number, text in enumerate(TEXTS):
        assert np.array_equal(features.encode([text])[0], together[number + 9 * len(TEXTS)])
    assert features.encode([]) == []


def test_columns_of_one_kind_are_what_encoding_it_alone_gives():
    for texts, pairs in ((TEXTS, False), (PAIRS, True)):
        features = learn_features(texts, pairs=pairs, least=1)
        whole = dense(features, features.encode(texts))
        for kind in KINDS:
            part = features.restricted([kind])
            assert np.allclose(whole[:, features.columns([kind])], dense(part, part.encode(texts)))
        assert len(features.columns(KINDS)) == features.width


def test_pairs_say_what_they_share():
    features = learn_features(PAIRS, pairs=True, least=1)
    values = dense(features, features.encode(PAIRS))
    shared = values[:, 1 : 1 + OVERLAP_COLUMNS]
    assert np.allclose(shared[0], 1), "equal texts share all"
    assert np.allclose(shared[1, :4], 0), "no word in common"
    # "the cat": three n-grams of words, all of them among the seven of "the cat sat down".
    assert shared[2, :3] == pytest.approx([3 / 7, 1, 3 / 7])
    assert shared[2, -1] == pytest.approx(3 / 7)
    assert 0 < shared[2, 3] < 1
    # The cosine is the product of what both sides have in their own columns.
    sides = values[:, 1 + OVERLAP_COLUMNS :].reshape(3, 2, -1)
    words = features.vocabularies[WORDS].size
    assert np.allclose(shared[:, 3], (sides[:, 0, :words] * sides[:, 1, :words]).sum(axis=1))
    assert np.allclose(shared[:, 7], (sides[:, 0, words:] * sides[:, 1, words:]).sum(axis=1))


def test_the_sides_of_a_pair_have_columns_of_their_own():
    features = learn_features(PAIRS, pairs=True, least=1)
    there, back = (dense(features, features.encode([pair]))[0] for pair in (PAIRS[1], PAIRS[1][::-1]))
    start, size = 1 + OVERLAP_COLUMNS, (features.width - 1 - OVERLAP_COLUMNS) // 2
    assert np.allclose(there[start : start + size], back[start + size :])
    assert not np.allclose(there, back)
