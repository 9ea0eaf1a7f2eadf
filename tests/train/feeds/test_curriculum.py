"""A curriculum: how competence grows, what is difficult, and that steps are drawn from what is easy enough."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from leanformer.errors import LeanformerError
from leanformer.train.feeds.batches import TrainingSet
from leanformer.train.feeds.by_length import ByLength
from leanformer.train.feeds.curriculum import Curriculum, EasyFirst, by_length, by_rarity, linear, root
from tests.making.trainings import Run

GENERATOR = np.random.default_rng(1)
ROWS = [GENERATOR.integers(1, 50, size=GENERATOR.integers(3, 30)).astype(np.int32) for _ in range(200)]
DATA = TrainingSet(ROWS, np.zeros(200, dtype=np.int64), 0)
FEED = ByLength(DATA, batch_size=16, token_budget=200, seed=3)


def test_competence_grows_from_its_start_to_one() -> None:
    for competence in (linear, root):
        values = [competence(time) for time in np.linspace(0, 1, 50)]
        assert values[0] == pytest.approx(0.01) and values[-1] == pytest.approx(1) and competence(1.7) == 1
        assert all(after > before for before, after in pairwise(values))
    assert linear(0.5) == pytest.approx(0.505)
    assert root(0.5) == pytest.approx(np.sqrt(0.5 * (1 - 1e-4) + 1e-4))


def test_difficulty_by_length_and_by_rarity() -> None:
    rows = [np.array(ids, dtype=np.int32) for ids in ([5, 5, 5], [5, 7], [7])]
    assert by_length(rows).tolist() == [3, 2, 1]
    common, rare = -np.log(4 / 6), -np.log(2 / 6)
    assert by_rarity(rows) == pytest.approx([3 * common, common + rare, rare])
    pairs = [np.stack([row, np.zeros_like(row)], axis=1) for row in rows]  # ids and token types
    assert by_rarity(pairs) == pytest.approx(by_rarity(rows))


@pytest.mark.parametrize(("name", "difficulty"), [("length", by_length), ("rarity-linear", by_rarity)])
def test_steps_are_drawn_from_what_is_easy_enough(name: str, difficulty: object) -> None:
    feed = Curriculum(name).around(FEED, epochs=4, seed=3)
    scores = (by_length if difficulty is by_length else by_rarity)(ROWS)
    competence = root if name == "length" else linear
    assert feed.steps_per_epoch == 13 and feed.data is DATA
    for epoch in range(4):
        steps = feed.steps(epoch)
        assert [len(rows) for rows in steps] == [len(rows) for rows in FEED.steps(epoch)]
        assert all(len(set(rows.tolist())) == len(rows) for rows in steps)
        for number, rows in enumerate(steps):
            share = competence((epoch * 13 + number) / 26)
            if share < 1:
                assert scores[rows].max() <= np.sort(scores)[max(len(rows), int(share * 200)) - 1]
        again = feed.steps(epoch)
        assert all(np.array_equal(step, two) for step, two in zip(steps, again, strict=True))
    assert all(np.array_equal(step, two) for step, two in zip(feed.steps(2), FEED.steps(2), strict=True))
    assert not np.array_equal(feed.steps(0)[0], feed.steps(0)[1])


def test_rows_of_equal_difficulty_all_count_as_easy() -> None:
    feed = EasyFirst(FEED, np.zeros(200), lambda step: 0.01, seed=1)
    assert len({int(row) for rows in feed.steps(0) for row in rows}) > 100


def test_the_blocks_are_those_of_the_feed_inside() -> None:
    feed = Curriculum("length").around(FEED, epochs=1, seed=3)
    rows = np.arange(16)
    inside, outside = (part.blocks(rows, torch.device("cpu")) for part in (FEED, feed))
    for ours, theirs in zip(outside, inside, strict=True):
        assert torch.equal(ours.ids, theirs.ids) and ours.share == theirs.share


def test_a_run_sees_short_rows_first(tmp_path: Path) -> None:
    run = Run(tmp_path)
    lengths: list[float] = []
    run.feed = Curriculum("length").around(ByLength(run.data, batch_size=16, token_budget=9999), epochs=3, seed=1)
    run.objective.register_forward_pre_hook(
        lambda module, inputs: lengths.append(float(np.mean([len(run.data.rows[row]) for row in inputs[1].rows])))
    )
    run.fit()
    assert len(lengths) == 24 and np.mean(lengths[:4]) < 0.8 * np.mean(lengths[12:])


@pytest.mark.parametrize("name", ["", "size", "length-cubic", 3, None])
def test_a_name_that_there_is_not_is_refused(name: object) -> None:
    with pytest.raises(LeanformerError, match="curriculum is one of length, rarity, length-root"):
        Curriculum(name)  # type: ignore[arg-type]
