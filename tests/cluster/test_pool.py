"""Tasks on machines: how many at once and where, what is begun again, and what is told."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from leanformer.cluster.pool import DiedError, TaskPool
from leanformer.errors import LeanformerError
from tests.making.clusters import PretendedRay, RayTaskError, placed

HERE = socket.gethostname()


@pytest.fixture(autouse=True)
def _placed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TaskPool, "_on", placed)


def double(number: int) -> int:
    if number < 0:
        raise LeanformerError("below 0")
    if number > 100:
        raise ValueError("a bug")
    return 2 * number


def taken(pool: TaskPool, count: int) -> list[Any]:
    found: list[Any] = []
    while len(found) < count:
        pool.start()
        one = pool.take()
        found += [] if one is None else [one]
    return found


def test_each_task_gives_one_result():
    pool = TaskPool(PretendedRay(), double, 1)
    for number in range(7):
        pool.add(number, number)
    assert sorted(taken(pool, 7)) == [(number, 2 * number) for number in range(7)]
    assert pool.running == 0


def test_no_machine_is_given_more_than_its_cores():
    ray = PretendedRay({"a": 5, "b": 2, "small": 1})
    pool = TaskPool(ray, double, 2)
    assert pool.size == 3
    for number in range(9):
        pool.add(number, number)
    pool.start()
    assert sorted(ray.begun) == ["a", "a", "b"] and pool.running == 3
    pool.start()
    assert pool.running == 3
    assert pool.take() is not None
    pool.start()
    assert pool.running == 3 and len(ray.begun) == 4


def test_more_cores_than_any_machine_has_are_refused():
    with pytest.raises(LeanformerError, match="takes 4 cores"):
        TaskPool(PretendedRay({"a": 3, "b": 3}), double, 4)


def test_a_quiet_machine_begins_nothing_and_others_do():
    ray = PretendedRay({HERE: 4, "other": 2})
    pool = TaskPool(ray, double, 1)
    for number in range(8):
        pool.add(number, number)
    pool.start(quiet=True)
    assert ray.begun == ["other", "other"] and not pool.busy_here()
    pool.start()
    assert ray.begun[2:] == [HERE] * 4 and pool.busy_here()


@pytest.mark.parametrize("deaths", [1, 3])
def test_what_a_dead_worker_did_is_done_again_and_there_once(deaths: int):
    ray, said = PretendedRay(), []
    pool = TaskPool(ray, double, 1, retries=3, say=said.append)
    for number in range(4):
        pool.add(number, number)
    ray.deaths = deaths
    assert sorted(taken(pool, 4)) == [(number, 2 * number) for number in range(4)]
    assert len(ray.begun) == 4 + deaths and len(said) == deaths
    assert all("a worker died" in line for line in said)


def test_a_task_that_kills_every_worker_is_given_up():
    ray = PretendedRay({HERE: 1})
    pool = TaskPool(ray, double, 1, retries=2)
    pool.add("bad", 1)
    pool.add("good", 2)
    ray.deaths = 3
    with pytest.raises(DiedError, match="died 3 times") as caught:
        taken(pool, 1)
    assert caught.value.args[1] == "bad"
    assert taken(pool, 1) == [("good", 4)]


def test_what_the_function_raises_reaches_the_driver():
    pool = TaskPool(PretendedRay(), double, 1)
    pool.add("mendable", -1)
    pool.start()
    with pytest.raises(LeanformerError, match="below 0"):
        pool.take()
    pool.add("a bug", 101)
    pool.start()
    with pytest.raises(RayTaskError, match="a bug"):
        pool.take()


def test_a_cluster_whose_machines_are_gone_says_so():
    ray = PretendedRay()
    pool = TaskPool(ray, double, 1)
    pool.add(1, 1)
    ray.machines = {"tiny": 0}
    pool.start()
    with pytest.raises(LeanformerError, match="no machine of the cluster has more than 0"):
        pool.take()


def test_closing_ends_what_runs():
    ray = PretendedRay()
    pool = TaskPool(ray, double, 1)
    for number in range(5):
        pool.add(number, number)
    pool.start()
    pool.close()
    assert len(ray.cancelled) == 2 and pool.running == 0
    pool.start()
    assert len(ray.begun) == 2
