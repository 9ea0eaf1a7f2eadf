"""The scheduler with workers that answer when they are told to: which rows go together, to whom, and what is owed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leanformer.serve.http.refused import Refused
from leanformer.serve.workers.jobs import RequestJob, WorkerBatch
from leanformer.serve.workers.scheduler import Scheduler
from leanformer.serve.workers.wire import Answer


def expected(these: Sequence[np.ndarray], model: int) -> list[list[int]]:
    """What a model gives for rows: model 0 their number and length, once a row; model 1 their number for each token."""
    if model == 0:
        return [[row[0], len(row)] for row in these]
    return [[row[0], place] for row in these for place in range(len(row))]


@dataclass(eq=False)
class Hand:
    """A worker by hand: it keeps its packs until `answer` or `fail` is called."""

    scheduler: Scheduler
    packs: dict[int, WorkerBatch] = field(default_factory=dict)
    engines: list[dict[str, Any]] = field(default_factory=list)
    seen: list[list[int]] = field(default_factory=list)

    def send(self, pack: WorkerBatch) -> None:
        self.seen.append([int(row[0]) for row in pack.rows()])

    def answer(self, seconds_per_token: float | None = None) -> None:
        """Answer the oldest pack, after 1 ms, or so much for each of its tokens."""
        pack = next(iter(self.packs.values()))
        values = np.array(expected(pack.rows(), pack.model), dtype=np.float32)
        seconds = 0.001 if seconds_per_token is None else seconds_per_token * pack.tokens
        self.scheduler.answered(self, Answer(pack.number, seconds, values))

    def fail(self) -> None:
        self.scheduler.answered(self, Answer(next(iter(self.packs)), 0.0, None, "Broken: by hand"))


def rows(*lengths: int, first: int = 0) -> list[np.ndarray]:
    """Rows of these lengths; each begins with its own number."""
    return [np.full(length, first + index, dtype=np.int32) for index, length in enumerate(lengths)]


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    def run(*arguments: Any) -> None:
        asyncio.run(test(*arguments))

    run.__name__ = test.__name__
    return run


def make(workers: int, queue: int = 10_000, pack: int = 100, models: int = 1) -> tuple[Scheduler, list[Hand]]:
    scheduler = Scheduler(queue, pack, models)
    hands = [Hand(scheduler) for _ in range(workers)]
    for hand in hands:
        scheduler.add(hand)
    return scheduler, hands


def submit(
    scheduler: Scheduler, these: list[np.ndarray], model: int = 0, exact: bool = False, priority: int = 1
) -> RequestJob:
    job = scheduler.submit(model, these, exact=exact, timeout=60, by_token=model == 1, priority=priority)
    job.answer.add_done_callback(lambda future: future.exception())  # asked for here, so that asyncio does not complain
    return job


def check(job: RequestJob) -> None:
    """Each row, or each token, got its own answer."""
    assert job.answer.result().tolist() == expected(job.rows, job.model)


@in_a_loop
async def test_an_idle_worker_takes_what_is_there_at_once():
    scheduler, [hand] = make(1)
    job = submit(scheduler, rows(5))
    assert hand.seen == [[0]]
    hand.answer()
    check(job)
    assert (scheduler.outstanding, scheduler.waiting, scheduler.jobs) == (0, 0, 0)


@in_a_loop
async def test_what_gathers_while_all_are_busy_goes_together():
    scheduler, [hand] = make(1)
    jobs = [submit(scheduler, rows(10, first=i)) for i in range(5)]
    assert hand.seen == [[0]]
    hand.answer()
    assert hand.seen[1:] == [[1, 2, 3, 4]]
    hand.answer()
    for job in jobs:
        check(job)


@in_a_loop
async def test_packs_keep_to_the_budget_and_a_longer_row_goes_alone():
    scheduler, [hand] = make(1, pack=25)
    job = submit(scheduler, rows(10, 10, 40, 10, 10, 10))
    while hand.packs:
        hand.answer()
    assert hand.seen == [[0, 1], [2], [3, 4], [5]]
    check(job)


@in_a_loop
async def test_tokens_have_their_own_answers_whatever_packs_and_workers_they_come_by():
    scheduler, hands = make(2, pack=25)
    job, other = submit(scheduler, rows(10, 1, 40, 7, 3, 10), model=1), submit(scheduler, rows(2, 9), model=1)
    while any(hand.packs for hand in hands):
        for hand in reversed(hands):
            if hand.packs:
                hand.answer()
    check(job)
    check(other)


@in_a_loop
async def test_idle_workers_share():
    scheduler, hands = make(2, pack=1000)
    submit(scheduler, rows(*[50] * 8))
    assert [hand.seen for hand in hands] == [[[0, 1, 2, 3]], [[4, 5, 6, 7]]]


@in_a_loop
async def test_a_second_pack_lies_ready_only_when_it_is_full():
    scheduler, [hand] = make(1, pack=100)
    submit(scheduler, rows(100, 50))
    assert len(hand.packs) == 1
    submit(scheduler, rows(50, first=2))
    assert hand.seen == [[0], [1, 2]]
    submit(scheduler, rows(100, 100, first=3))
    assert len(hand.packs) == 2, "a third would wait behind two, while another worker might be free"


@in_a_loop
async def test_a_long_list_lets_others_pass():
    scheduler, [hand] = make(1, pack=30)
    long = submit(scheduler, rows(*[10] * 30))
    single = submit(scheduler, rows(10, first=100))
    while not single.answer.done():
        hand.answer()
    assert 100 in hand.seen[3], "two packs were on their way, and one more was the list's turn"
    while hand.packs:
        hand.answer()
    check(long)


@in_a_loop
async def test_models_take_turns_and_are_not_mixed():
    scheduler, [hand] = make(1, pack=30)
    submit(scheduler, rows(*[10] * 30), model=0)
    submit(scheduler, rows(*[10] * 30, first=100), model=1)
    submit(scheduler, rows(10, first=200), model=0, exact=True)
    while hand.packs:
        hand.answer()
    assert all(len({row // 100 for row in pack}) == 1 for pack in hand.seen)
    assert {row // 100 for pack in hand.seen[:8] for row in pack} == {0, 1, 2}


@in_a_loop
async def test_the_queue_is_bounded_and_gives_its_room_back():
    scheduler, [hand] = make(1, queue=100)
    submit(scheduler, rows(60))
    with pytest.raises(Refused) as full:
        submit(scheduler, rows(41))
    assert full.value.status == 429
    with pytest.raises(Refused) as never:
        submit(scheduler, rows(60, 41))
    assert never.value.status == 413
    submit(scheduler, rows(40))
    hand.answer()
    submit(scheduler, rows(60))
    assert scheduler.outstanding == 100


@in_a_loop
async def test_each_model_has_a_queue_of_its_own():
    scheduler, _ = make(1, queue=100, models=2)
    submit(scheduler, rows(90))
    with pytest.raises(Refused):
        submit(scheduler, rows(20))
    submit(scheduler, rows(100), model=1)
    assert scheduler.outstanding == 190
    with pytest.raises(Refused) as full:
        submit(scheduler, rows(1), model=1)
    assert full.value.status == 429 and "limit queue_tokens is 100" in full.value.message


@in_a_loop
async def test_models_share_the_time_of_workers_and_not_the_number_of_packs():
    """A model 100 times as slow gets half of the time; by turns of packs the other would wait 99 % of it."""
    scheduler, [hand] = make(1, queue=1_000_000, models=2)
    spent, speeds = [0.0, 0.0], (1e-5, 1e-3)
    for model in (0, 1):
        submit(scheduler, rows(*[10] * 9000), model=model)
    for _ in range(400):
        pack = next(iter(hand.packs.values()))
        spent[pack.model] += pack.tokens * speeds[pack.model]
        hand.answer(speeds[pack.model])
        assert scheduler.waiting
    assert spent[0] == pytest.approx(spent[1], rel=0.1)


@in_a_loop
async def test_a_model_that_nobody_asked_has_not_saved_up_time():
    scheduler, [hand] = make(1, queue=1_000_000, models=2)
    for model in (0, 1):
        submit(scheduler, rows(*[10] * 1000), model=model)
        if model == 0:
            for _ in range(50):
                hand.answer(1e-3)
    order = []
    for _ in range(20):
        order.append(next(iter(hand.packs.values())).model)
        hand.answer(1e-3)
    assert order.count(0) > 5, "it would wait until the other has caught up"


@in_a_loop
async def test_a_model_that_is_asked_all_the_time_but_little_has_not_saved_up_time():
    """Its requests overlap, so that it always owes an answer, but nothing of it ever waits for long."""
    scheduler, hands = make(2, queue=1_000_000, models=2)
    submit(scheduler, rows(10), model=1)
    slow = next(hand for hand in hands if hand.packs)
    (fast,) = (hand for hand in hands if hand is not slow)
    submit(scheduler, rows(*[10] * 2000), model=0)
    for _ in range(50):
        fast.answer(1e-3)
    assert slow.packs and scheduler.queue(1).outstanding == 10
    submit(scheduler, rows(*[10] * 1000, first=5000), model=1)
    order = []
    for _ in range(20):
        order.append(next(iter(fast.packs.values())).model)
        fast.answer(1e-3)
    assert order.count(0) > 5, "it would wait until the other has caught up"


@in_a_loop
async def test_a_pack_that_fails_is_charged_for_its_time():
    scheduler, [hand] = make(1, models=2)
    submit(scheduler, rows(10))
    scheduler.answered(hand, Answer(next(iter(hand.packs)), 3.0, None, "Broken: by hand"))
    assert scheduler.queue(0).seconds >= 3.0


@in_a_loop
async def test_packs_of_a_slow_model_are_short_where_others_are_served():
    for models, longest in ((2, 50), (1, 100)):
        scheduler, [hand] = make(1, models=models)
        submit(scheduler, rows(*[10] * 60))
        hand.answer(1e-3)
        while hand.packs:
            tokens = max(pack.tokens for pack in hand.packs.values())
            hand.answer(1e-3)
        assert tokens <= longest
        assert max(map(len, hand.seen[2:])) == longest // 10


@in_a_loop
async def test_the_more_urgent_goes_first_and_equals_take_turns():
    scheduler, [hand] = make(1, pack=10)
    for priority, first in ((2, 20), (1, 10), (0, 0), (1, 11), (0, 1), (2, 21)):
        submit(scheduler, rows(10, first=first), priority=priority)
    assert hand.seen == [[20], [10]], "what came first was handed out at once"
    while hand.packs:
        hand.answer()
    assert hand.seen[2:] == [[0], [1], [11], [21]]


@in_a_loop
async def test_low_priority_leaves_half_of_the_queue_to_others():
    scheduler, _ = make(1, queue=100)
    submit(scheduler, rows(49), priority=2)
    submit(scheduler, rows(10), priority=2)
    with pytest.raises(Refused) as refused:
        submit(scheduler, rows(1), priority=2)
    assert refused.value.status == 429 and "half of the queue" in refused.value.message
    submit(scheduler, rows(41), priority=1)


@in_a_loop
async def test_a_dropped_job_is_not_computed_and_owes_nothing():
    scheduler, [hand] = make(1, pack=20)
    busy = submit(scheduler, rows(20))
    late = submit(scheduler, rows(10, 10, 10, first=1))
    after = submit(scheduler, rows(10, first=9))
    assert hand.seen == [[0], [1, 2]], "two rows of `late` lie ready, one waits"
    scheduler.drop(late, Refused(504, "late"))
    while hand.packs:
        hand.answer()
    check(busy)
    check(after)
    assert isinstance(late.answer.exception(), Refused)
    assert 3 not in [row for pack in hand.seen for row in pack]
    assert (scheduler.outstanding, scheduler.waiting, scheduler.jobs) == (0, 0, 0)


@in_a_loop
async def test_a_deadline_drops():
    scheduler, [hand] = make(1)
    submit(scheduler, rows(20))
    late = scheduler.submit(0, rows(60), exact=False, timeout=0.001)
    with pytest.raises(Refused) as caught:
        await late.answer
    assert caught.value.status == 504
    assert scheduler.outstanding == 20
    assert len(hand.packs) == 1


@in_a_loop
async def test_after_a_loss_each_job_is_tried_alone():
    scheduler, [one] = make(1)
    first = submit(scheduler, rows(10))
    innocent, poison, last = (submit(scheduler, rows(10, first=i)) for i in (1, 2, 3))
    one.answer()
    check(first)
    assert one.seen[-1] == [1, 2, 3]
    scheduler.lost(one)
    assert not scheduler.workers
    two = Hand(scheduler)
    scheduler.add(two)
    for _ in range(2):
        assert len(two.seen[-1]) == 1, "the one that it died of must not take others along again"
        two.fail() if two.seen[-1] == [2] else two.answer()
    assert len(two.seen[-1]) == 1
    two.fail() if two.seen[-1] == [2] else two.answer()
    check(innocent)
    check(last)
    assert poison.answer.exception().status == 500
    assert (scheduler.outstanding, scheduler.waiting, scheduler.jobs) == (0, 0, 0)


@in_a_loop
async def test_a_worker_that_held_two_packs_of_a_job_has_died_once():
    scheduler, [hand] = make(1, pack=20)
    job = submit(scheduler, rows(20, 20))
    assert len(hand.packs) == 2
    scheduler.lost(hand)
    second = Hand(scheduler)
    scheduler.add(second)
    assert len(second.packs) == 2, "one worker was lost, so the job is tried again"
    scheduler.lost(second)
    assert isinstance(job.answer.exception(), Refused) and job.answer.exception().status == 503
    assert (scheduler.outstanding, scheduler.waiting, scheduler.jobs) == (0, 0, 0)


@in_a_loop
async def test_empty_waits_for_the_last():
    scheduler, [hand] = make(1)
    submit(scheduler, rows(10))
    waiting = asyncio.create_task(scheduler.empty())
    await asyncio.sleep(0)
    assert not waiting.done()
    hand.answer()
    await asyncio.wait_for(waiting, 10)


@pytest.mark.slow
@settings(deadline=None)
@given(st.data())
def test_whatever_happens_every_job_is_answered_and_nothing_is_counted_twice(data: st.DataObject):
    async def play() -> None:
        scheduler, hands = make(data.draw(st.integers(1, 3)), queue=400, pack=data.draw(st.integers(1, 60)))
        jobs: list[RequestJob] = []
        for _ in range(data.draw(st.integers(1, 40))):
            act = data.draw(st.sampled_from(("submit", "submit", "submit", "answer", "answer", "drop", "lose", "fail")))
            busy = [hand for hand in hands if hand.packs]
            if act == "submit":
                lengths = data.draw(st.lists(st.integers(1, 50), min_size=1, max_size=6))
                model, exact = data.draw(st.integers(0, 1)), data.draw(st.booleans())
                priority = data.draw(st.integers(0, 2))
                taken = sum(job.tokens for job in jobs if job.open and job.model == model)
                fits = taken + sum(lengths) <= 400 and (priority < 2 or taken < 200)
                with contextlib.nullcontext() if fits else pytest.raises(Refused):
                    jobs.append(submit(scheduler, rows(*lengths), model, exact, priority))
            elif act == "drop" and jobs:
                scheduler.drop(data.draw(st.sampled_from(jobs)), Refused(504, "dropped"))
            elif busy and act in ("answer", "fail"):
                hand = data.draw(st.sampled_from(busy))
                hand.answer() if act == "answer" else hand.fail()
            elif busy and act == "lose":
                hand = data.draw(st.sampled_from(busy))
                hands.remove(hand)
                scheduler.lost(hand)
                hands.append(Hand(scheduler))
                scheduler.add(hands[-1])
            assert scheduler.outstanding == sum(job.tokens for job in jobs if job.open)
            todo = sum(len(job.rows[index]) for job in jobs for index in job.todo)
            assert scheduler.waiting == todo
            assert not todo or all(hand.packs for hand in hands), "a worker idles while work waits"
        while busy := [hand for hand in hands if hand.packs]:
            busy[0].answer()
        assert all(job.answer.done() for job in jobs)
        for job in jobs:
            if job.answer.exception() is None:
                check(job)
            else:
                assert isinstance(job.answer.exception(), Refused)
        assert (scheduler.outstanding, scheduler.waiting, scheduler.jobs) == (0, 0, 0)

    asyncio.run(play())
