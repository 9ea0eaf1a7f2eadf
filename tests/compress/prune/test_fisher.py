"""Choosing a mask by Fisher information, against trying every mask."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from leanformer.compress.prune.costs import CostTable, flop_costs
from leanformer.compress.prune.fisher import fisher_diagonal, rearrange, search
from leanformer.compress.prune.importance import Scores, gate_gradients, row_losses
from leanformer.compress.prune.scoring_set import batches_of
from leanformer.shapes.encoder import LayerShape
from leanformer.train.feeds.batches import TrainingSet
from tests.compress.prune.test_allocate import every_shape
from tests.making.tiny import tiny_classifier, tiny_config

CONFIG = tiny_config(layers=(LayerShape(3, 5), LayerShape(2, 4)))


def gradients() -> Scores:
    """Of a tiny model on random rows and labels."""
    generator = np.random.default_rng(2)
    rows = [generator.integers(5, 90, size=n).astype(np.int32) for n in generator.integers(3, 12, size=24)]
    data = TrainingSet(rows, generator.integers(0, 3, size=24), 0)
    batches = batches_of(data, batch_size=5, seed=1, device=torch.device("cpu"))
    return gate_gradients(tiny_classifier(CONFIG), batches, row_losses("label"))


def test_the_diagonal_is_the_mean_square():
    found = gradients()
    diagonal = fisher_diagonal(found)
    for given, head in zip((*found.heads, *found.units), (*diagonal.heads, *diagonal.units), strict=True):
        np.testing.assert_allclose(head.numpy(), (given.numpy().astype(np.float64) ** 2).sum(axis=0) / 24, rtol=1e-12)


@pytest.mark.parametrize("keep", [0.45, 0.6, 0.8])
def test_the_numbers_kept_lose_the_least_fisher_information(keep: float):
    """Of all shapes within the budget, each keeping its best heads and units: the brute force."""
    found, costs = gradients(), flop_costs(CONFIG, 8)
    diagonal = fisher_diagonal(found)
    heads, units = search(found, costs, keep * costs.full)
    shape = tuple(LayerShape(len(h), len(u)) for h, u in zip(heads, units, strict=True))
    assert costs.of(shape) <= keep * costs.full

    def lost(one: tuple[LayerShape, ...]) -> float:
        parts = zip(diagonal.heads, diagonal.units, one, strict=True)
        return sum(float(h.sort().values[: len(h) - s.heads].sum() + u.sort().values[: len(u) - s.ffn].sum())
                   for h, u, s in parts)  # fmt: skip

    assert lost(shape) == pytest.approx(
        min(lost(candidate) for candidate in every_shape() if costs.of(candidate) <= keep * costs.full)
    )


def objective(g: np.ndarray, kept: tuple[int, ...] | np.ndarray) -> float:
    """The sum over texts of (sum of pruned gradients)^2, written out."""
    pruned = [i for i in range(g.shape[1]) if i not in set(np.asarray(kept).tolist())]
    return float((g[:, pruned].sum(axis=1) ** 2).sum())


@pytest.mark.parametrize("seed", range(8))
def test_rearranging_ends_where_no_swap_helps(seed: int):
    generator = np.random.default_rng(seed)
    g = generator.normal(size=(30, 4)) @ generator.normal(size=(4, 9)) + 0.1 * generator.normal(size=(30, 9))
    start = np.argsort(-(g**2).sum(axis=0))[:5]
    found = rearrange(g, start)
    assert len(found) == 5 and (np.diff(found) > 0).all()
    assert objective(g, found) <= objective(g, start) + 1e-9
    for out in found:
        for into in set(range(9)) - set(found.tolist()):
            swapped = [into, *(i for i in found if i != out)]
            assert objective(g, swapped) >= objective(g, found) - 1e-6
    everything = [objective(g, pair_) for pair_ in combinations(range(9), 5)]
    assert objective(g, found) <= np.quantile(everything, 0.1)


def test_what_cancels_goes_together():
    """Units 0 and 1 undo each other: by the diagonal 0 is kept, but without both the loss stays where it is."""
    one, other = np.linalg.qr(np.random.default_rng(0).normal(size=(50, 2)))[0].T
    g = np.stack([3 * one, -2.9 * one, 2.95 * other], axis=1)
    diagonal = np.argsort(-(g**2).sum(axis=0))[:1]
    assert diagonal.tolist() == [0]
    assert rearrange(g, diagonal).tolist() == [2]
    assert objective(g, [2]) == pytest.approx(0.01)
    assert objective(g, diagonal) > 8


def test_the_search_keeps_what_does_not_cancel():
    """The same as a layer of three units, of which the budget pays for one."""
    one, other = np.linalg.qr(np.random.default_rng(0).normal(size=(50, 2)))[0].T
    units = torch.from_numpy(np.stack([3 * one, -2.9 * one, 2.95 * other], axis=1))
    costs = CostTable((np.arange(2.0),), (np.arange(4.0),), 0.0, "units")
    heads, kept = search(Scores((torch.ones(50, 1),), (units,)), costs, 2.0)
    assert [each.tolist() for each in (*heads, *kept)] == [[0], [2]]


def test_nothing_to_swap():
    g = np.random.default_rng(0).normal(size=(10, 4))
    assert rearrange(g, np.array([3, 1, 0, 2])).tolist() == [0, 1, 2, 3]


def test_the_candidates_of_a_question_share_its_gates():
    """One gradient a question: that of its loss by a gate that all its rows have."""
    generator = np.random.default_rng(3)
    model = tiny_classifier(tiny_config(layers=(LayerShape(3, 5),), labels=1))
    counts = np.array([2, 4, 3])
    rows = [generator.integers(5, 90, size=n).astype(np.int32) for n in generator.integers(3, 12, size=counts.sum())]
    data = TrainingSet(rows, np.array([1, 3, 0]), 0, counts=counts)

    def found(data: TrainingSet) -> Scores:
        batches = batches_of(data, batch_size=5, seed=1, device=torch.device("cpu"))
        return gate_gradients(model, batches, row_losses("choice"))

    together = found(data)
    assert together.heads[0].shape == (3, 3) and together.units[0].shape == (3, 5)
    down = model.encoder.layers[0].ffn.down
    for question in range(3):
        alone = data.select([question])
        (batch,) = batches_of(alone, batch_size=5, seed=1, device=torch.device("cpu"))
        weight = down.weight.detach().clone()
        losses = []
        for factor in (1.01, 0.99):
            with torch.no_grad():
                down.weight.copy_(weight)
                down.weight[:, 2] *= factor
                losses.append(float(row_losses("choice")(model(batch.ids, batch.mask, batch.types), batch)))
        with torch.no_grad():
            down.weight.copy_(weight)
        slope = (losses[0] - losses[1]) / 0.02
        assert any(abs(float(value) - slope) < 1e-3 + 0.02 * abs(slope) for value in together.units[0][:, 2])
        np.testing.assert_allclose(float(found(alone).units[0][0, 2]), slope, rtol=0.02, atol=1e-3)
