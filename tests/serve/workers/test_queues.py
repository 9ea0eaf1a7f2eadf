"""The queue of a model: priorities by header, room, and when to come back."""

from __future__ import annotations

import pytest

from leanformer.serve.http.refused import Refused
from leanformer.serve.workers.queues import PRIORITIES, PRIORITY_HEADER, ModelQueue, priority_of


def test_priorities_by_header():
    assert [priority_of({PRIORITY_HEADER: name}) for name in PRIORITIES] == [0, 1, 2]
    assert priority_of({}) == 1
    assert priority_of({b"x": b"low"}, b"x") == 2
    for wrong in ("High", "", "0", "urgent"):
        with pytest.raises(Refused, match="must be high, normal or low") as refused:
            priority_of({PRIORITY_HEADER: wrong})
        assert refused.value.status == 422


def test_when_to_come_back_is_how_long_the_workers_take():
    queue = ModelQueue(1000, outstanding=1000)
    for per_token, workers, seconds in ((0.0, 1, 1), (0.01, 1, 10), (0.01, 2, 5), (0.01, 0, 10), (1.0, 1, 60)):
        queue.seconds_per_token = per_token
        with pytest.raises(Refused) as refused:
            queue.check_room(1, 1, workers)
        assert refused.value.headers == {"retry-after": str(seconds)}


def test_when_to_come_back_counts_what_other_models_take_meanwhile():
    """As much as this one, or what they have: the workers' time is shared equally."""
    queue, small, large = (ModelQueue(1000, outstanding, seconds_per_token=0.01) for outstanding in (1000, 100, 5000))
    for others, seconds in (((), 10), ((small,), 11), ((large,), 20), ((small, large), 21)):
        with pytest.raises(Refused) as refused:
            queue.check_room(1, 1, 1, others)
        assert refused.value.headers == {"retry-after": str(seconds)}


def test_the_time_of_a_token_is_the_first_one_and_then_smoothed():
    queue = ModelQueue(1000)
    queue.measure(100, 1.0)
    assert queue.seconds_per_token == pytest.approx(0.01)
    queue.measure(100, 2.0)
    assert queue.seconds_per_token == pytest.approx(0.011)
