"""A Ray that runs tasks in this process, when they are asked for; machines and deaths are as a test says."""

from __future__ import annotations

import socket
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any


class RayError(Exception):
    pass


class WorkerCrashedError(RayError):
    pass


class RayTaskError(RayError):
    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class Kept:
    """What was put into the store."""

    def __init__(self, value: Any) -> None:
        self.value = value


class PretendedRay:
    """The parts of the module `ray` that are used.

    Attributes:
        machines: host name -> cores. begun: the host of each task, in order. deaths: so many workers die next.
        cancelled: tasks that were ended.
    """

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, machines: dict[str, int] | None = None) -> None:
        self.machines = machines or {socket.gethostname(): 2}
        self.begun: list[str] = []
        self.deaths = 0
        self.cancelled: list[Any] = []
        self.ended = first_begun

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": float(sum(self.machines.values()))}

    def nodes(self) -> list[dict[str, Any]]:
        return [
            {"NodeID": host, "NodeManagerHostname": host, "Alive": True, "Resources": {"CPU": float(cores)}}
            for host, cores in self.machines.items()
        ]

    def put(self, value: Any) -> Kept:
        return Kept(value)

    def remote(self, **options: Any) -> Callable[[Any], Any]:
        assert options["max_retries"] == 0, "Ray is not to begin again what the pool begins again"

        def wrapped(function: Callable[..., Any]) -> Any:
            def on(place: str) -> Any:
                def begin(*arguments: Any) -> Any:
                    self.begun.append(place)
                    return SimpleTask(function, arguments, place)

                return SimpleNamespace(remote=begin)

            return SimpleNamespace(on=on)

        return wrapped

    def wait(self, tasks: list[Any], num_returns: int) -> tuple[list[Any], list[Any]]:
        assert num_returns == 1
        done = self.ended(tasks)
        return [done], [task for task in tasks if task is not done]

    def get(self, task: Any) -> Any:
        if self.deaths:
            self.deaths -= 1
            raise WorkerCrashedError
        try:
            return task.function(
                *(argument.value if isinstance(argument, Kept) else argument for argument in task.arguments)
            )
        except Exception as error:
            raise RayTaskError(error) from error

    def cancel(self, task: Any, force: bool) -> None:
        assert force
        self.cancelled.append(task)


class SimpleTask:
    def __init__(self, function: Callable[..., Any], arguments: tuple[Any, ...], place: str) -> None:
        self.function, self.arguments, self.place = function, arguments, place


def first_begun(tasks: list[Any]) -> Any:
    """The task that ends next: the first that was begun."""
    return tasks[0]


def placed(pool: Any, place: Any) -> Any:
    """In place of `Pool._on`, which asks the real Ray for a strategy."""
    return pool._function.on(place.node)
