"""The Pareto front of several models, and ranks of those behind it."""

from __future__ import annotations

from collections.abc import Sequence


def pareto_front(costs: Sequence[float], merits: Sequence[float]) -> list[int]:
    """Indices of the points that no other point dominates, by rising cost.

    A point dominates another if it costs no more, has no less merit, and differs. Of equal points all are kept.
    """
    order = sorted(range(len(costs)), key=lambda i: (costs[i], -merits[i]))
    front: list[int] = []
    best: tuple[float, float] | None = None
    for i in order:
        if best is None or merits[i] > best[1] or (costs[i], merits[i]) == best:
            front.append(i)
            best = (costs[i], merits[i])
    return front


def dominates(point: Sequence[float], other: Sequence[float]) -> bool:
    """Whether `point` costs no more than `other` in any respect, and less in at least one."""
    return all(a <= b for a, b in zip(point, other, strict=True)) and any(
        a < b for a, b in zip(point, other, strict=True)
    )


def nondominated_ranks(costs: Sequence[Sequence[float]]) -> list[int]:
    """For points `[n][goals]`, lower is better: 0 on the front, 1 on the front of the rest, and so on.

    Deb et al. 2002, NSGA-II.
    """
    ranks = [0] * len(costs)
    left = list(range(len(costs)))
    rank = 0
    while left:
        front = [i for i in left if not any(dominates(costs[j], costs[i]) for j in left)]
        for i in front:
            ranks[i] = rank
        left = [i for i in left if i not in set(front)]
        rank += 1
    return ranks


def crowding_distances(costs: Sequence[Sequence[float]]) -> list[float]:
    """Distance of each point to its neighbours on the front of its rank; infinite at the ends (Deb et al. 2002)."""
    ranks = nondominated_ranks(costs)
    distances = [0.0] * len(costs)
    for rank in set(ranks):
        members = [i for i in range(len(costs)) if ranks[i] == rank]
        for goal in range(len(costs[0])):
            order = sorted(members, key=lambda i: costs[i][goal])
            low, high = costs[order[0]][goal], costs[order[-1]][goal]
            distances[order[0]] = distances[order[-1]] = float("inf")
            if not 0 < high - low < float("inf"):
                continue
            for before, i, after in zip(order, order[1:], order[2:], strict=False):
                distances[i] += (costs[after][goal] - costs[before][goal]) / (high - low)
    return distances


def hypervolume(costs: Sequence[tuple[float, float]], reference: tuple[float, float]) -> float:
    """The area that points with two costs dominate within a reference point; 0 if none is within it.

    One figure for a whole front (Zitzler and Thiele 1999): larger is better, in the product of the costs' units.
    """
    within = [cost for cost in costs if cost[0] < reference[0] and cost[1] < reference[1]]
    area, before = 0.0, reference[1]
    for first, second in sorted(within):
        if second < before:
            area += (reference[0] - first) * (before - second)
            before = second
    return area
