"""Which of several models nothing beats: the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence


def pareto_front(costs: Sequence[float], merits: Sequence[float]) -> list[int]:
    """Indices of the points that no other point dominates, by rising cost.

    A point dominates another when it costs no more, merits no less, and differs. Of equal points all are kept.
    """
    order = sorted(range(len(costs)), key=lambda i: (costs[i], -merits[i]))
    front: list[int] = []
    best: tuple[float, float] | None = None
    for i in order:
        if best is None or merits[i] > best[1] or (costs[i], merits[i]) == best:
            front.append(i)
            best = (costs[i], merits[i])
    return front
