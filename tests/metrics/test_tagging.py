"""Entity F1 against seqeval, on legal and illegal tags."""

from __future__ import annotations

import numpy as np
import pytest
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.metrics.v1 import precision_recall_fscore_support
from seqeval.scheme import IOB2

from leanformer.answers.tags import TAGS
from leanformer.metrics.bootstrap import interval
from leanformer.metrics.tagging import (
    CORRECT,
    GOLD,
    PREDICTED,
    by_group,
    entity_counts,
    entity_f1,
    f1,
    mean_and_deviation,
)
from leanformer.tagging.ragged import ragged
from leanformer.tagging.schemes import entities, tag_names, types_of
from leanformer.tagging.viterbi import decode
from leanformer.task import Task

LABELS = tag_names(["LOC", "ORG", "PER"])


def drawn(seed: int, sentences: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Random tags, and others that agree with them on many words; most are not legal."""
    generator = np.random.default_rng(seed)
    gold = [generator.choice(len(LABELS), size=generator.integers(0, 12)) for _ in range(sentences)]
    found = [np.where(generator.random(len(tags)) < 0.7, tags, generator.permutation(tags)) for tags in gold]
    return ragged(found), ragged(gold)


def names(tags: np.ndarray) -> list[list[str]]:
    return [[LABELS[int(i)] for i in tag] for tag in tags]


@pytest.mark.parametrize("seed", range(8))
def test_default_mode_is_seqevals(seed: int) -> None:
    found, gold = drawn(seed)
    total = entity_counts(found, gold, LABELS).sum(axis=(0, 1))
    assert f1(total) == pytest.approx(f1_score(names(gold), names(found)), abs=1e-12)
    assert total[CORRECT] / total[PREDICTED] == pytest.approx(precision_score(names(gold), names(found)), abs=1e-12)
    assert total[CORRECT] / total[GOLD] == pytest.approx(recall_score(names(gold), names(found)), abs=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_strict_mode_is_seqevals_strict_iob2(seed: int) -> None:
    found, gold = drawn(seed)
    ours = entity_f1(found, gold, LABELS, strict=True)
    assert ours == pytest.approx(f1_score(names(gold), names(found), mode="strict", scheme=IOB2), abs=1e-12)
    assert ours != entity_f1(found, gold, LABELS)  # or the modes were never told apart


@pytest.mark.parametrize("seed", range(3))
def test_each_type_is_seqevals(seed: int) -> None:
    found, gold = drawn(seed)
    counts = entity_counts(found, gold, LABELS, strict=True).sum(axis=0)
    _, _, theirs, support = precision_recall_fscore_support(names(gold), names(found), average=None, scheme=IOB2)
    np.testing.assert_allclose(f1(counts), theirs, atol=1e-12)
    assert counts[:, GOLD].tolist() == support.tolist()
    assert types_of(LABELS) == ("LOC", "ORG", "PER")


def test_on_decoded_tags_both_modes_agree() -> None:
    generator = np.random.default_rng(1)
    values = [generator.normal(size=(generator.integers(1, 9), len(LABELS))) for _ in range(200)]
    gold = decode([value + generator.normal(size=value.shape) for value in values], LABELS)
    found = decode(values, LABELS)
    assert entity_f1(found, gold, LABELS) == entity_f1(found, gold, LABELS, strict=True) > 0.1


def test_counts_of_each_sentence_are_those_of_sets() -> None:
    found, gold = drawn(11)
    counts = entity_counts(found, gold, LABELS)
    for row, (ours, theirs) in enumerate(zip(names(found), names(gold), strict=True)):
        for column, kind in enumerate(types_of(LABELS)):
            a, b = ({entity for entity in entities(tags) if entity.type == kind} for tags in (ours, theirs))
            assert counts[row, column].tolist() == [len(a & b), len(a), len(b)]


def test_entities_do_not_run_from_one_sentence_into_the_next() -> None:
    inside = ragged([np.array([1, 2]), np.array([2, 2])])
    assert entity_counts(inside, inside, LABELS)[:, 0].tolist() == [[1, 1, 1], [1, 1, 1]]


def test_nothing_found_and_nothing_there() -> None:
    nothing = ragged([np.zeros(3, np.int64), np.zeros(0, np.int64)])
    assert entity_f1(nothing, nothing, LABELS) == 0.0
    with pytest.raises(ValueError, match="different numbers of words"):
        entity_counts(nothing, ragged([np.zeros(2, np.int64), np.zeros(0, np.int64)]), LABELS)


@pytest.mark.parametrize("prefixes", ["BIES", "BILU", "I", "IES"])
def test_labels_of_every_scheme_are_counted_as_their_entities(prefixes: str) -> None:
    labels = ("O", *(f"{prefix}-{kind}" for kind in ("PER", "LOC") for prefix in prefixes))
    generator = np.random.default_rng(4)
    gold, found = (
        ragged([generator.choice(len(labels), size=size) for size in np.random.default_rng(5).integers(0, 12, size=60)])
        for _ in range(2)
    )
    counts = entity_counts(found, gold, labels)
    for row, both in enumerate(zip(found, gold, strict=True)):
        ours, theirs = (entities([labels[int(i)] for i in tags]) for tags in both)
        for column, kind in enumerate(types_of(labels)):
            a, b = ({entity for entity in each if entity.type == kind} for each in (ours, theirs))
            assert counts[row, column].tolist() == [len(a & b), len(a), len(b)]


def test_samples_of_sentences_are_scored_as_if_they_were_alone() -> None:
    """What the paired bootstrap draws, against the metric on the drawn sentences."""
    found, gold = drawn(5)
    score = TAGS.of_rows(found, gold, Task("tokens", LABELS))
    generator = np.random.default_rng(0)
    for _ in range(20):
        rows = generator.integers(0, len(gold), size=len(gold))
        assert score(rows) == pytest.approx(f1_score(names(gold[rows]), names(found[rows])), abs=1e-12)
    low, high = interval(score, len(gold), resamples=200)
    assert low < score(np.arange(len(gold))) < high


def test_languages_apart() -> None:
    found, gold = drawn(3)
    groups = ["de" if i % 3 else "en" for i in range(len(gold))]
    scores = by_group(entity_counts(found, gold, LABELS), groups)
    assert list(scores) == ["de", "en"]
    for name, score in scores.items():
        rows = [i for i, group in enumerate(groups) if group == name]
        assert score == pytest.approx(f1_score(names(gold[rows]), names(found[rows])), abs=1e-12)
    assert mean_and_deviation([0.5, 0.7]) == (pytest.approx(0.6), pytest.approx(0.1))
