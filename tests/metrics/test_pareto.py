"""Fronts and ranks for any number of goals."""

from __future__ import annotations

import numpy as np
import pytest

from leanformer.metrics.pareto import crowding_distances, dominates, hypervolume, nondominated_ranks, pareto_front


def test_one_goal_is_sorting():
    assert nondominated_ranks([[3.0], [1.0], [2.0], [1.0]]) == [2, 0, 1, 0]


@pytest.mark.parametrize("goals", [2, 3])
def test_ranks_are_fronts_peeled_one_after_another(goals: int):
    points = np.random.default_rng(goals).integers(0, 6, (40, goals)).astype(float).tolist()
    ranks = nondominated_ranks(points)
    for i, point in enumerate(points):
        above = [ranks[j] for j, other in enumerate(points) if dominates(other, point)]
        # A point lies right behind the last of those that dominate it.
        assert ranks[i] == (max(above) + 1 if above else 0)


def test_the_first_rank_is_the_front_of_two_goals():
    points = np.random.default_rng(0).random((30, 2))
    front = pareto_front(points[:, 0].tolist(), (-points[:, 1]).tolist())
    assert sorted(front) == [i for i, rank in enumerate(nondominated_ranks(points.tolist())) if rank == 0]


def test_no_points_have_no_ranks():
    assert nondominated_ranks([]) == [] and crowding_distances([]) == []


def test_the_ends_are_loneliest_and_neighbours_crowd():
    points = [[0.0, 10.0], [1.0, 9.0], [1.5, 8.5], [6.0, 4.0], [10.0, 0.0]]
    distances = crowding_distances(points)
    assert distances[0] == distances[4] == float("inf")
    assert distances[1] == pytest.approx(0.3) and distances[3] == pytest.approx(1.7)
    assert distances[1] < distances[2] < distances[3]


def test_infinite_costs_crowd_nobody():
    assert crowding_distances([[0.0, float("inf")], [1.0, float("inf")], [2.0, float("inf")]])[1] >= 0


def test_hypervolume_is_the_area_counted_cell_by_cell():
    points = [(1.0, 4.0), (2.0, 2.0), (4.0, 1.0), (3.0, 3.0), (9.0, 0.0)]
    cells = [(x + 0.5, y + 0.5) for x in range(5) for y in range(5)]
    dominated = sum(any(a <= x and b <= y for a, b in points) for x, y in cells)
    assert hypervolume(points, (5.0, 5.0)) == dominated == 11
    assert hypervolume([], (1.0, 1.0)) == hypervolume([(2.0, 0.0)], (1.0, 1.0)) == 0


def test_equal_in_one_goal_and_worse_in_the_other_is_dominated():
    assert nondominated_ranks([(1, 2), (1, 3), (2, 2), (1, 2)]) == [0, 1, 1, 0]
