"""Tasks on the machines of a Ray cluster, placed explicitly: on each machine as many at once as its cores allow.

Ray alone would put a task anywhere. Here the driver decides, so that it can keep its own machine quiet while measuring
there (`start(quiet=True)`), and can restart a task, possibly elsewhere, if its worker died.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from leanformer.cluster.connection import slots
from leanformer.errors import LeanformerError

RETRIES = 3


@dataclass(frozen=True)
class Place:
    """A machine of the cluster: its node id, its host name, and how many tasks it runs at once."""

    node: str
    host: str
    slots: int


@dataclass(frozen=True)
class _Attempt:
    """A task: its key, its arguments, where it runs, and how often its worker has died."""

    key: Any
    arguments: tuple[Any, ...]
    place: Place | None = None
    deaths: int = 0


class DiedError(Exception):
    """The worker of a task died too often; the message says how often and why."""


class TaskPool:
    """Runs one function on many arguments.

    Args:
        ray: the module, connected (`connection.connected`).
        function: at the top level of a module that every machine can import.
        cores: processors reserved for each task; the function keeps to them.
        retries: how often a task is restarted if its worker died.
        say: called with a line for every worker that died.

    Raises `LeanformerError` if no machine has that many cores.
    """

    def __init__(
        self,
        ray: Any,
        function: Callable[..., Any],
        cores: int,
        *,
        retries: int = RETRIES,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        slots(ray, cores)
        self._ray, self._cores, self._retries, self._say = ray, cores, retries, say
        # Restarted by us and not by Ray, which would insist on a machine that is gone.
        self._function = ray.remote(num_cpus=cores, max_retries=0)(function)
        self._waiting: deque[_Attempt] = deque()
        self._running: dict[Any, _Attempt] = {}

    @property
    def size(self) -> int:
        """How many tasks the cluster can currently run, at least 1. Raises `LeanformerError` if it can run none."""
        slots(self._ray, self._cores)
        return max(1, sum(place.slots for place in self.places()))

    @property
    def running(self) -> int:
        return len(self._running)

    def places(self) -> list[Place]:
        """The machines that can run a task and are currently available."""
        found = [
            Place(node["NodeID"], node["NodeManagerHostname"], int(node["Resources"].get("CPU", 0) // self._cores))
            for node in self._ray.nodes()
            if node["Alive"]
        ]
        return [place for place in found if place.slots]

    def busy_here(self) -> bool:
        """Whether one of our tasks runs on this machine."""
        return any(attempt.place is not None and is_here(attempt.place) for attempt in self._running.values())

    def add(self, key: Any, *arguments: Any) -> None:
        """Queue a task."""
        self._waiting.append(_Attempt(key, arguments))

    def start(self, *, quiet: bool = False) -> None:
        """Start queued tasks where there is room; with `quiet` not on this machine."""
        places = [place for place in self.places() if not (quiet and is_here(place))]
        taken = [attempt.place.node for attempt in self._running.values() if attempt.place is not None]
        free = {place: place.slots - taken.count(place.node) for place in places}
        while self._waiting and free and max(free.values()) > 0:
            place = max(free, key=lambda candidate: free[candidate])
            free[place] -= 1
            waiting = self._waiting.popleft()
            task = self._on(place).remote(*waiting.arguments)
            self._running[task] = _Attempt(waiting.key, waiting.arguments, place, waiting.deaths)

    def take(self) -> tuple[Any, Any] | None:
        """Wait for a task to end: its key and return value; None if its worker died and the task is queued again.

        Raises `DiedError`, with the task's key as its second argument, if that happened too often; the function's own
        exception if it is a `LeanformerError`, otherwise Ray's error for it; and `LeanformerError` if nothing runs and
        nothing can be started.
        """
        if not self._running:
            slots(self._ray, self._cores)  # raises if no machine is left
            raise LeanformerError("the cluster begins no task\n  remedy: see ray status")
        (done,), _ = self._ray.wait(list(self._running), num_returns=1)
        attempt = self._running.pop(done)
        try:
            return attempt.key, self._ray.get(done)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, LeanformerError):
                raise error.cause from error
            raise
        except self._ray.exceptions.RayError as error:
            deaths, why = attempt.deaths + 1, type(error).__name__
            if deaths > self._retries:
                raise DiedError(f"its worker died {deaths} times ({why}); often it is memory", attempt.key) from error
            where = "" if attempt.place is None else f" on {attempt.place.host}"
            self._say(f"a worker died{where} ({why}); what it did is begun again")
            self._waiting.appendleft(_Attempt(attempt.key, attempt.arguments, None, deaths))
            return None

    def close(self) -> None:
        """Cancel running tasks and drop queued ones."""
        for task in self._running:
            self._ray.cancel(task, force=True)
        self._running.clear()
        self._waiting.clear()

    def _on(self, place: Place) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return self._function.options(scheduling_strategy=NodeAffinitySchedulingStrategy(place.node, soft=False))


def is_here(place: Place) -> bool:
    """Whether the place is this machine, by host name."""
    return place.host == socket.gethostname()
