"""Best paths and shares of tags with learnt transitions, against all sequences there are."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from leanformer.answers.forms import changed_answers, decide, to_predictions
from leanformer.metrics.probabilities import softmax
from leanformer.tagging.chain import _blocks
from leanformer.tagging.ragged import ragged
from leanformer.tagging.schemes import tag_names
from leanformer.tagging.viterbi import Transitions, best_legal, decode, is_legal, shares, word_scores
from leanformer.tagging.words import as_sentence
from leanformer.task import Task

LABELS = tag_names(["A", "B"])
COUNT = len(LABELS)


def drawn(generator: np.random.Generator, size: float = 2.0) -> Transitions:
    return tuple(tuple(float(value) for value in row) for row in generator.normal(size=(COUNT + 1, COUNT)) * size)


def by_hand(values: np.ndarray, transitions: Transitions) -> tuple[list[tuple[int, ...]], np.ndarray]:
    """Every legal sequence, and its score, each summed on its own."""
    every = [
        combination
        for combination in product(range(COUNT), repeat=len(values))
        if is_legal(np.array(combination, np.int64), LABELS)
    ]
    scores = []
    for tags in every:
        score = transitions[0][tags[0]] + float(values[0, tags[0]])
        for word in range(1, len(tags)):
            score += transitions[1 + tags[word - 1]][tags[word]] + float(values[word, tags[word]])
        scores.append(score)
    return every, np.array(scores)


@pytest.mark.parametrize("seed", range(4))
def test_no_legal_sequence_has_a_larger_score(seed: int) -> None:
    generator = np.random.default_rng(seed)
    transitions, differs = drawn(generator), 0
    sentences = [
        generator.normal(size=(int(generator.integers(1, 6)), COUNT)).astype(np.float32) * 2 for _ in range(30)
    ]
    together = decode(sentences, LABELS, transitions)
    for values, found in zip(sentences, together, strict=True):
        every, scores = by_hand(values, transitions)
        assert tuple(found.tolist()) == every[int(scores.argmax())]
        assert found.tolist() == best_legal(values, LABELS, transitions).tolist()
        assert word_scores(found, values, LABELS, transitions).sum() == pytest.approx(scores.max())
        differs += found.tolist() != best_legal(values, LABELS).tolist()
    assert differs > 5  # or transitions were never put to the test


def test_shares_are_sums_over_all_legal_sequences() -> None:
    generator = np.random.default_rng(5)
    transitions = drawn(generator)
    sentences = [generator.normal(size=(n, COUNT)).astype(np.float32) for n in (3, 1, 0, 5, 2)]
    for values, found in zip(sentences, shares(sentences, LABELS, transitions), strict=True):
        assert found.shape == (len(values), COUNT)
        if len(values):
            every, scores = by_hand(values, transitions)
            weight = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
            expected = np.zeros((len(values), COUNT))
            for tags, share in zip(every, weight, strict=True):
                expected[np.arange(len(tags)), list(tags)] += share
            np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("learnt", [False, True])
def test_no_illegal_sequence_comes_out(learnt: bool) -> None:
    """Whatever the logits are, and whatever a manifest says of illegal steps."""
    generator = np.random.default_rng(6)
    wild = tuple(tuple(1e6 for _ in LABELS) for _ in range(COUNT + 1)) if learnt else None
    sentences = [generator.normal(size=(int(n), COUNT)) * 50 for n in generator.integers(0, 40, 700)]
    found = decode(sentences, LABELS, wild)
    assert len(found) == 700 and all(is_legal(tags, LABELS) for tags in found)
    assert [len(tags) for tags in found] == [len(sentence) for sentence in sentences]
    assert sum(not is_legal(sentence.argmax(axis=1), LABELS) for sentence in sentences if len(sentence)) > 500


def test_transitions_of_nought_are_none() -> None:
    generator = np.random.default_rng(7)
    nought = tuple((0.0,) * COUNT for _ in range(COUNT + 1))
    sentences = [generator.normal(size=(int(n), COUNT)) for n in generator.integers(1, 9, 60)]
    found = decode(sentences, LABELS, nought), decode(sentences, LABELS)
    for values, tags, other in zip(sentences, *found, strict=True):
        assert tags.tolist() == other.tolist() == best_legal(values, LABELS).tolist()


def test_answers_know_what_the_task_has_learnt() -> None:
    # By its own logits the second word is I-A; that A goes on is what the task has learnt not to believe.
    values = ragged([np.array([[0, 3, 0, 0, 0], [1, 0, 2, 0, 0]], np.float32)])
    plain = Task("tokens", LABELS)
    rows = [[0.0] * COUNT for _ in range(COUNT + 1)]
    rows[1 + LABELS.index("B-A")][LABELS.index("I-A")] = -4.0
    learnt = Task("tokens", LABELS, transitions=tuple(tuple(row) for row in rows))
    assert [LABELS[i] for i in decide(values, plain)[0]] == ["B-A", "I-A"]
    assert [LABELS[i] for i in decide(values, learnt)[0]] == ["B-A", "O"]
    sentences = [as_sentence(["one", "two"])]
    (before,), (after,) = to_predictions(values, plain, sentences), to_predictions(values, learnt, sentences)
    assert before.spans is not None and after.spans is not None
    assert [span.text for span in before.spans + after.spans] == ["one two", "one"]
    assert before.spans[0].probability == pytest.approx(softmax(values[0])[[0, 1], [1, 2]].mean(), abs=1e-6)
    assert after.spans[0].probability == pytest.approx(shares(list(values), LABELS, tuple(map(tuple, rows)))[0][0, 1])


def test_a_near_tie_is_one_by_the_whole_score() -> None:
    rows = [[0.0] * COUNT for _ in range(COUNT + 1)]
    rows[1][0] = 1.999  # from O to O
    task = Task("tokens", LABELS, transitions=tuple(tuple(row) for row in rows))
    near = np.array([[0, 0, 0, 0, 0], [0, 2, 0, 0, 0]], np.float32)  # O O, by logits and step, or O B-A
    moved = near.copy()
    moved[1, 1] -= 0.01
    assert decide(ragged([near]), task)[0].tolist() != decide(ragged([moved]), task)[0].tolist()
    assert changed_answers(ragged([moved]), ragged([near]), task) == 0
    moved[1, 1] -= 5
    far = near.copy()
    far[1, 1] += 5
    assert changed_answers(ragged([moved]), ragged([far]), task) == 1


def test_one_long_sentence_leaves_its_company_short() -> None:
    """Sentences go through together, padded to the longest; with one of very many words that must not be all."""
    generator = np.random.default_rng(8)
    transitions = drawn(generator)
    long = generator.normal(size=(140_000, COUNT)).astype(np.float32)
    short = [generator.normal(size=(n, COUNT)).astype(np.float32) for n in (1, 6, 0, 4) * 40]
    together = [*short[:80], long, *short[80:]]
    assert [len(block.rows) for block in _blocks(together)] == [1, 120]
    found = decode(together, LABELS, transitions)
    assert len(found[80]) == 140_000
    for values, tags in zip(short, [*found[:80], *found[81:]], strict=True):
        assert tags.tolist() == best_legal(values, LABELS, transitions).tolist()
