"""From a linear model in fp32 (`linear/`) to one in whole numbers."""

from __future__ import annotations

import numpy as np

from leanformer.linear.ngrams import CHARACTER_LENGTHS, CHARACTERS, WORD_LENGTHS, WORDS
from leanformer.linear.predictor import LinearPredictor
from leanformer.tiny.model import IDF_STEPS, MOST_IDF, Group, LinearHead, NgramModel

_LENGTHS = {WORDS: WORD_LENGTHS, CHARACTERS: CHARACTER_LENGTHS}
_TYPES = {8: np.int8, 16: np.int16}


def in_whole_numbers(predictor: LinearPredictor, bits: int) -> NgramModel:
    """The model with weights in 8 or 16 bits, one step size per output; for single texts, not for pairs.

    Of several n-grams with the same upper half of the hash, only the first is kept.
    """
    features, weights = predictor.features, predictor.weights.astype(np.float64)
    assert not features.pairs, "the columns of pairs have no table"
    largest = 2 ** (bits - 1) - 1
    steps = np.abs(weights[1:]).max(axis=0, initial=0) / largest
    steps[steps == 0] = 1.0
    groups, start = [], 1
    for kind in features.shown:
        vocabulary = features.vocabularies[kind]
        own = weights[start : start + vocabulary.size]
        start += vocabulary.size
        if not vocabulary.size:
            continue
        hashes, first = np.unique((vocabulary.hashes >> np.uint64(32)).astype(np.uint32), return_index=True)
        idf = np.clip(np.rint(vocabulary.idf[first] * IDF_STEPS), 1, MOST_IDF).astype(np.uint16)
        table = np.rint(own[first] / steps).astype(_TYPES[bits])
        lengths = _LENGTHS[kind]
        groups.append(Group(kind, min(lengths), max(lengths), table, hashes, idf))
    if not groups:  # no n-gram is in two texts, and the bias answers alone; a model has a group nevertheless
        table = np.zeros((1, len(steps)), _TYPES[bits])
        groups = [Group(WORDS, 1, 1, table, np.zeros(1, np.uint32), np.ones(1, np.uint16))]
    return NgramModel(tuple(groups), LinearHead(steps.astype(np.float32), weights[0].astype(np.float32)))
