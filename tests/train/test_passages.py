"""Questions with contexts as training rows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from leanformer.spans.best import NOWHERE
from leanformer.task import Task
from leanformer.tokenizer import Tokenizer
from leanformer.train.feeds.batches import ENDS, NOT_ASKED, STARTS
from leanformer.train.objectives.answers import LOSSES, is_labelled
from leanformer.train.passages import Passages
from leanformer.train.rows import encode
from tests.making.tiny import tiny_tokenizer

TASK = Task("span", ())
SHORT, LONG = "was very it", "the song was very quite and we saw the band today with a drum"


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Passages:
    tokenizer = Tokenizer(tiny_tokenizer(tmp_path_factory.mktemp("tokenizer")), 10)
    made = encode(tokenizer, TASK, [("the song", SHORT), ("the song", LONG)])
    assert isinstance(made, Passages) and len(made.windows[0]) == 1 and len(made.windows[1]) > 2
    return made


def test_labels_are_the_tokens_of_the_answer(rows: Passages) -> None:
    labels = rows.labels(np.array([[4, 11], [0, 8]]))
    # [CLS] the song [SEP] was very it [SEP]
    assert labels[0].tolist() == [0, *[NOT_ASKED] * 3, 0, STARTS, ENDS, NOT_ASKED]
    assert labels[1].tolist()[4:6] == [STARTS, ENDS] and labels[1][0] == 0
    for later in labels[2:]:
        assert later[0] == STARTS | ENDS and set(later[1:].tolist()) <= {0, NOT_ASKED}, "it is not in that window"
    assert rows.untaught(np.array([[4, 11], [0, 8]])) == 0


def test_no_answer_and_unknown_answers(rows: Passages) -> None:
    none = rows.labels(np.array([[0, 0], [0, len(LONG)]]))
    assert none[0][0] == STARTS | ENDS
    for row in none[1:]:
        assert row.max() == -1, "no window has all of it, so nothing is known"
    assert rows.untaught(np.array([[0, 0], [0, len(LONG)]])) == 1
    for row in rows.unknown():
        assert set(row.tolist()) == {-1, NOT_ASKED}


def test_logits_of_texts_come_back_in_rows(rows: Passages) -> None:
    generator = np.random.default_rng(0)
    flat = generator.normal(size=(sum(map(len, rows.rows)), 2)).astype(np.float32)
    values = rows.logits(lambda given: flat)
    starts = np.cumsum([0, *map(len, rows.rows)])
    back = rows.of_rows(values)
    first = flat[: starts[1]] - flat[0]
    assert back[0] == pytest.approx(first[[0, 4, 5, 6]])
    # What is stored for a teacher is the same, whether it is put in one piece or in several.
    slots = rows.slots()
    for borders in ([0], [0, 2, 3]):
        bounds, whole = slots.borders(borders), []
        for number, (low, high) in enumerate(itertools.pairwise(bounds)):
            part = slots.empty(int(low), int(high), TASK)
            last = borders[number + 1] if number + 1 < len(borders) else len(rows.rows)
            for row in range(borders[number], last):
                slots.put(part, row, flat[starts[row] : starts[row + 1]], int(low))
            whole.append(part)
        for ours, theirs in zip(rows.per_text(np.concatenate(whole)), values, strict=True):
            assert np.array_equal(ours, theirs)


def test_losses_compare_positions() -> None:
    labels = torch.tensor([[0, NOT_ASKED, STARTS, ENDS], [STARTS | ENDS, NOT_ASKED, 0, 0], [-1, NOT_ASKED, -1, -1]])
    assert is_labelled(labels).tolist() == [True, True, False]
    logits = torch.zeros(3, 4, 2)
    logits[:, 1] = 50  # the question is no place for an answer
    losses = LOSSES["span"]
    assert losses.hard(logits, labels).tolist() == pytest.approx([np.log(3), np.log(3), 0.0])
    logits[0, 2, 0] = logits[0, 3, 1] = 30
    assert float(losses.hard(logits, labels)[0]) < 1e-6
    teacher = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0))
    teacher[:, 1] = NOWHERE
    same = teacher.clone()
    same[:, 1] = 7
    entropy = losses.soft(teacher, teacher, 2.0)
    assert losses.soft(same, teacher, 2.0).tolist() == pytest.approx(entropy.tolist())
    assert (losses.soft(torch.zeros(3, 4, 2), teacher, 2.0) > entropy).all()
    assert losses.soft(torch.zeros(1, 4, 2), teacher[:1], 1.0).tolist() == pytest.approx([np.log(3)])
    assert losses.table([np.ones((1, 2)), np.ones((2, 2))]).tolist() == [[[1, 1], [NOWHERE] * 2], [[1, 1], [1, 1]]]
