"""The card of a data set: counts, quantiles and short texts of small splits."""

from __future__ import annotations

import json

from leanformer.data.card import count_labels, data_card, label_words, quantiles, split_card
from leanformer.data.dataset import Dataset
from leanformer.data.examples import Examples
from leanformer.task import Task
from tests.making.tiny import TASK


def test_a_split_is_counted() -> None:
    texts = ("one two three", "One  two three", "word", "\u200b", "four words are here")
    card = split_card(Examples(TASK, texts, (0, 0, 2, 0, 0), languages=("de", "en", "de", "de", "de")))
    assert card.labels == {"music": 4, "sport": 0, "weather": 1}
    assert (card.rows, card.repeats, card.short) == (5, 1, 2)
    assert card.words == {"min": 1, "5 %": 1, "median": 3, "95 %": 4, "max": 4}
    assert card.characters["max"] == len(texts[4]) and card.characters["min"] == 1
    again = split_card(Examples(TASK, texts, None), languages=["fr", None, "fr", None, "de"])
    assert again.languages == {"fr": 2, "de": 1} and again.labels == {}
    assert card.languages == {"de": 4, "en": 1} and card.leaks == {} and card.scores == {}


def test_labels_of_every_form() -> None:
    several, scores, choice = Task("multilabel", ("a", "b")), Task("regression", ()), Task("choice", ())
    assert count_labels([(0, 1), (1,), ()], several) == {"a": 1, "b": 2, "(none)": 1}
    assert count_labels([0.5, 1.0], scores) == {} and count_labels([1, 1, 0], choice) == {"0": 1, "1": 2}
    assert [label_words(label, several) for label in ((0, 1), ())] == ["a, b", "(none)"]
    assert label_words(2.50, scores) == "2.5" and label_words(1, choice) == "1" and label_words(1, several) == "b"
    assert split_card(Examples(scores, ("a b", "c d"), (1.0, 3.0))).scores["max"] == 3.0


def test_a_pair_counts_as_both_of_its_texts() -> None:
    pairs = Examples(Task("pair", ("a",)), ("two words", "two words"), (0, 0), pairs=("and three more", "other"))
    card = split_card(pairs)
    assert card.words["max"] == 5 and card.repeats == 0 and card.short == 1


def test_quantiles_are_values_that_occur() -> None:
    assert quantiles([]) == {}
    assert quantiles(list(range(1, 101))) == {"min": 1, "5 %": 5, "median": 50, "95 %": 95, "max": 100}


def test_the_card_of_the_whole() -> None:
    part = Examples(TASK, ("a text",), (0,))
    card = data_card(
        Dataset(TASK, train=part, test=part, name="mine"), leaks={"test": {"exact": 1, "near": 0}}, licence="CC0"
    )
    value = json.loads(json.dumps(card.to_json()))
    assert list(value["splits"]) == ["train", "test"] and value["licence"] == "CC0" and value["source"] == ""
    assert value["splits"]["test"]["leaks"] == {"exact": 1, "near": 0} and value["labels"] == list(TASK.labels)
