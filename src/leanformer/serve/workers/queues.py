"""What waits for one model: rows by priority, the room that is left for them, and how long workers have computed it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from leanformer.serve.http.refused import Refused
from leanformer.serve.workers.jobs import Lane, RequestJob

# The values of the header, the most urgent first; a priority is a place in it.
PRIORITIES = ("high", "normal", "low")
NORMAL, LOW = 1, 2
PRIORITY_HEADER = "leanformer-priority"
_SMOOTHING = 0.1


def priority_of(headers: Mapping[Any, Any], name: Any = PRIORITY_HEADER) -> int:
    """The priority that a request's headers ask for. Raises `Refused` (422) for one that there is not."""
    given = headers.get(name)
    if given is None:
        return NORMAL
    told = given.decode("latin-1") if isinstance(given, bytes) else given
    if told not in PRIORITIES:
        raise Refused(422, f"header {PRIORITY_HEADER}: must be {', '.join(PRIORITIES[:-1])} or {PRIORITIES[-1]}")
    return PRIORITIES.index(told)


@dataclass(eq=False)
class ModelQueue:
    """The queue of one model.

    Attributes:
        limit: most tokens accepted and not answered.
        outstanding: tokens accepted and not answered.
        seconds: time of workers that its packs took, with an estimate for those under way. Of the models with waiting
            rows, the one that has had the least is next. A queue in which nothing waited is raised to those in which
            something did, so that a model does not save up the time that it did not need.
        seconds_per_token: what a worker takes, smoothed; 0 until its first pack is answered.
    """

    limit: int
    outstanding: int = 0
    seconds: float = 0.0
    seconds_per_token: float = 0.0
    _lanes: dict[tuple[int, bool], Lane] = field(default_factory=dict)

    @property
    def waits(self) -> bool:
        """Whether rows wait for a worker."""
        return bool(self._lanes)

    @property
    def work(self) -> float:
        """Seconds of one worker that everything accepted takes."""
        return self.outstanding * self.seconds_per_token

    def check_room(self, tokens: int, priority: int, workers: int, others: Iterable[ModelQueue] = ()) -> None:
        """Raise `Refused` (429) if there is no room for so many tokens at present.

        A request of low priority finds room only while less than half is taken: the rest is for the others. The
        response says when to try again: when the queue is empty. Until then `others`, the queues of the other models,
        get as much of the workers' time, or what they have work for.
        """
        half = priority == LOW and 2 * self.outstanding >= self.limit
        if not half and self.outstanding + tokens <= self.limit:
            return
        shared = sum(min(queue.work, self.work) for queue in others)
        seconds = math.ceil((self.work + shared) / max(workers, 1))
        room = "half of the queue is taken, the most for low priority" if half else "the queue of the model is full"
        raise Refused(
            429, f"{room}; the limit queue_tokens is {self.limit}", {"retry-after": str(min(max(seconds, 1), 60))}
        )

    def put(self, job: RequestJob, *, first: bool = False) -> None:
        """Let a job wait, behind the others of its priority or before them."""
        lane = self._lanes.setdefault((job.priority, job.exact), Lane())
        lane[job] = None
        if first:
            lane.move_to_end(job, last=False)

    def drop(self, job: RequestJob) -> None:
        """Let a job wait no longer."""
        if (lane := self._lanes.get(key := (job.priority, job.exact))) is not None:
            lane.pop(job, None)
            if not lane:
                del self._lanes[key]

    def take(self, budget: int) -> tuple[bool, list[tuple[RequestJob, list[int]]], int]:
        """The most urgent waiting rows for one pack: whether exact, jobs with the indices of their rows, and tokens."""
        key = min(self._lanes, key=lambda key: key[0])  # of equal ones the first, and it goes to the end
        lane = self._lanes.pop(key)
        parts, tokens = _fill(lane, budget)
        if lane:
            self._lanes[key] = lane
        return key[1], parts, tokens

    def measure(self, tokens: int, seconds: float) -> None:
        """Take note of the time that a pack took."""
        rate = seconds / tokens
        self.seconds_per_token += (rate - self.seconds_per_token) * (_SMOOTHING if self.seconds_per_token else 1)


def _fill(lane: Lane, budget: int) -> tuple[list[tuple[RequestJob, list[int]]], int]:
    """Take rows from the front of a lane until the budget is reached; the rest of a job goes to the back."""
    parts: list[tuple[RequestJob, list[int]]] = []
    tokens = 0
    while lane:
        job = next(iter(lane))
        if parts and (job.deaths or tokens + len(job.rows[job.todo[-1]]) > budget):
            break
        indices = [job.todo.pop()]
        tokens += len(job.rows[indices[0]])
        while job.todo and tokens + len(job.rows[job.todo[-1]]) <= budget:
            indices.append(job.todo.pop())
            tokens += len(job.rows[indices[-1]])
        parts.append((job, indices))
        if job.todo:
            lane.move_to_end(job)
            break
        del lane[job]
        if job.deaths:
            break
    return parts, tokens
