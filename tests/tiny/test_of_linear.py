"""From a linear model in fp32 to one in whole numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from leanformer.linear.features import Features, Vocabulary
from leanformer.linear.predictor import LinearPredictor
from leanformer.tiny.of_linear import in_whole_numbers
from leanformer.tiny.rows import CharacterTokenizer
from leanformer.tiny.store import read_ngrams, write_ngrams
from tests.making.ngrams import tiny_fitted
from tests.making.tiny import TASK, tiny_texts


def test_logits_are_nearly_those_of_the_fp32_model():
    predictor, texts = tiny_fitted().predictor, tiny_texts(200, seed=9)[0]
    expected = predictor.infer(predictor.tokenize(texts))
    errors = {}
    for bits in (8, 16):
        found = in_whole_numbers(predictor, bits).logits(CharacterTokenizer().encode(texts))
        assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() > 0.98
        errors[bits] = np.abs(found - expected).max() / np.abs(expected).max()
    # The steps of an IDF and of a count remain with 16 bits.
    assert errors[16] < 0.01 and errors[16] < errors[8] < 0.05


def test_of_two_n_grams_with_the_same_upper_half_the_first_is_kept():
    hashes = np.array([1 << 32, (1 << 32) + 5, 3 << 32], np.uint64)
    features = Features({"words": Vocabulary(hashes, np.ones(3, np.float32))}, False, ("words",))
    weights = np.array([[0.0, 0, 0], [1, 2, 4], [9, 9, 9], [-1, -2, 4]], np.float32)
    (group,) = in_whole_numbers(LinearPredictor(TASK, features, weights), 8).groups
    assert group.hashes is not None and group.hashes.tolist() == [1, 3]
    assert group.table.shape == (2, 3) and (group.table[0] == -group.table[1] * np.array([1, 1, -1])).all()


def test_a_kind_without_n_grams_and_an_output_without_weights():
    fitted = tiny_fitted().predictor
    empty = Vocabulary(np.zeros(0, np.uint64), np.zeros(0, np.float32))
    kinds = {"words": fitted.features.vocabularies["words"], "characters": empty}
    features = Features(kinds, False, ("words", "characters"))
    weights = np.zeros((features.width, 3), np.float32)
    weights[:, 0] = 1
    model = in_whole_numbers(replace(fitted, features=features, weights=weights), 8)
    assert [group.kind for group in model.groups] == ["words"]
    assert np.isfinite(model.logits(CharacterTokenizer().encode(["rain", ""]))).all()


def test_without_any_n_gram_the_bias_answers(tmp_path: Path):
    """As for thousands of texts no two of which have a word in common, such as codes."""
    empty = Vocabulary(np.zeros(0, np.uint64), np.zeros(0, np.float32))
    features = Features({"words": empty}, False, ("words",))
    predictor = LinearPredictor(TASK, features, np.array([[0.5, -1, 2]], np.float32))
    model = in_whole_numbers(predictor, 8)
    rows = CharacterTokenizer().encode(["rain", ""])
    assert model.logits(rows).tolist() == [[0.5, -1, 2]] * 2
    again = read_ngrams(write_ngrams(model, tmp_path, task=TASK, max_tokens=8, history=[]))
    assert again.logits(rows).tolist() == [[0.5, -1, 2]] * 2
