"""The members of a step: the largest and the smallest always, widths before depths, the same when taken up."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from leanformer.compress.supernet.sandwich import Members, Sandwich
from leanformer.models.subnet import Member, extracted, member_of
from leanformer.shapes.encoder import LayerShape
from leanformer.train.feeds.batches import Batch
from tests.making.tiny import tiny_classifier, tiny_config

GRID = [
    [Member(tuple(range(depth)), (width,) * depth, (width,) * depth) for width in (4, 3, 2, 1)] for depth in (6, 3, 2)
]


def sandwich(objective: Members | None = None, between: int = 2, seed: int = 13) -> Sandwich:
    return Sandwich(objective or Members({}, ()), GRID, between=between, depth_from=0.25, seed=seed)


def test_the_largest_and_the_smallest_are_in_every_step_and_depths_come_later():
    steps = [sandwich().drawn(step, 100) for step in range(100)]
    assert all(drawn[0] == GRID[0][0] and len(set(drawn)) == 4 for drawn in steps)
    assert {drawn[-1] for drawn in steps[:25]} == {GRID[0][-1]}
    assert {drawn[-1] for drawn in steps[25:]} == {GRID[-1][-1]}
    assert {member for drawn in steps[:25] for member in drawn} == set(GRID[0])
    assert {member for drawn in steps[25:] for member in drawn} == {member for of_depth in GRID for member in of_depth}


def test_the_draw_depends_on_seed_and_step_alone():
    assert [sandwich().drawn(step, 90) for step in range(90)] == [sandwich().drawn(step, 90) for step in range(90)]
    assert sandwich(seed=14).drawn(50, 90) != sandwich().drawn(50, 90)
    assert sandwich(between=99).drawn(80, 90) != sandwich(between=0).drawn(80, 90) == (GRID[0][0], GRID[-1][-1])


@pytest.mark.parametrize("between", [0, 3])
def test_a_grid_of_one_member_is_that_member(between: int):
    alone = Sandwich(Members({}, ()), [[GRID[0][0]]], between=between, depth_from=0.0, seed=1)
    assert alone.drawn(0, 10) == (GRID[0][0],)


class Asked:
    """A loss that is the sum of logits."""

    def __call__(self, model: object, batch: Batch) -> Tensor:
        return model.outputs(batch.ids, batch.mask, None).logits.sum()  # type: ignore[attr-defined]


@torch.no_grad()
def test_the_loss_is_the_mean_over_the_drawn_members():
    model = tiny_classifier(tiny_config(layers=(LayerShape(4, 48),) * 4))
    members = [member_of(model.config, depth, width) for depth, width in ((1.0, 1.0), (0.5, 0.5), (0.5, 0.25))]
    ids = torch.randint(1, 60, (3, 7), generator=torch.Generator().manual_seed(3))
    batch = Batch(ids, torch.ones_like(ids).bool(), None, torch.zeros(3), None, 1.0)  # type: ignore[arg-type]
    objective = Members({4: Asked(), 2: Asked()}, members)  # type: ignore[dict-item]
    expected = torch.stack([extracted(model, member)(ids, batch.mask).sum() for member in members]).mean()
    torch.testing.assert_close(objective(model, batch), expected, rtol=1e-5, atol=1e-5)
    objective.drawn = (members[2],)
    assert abs(float(objective(model, batch) - expected)) > 1e-3
    assert not objective.state_dict()
