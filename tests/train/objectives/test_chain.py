"""The conditional random field: its loss against sums over all sequences, its gradient, what it leaves alone."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pytest
import torch

from leanformer.tagging.schemes import tag_names
from leanformer.tagging.viterbi import best_legal, is_legal
from leanformer.train.feeds.batches import NOT_ASKED
from leanformer.train.objectives.chain import ILLEGAL, TagChain, asked_words, log_partition

LABELS = tag_names(["A", "B"])
COUNT = len(LABELS)
N = NOT_ASKED


def chain(seed: int = 1) -> TagChain:
    made = TagChain(LABELS)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return made


def every_score(made: TagChain, values: np.ndarray, *, begins: bool = True) -> dict[tuple[int, ...], float]:
    """Each legal sequence and its score, from the numbers that an artifact keeps."""
    learnt = made.transitions()
    found = {}
    for tags in product(range(COUNT), repeat=len(values)):
        # What goes on may begin with any tag; behind a B of its type an I is legal.
        before = () if begins or not LABELS[tags[0]].startswith("I-") else (LABELS.index("B" + LABELS[tags[0]][1:]),)
        if is_legal(np.array([*before, *tags], np.int64), LABELS):
            steps = sum(learnt[1 + a][b] for a, b in pairwise(tags))
            first = learnt[0][tags[0]] if begins else 0.0
            found[tags] = first + steps + float(values[np.arange(len(tags)), list(tags)].sum())
    return found


def log_sum(scores: list[float]) -> float:
    return float(np.logaddexp.reduce(np.array(scores)))


def block() -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of 3, 1, 0 and 4 words with special tokens, pieces behind the first and padding between them."""
    logits = torch.randn(4, 7, COUNT, generator=torch.Generator().manual_seed(2))
    labels = torch.tensor([[N, 1, N, 2, 0, N, N], [N, 3, N, N, N, N, N], [N, N, N, N, N, N, N], [N, 0, 3, 4, N, 4, N]])
    return logits, labels


def test_the_words_asked_about_stand_side_by_side() -> None:
    logits, labels = block()
    scores, gold, real = asked_words(logits, labels)
    assert scores.shape == (4, 4, COUNT) and real.sum(dim=1).tolist() == [3, 1, 0, 4]
    for row in range(4):
        asked = labels[row] > NOT_ASKED
        assert torch.equal(scores[row][real[row]], logits[row][asked])
        assert torch.equal(gold[row][real[row]], labels[row][asked])


def test_the_partition_is_the_sum_over_all_sequences() -> None:
    made, (logits, labels) = chain(), block()
    scores, _, real = asked_words(logits, labels)
    first, steps = made.scores()
    found = log_partition(scores, real, first.expand(4, -1), steps)
    for row, count in ((0, 3), (1, 1), (3, 4)):
        every = every_score(made, scores[row, :count].numpy())
        assert float(found[row].detach()) == pytest.approx(log_sum(list(every.values())), abs=1e-4)


def test_the_loss_is_minus_the_log_likelihood_by_words() -> None:
    made, (logits, labels) = chain(), block()
    found = made.loss(logits, labels)
    assert float(found[2].detach()) == 0.0
    for row in (0, 1, 3):
        asked = labels[row] > NOT_ASKED
        every = every_score(made, logits[row][asked].numpy())
        right = every[tuple(labels[row][asked].tolist())]
        expected = (log_sum(list(every.values())) - right) / int(asked.sum())
        assert float(found[row].detach()) == pytest.approx(expected, abs=1e-4) and expected > 0


def test_a_word_whose_tag_is_not_known_may_have_any() -> None:
    made, (logits, labels) = chain(), block()
    labels[3, 5] = -1
    asked = labels[3] > NOT_ASKED
    every = every_score(made, logits[3][asked].numpy())
    agreeing = [score for tags, score in every.items() if tags[:3] == (0, 3, 4)]
    assert len(agreeing) == COUNT - 1  # I-A behind I-B is no way to agree
    expected = (log_sum(list(every.values())) - log_sum(agreeing)) / 4
    assert float(made.loss(logits, labels)[3].detach()) == pytest.approx(expected, abs=1e-4)


def test_a_later_window_may_begin_inside() -> None:
    made, (logits, labels) = chain(), block()
    labels[0, 1] = LABELS.index("I-A")
    continues = torch.tensor([True, False, False, False])
    asked = labels[0] > NOT_ASKED
    every = every_score(made, logits[0][asked].numpy(), begins=False)
    right = every[tuple(labels[0][asked].tolist())]
    found = made.loss(logits, labels, continues)
    assert float(found[0].detach()) == pytest.approx((log_sum(list(every.values())) - right) / 3, abs=1e-4)
    assert torch.equal(found[1:], made.loss(logits, labels)[1:])
    assert (
        float(made.loss(logits, labels)[0].detach()) > 1000
    )  # as a sentence's beginning it would be no sequence at all


def test_gradients_are_expected_less_observed() -> None:
    made, (logits, labels) = chain(), block()
    logits.requires_grad_(True)
    made.loss(logits, labels).sum().backward()
    assert logits.grad is not None and made.steps.grad is not None and made.first.grad is not None
    asked = labels > NOT_ASKED
    assert (logits.grad[~asked] == 0).all()
    every = every_score(made, logits.detach()[3][asked[3]].numpy())
    total = log_sum(list(every.values()))
    expected = np.zeros((4, COUNT))
    for tags, score in every.items():
        expected[np.arange(4), list(tags)] += np.exp(score - total) / 4
    expected[np.arange(4), [0, 3, 4, 4]] -= 1 / 4
    np.testing.assert_allclose(logits.grad[3][asked[3]].numpy(), expected, atol=1e-5)
    # Steps that are not legal, and beginnings, are never trained.
    assert (made.steps.grad[~made.may_follow] == 0).all() and (made.first.grad[~made.may_begin] == 0).all()
    assert (made.steps.grad[made.may_follow] != 0).all() and (made.first.grad[made.may_begin] != 0).all()


def test_transitions_are_learnt_where_logits_cannot_tell() -> None:
    """Words that are all alike: that the first is B, the second I and the third O, only the tag before can tell."""
    made, tags = TagChain(LABELS), [1, 2, 0]
    logits, labels = torch.zeros(2, 5, COUNT), torch.tensor([[N, *tags, N], [N, *tags, N]])
    optimizer = torch.optim.Adam(made.parameters(), lr=0.1)
    losses = []
    for _ in range(60):
        loss = made.loss(logits, labels).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.1 * losses[0]
    assert best_legal(np.zeros((3, COUNT)), LABELS).tolist() == [0, 0, 0]
    assert best_legal(np.zeros((3, COUNT)), LABELS, made.transitions()).tolist() == tags


def test_what_is_kept_is_what_decodes() -> None:
    made = chain()
    kept = made.transitions()
    again = TagChain(LABELS, kept)
    assert again.transitions() == kept
    assert [value for row in kept for value in row].count(ILLEGAL) == 2 + 2 * COUNT - 4
    fresh = TagChain(LABELS).transitions()
    assert {value for row in fresh for value in row} == {0.0, ILLEGAL}


def test_a_block_without_words_teaches_nothing() -> None:
    made, logits = chain(), torch.randn(2, 3, COUNT, requires_grad=True)
    loss = made.loss(logits, torch.full((2, 3), NOT_ASKED)).sum()
    loss.backward()
    assert float(loss.detach()) == 0.0
