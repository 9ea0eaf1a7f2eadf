"""Objects with threads or locks are reset in a forked process, because these do not survive the fork.

Servers that load a model before they fork (gunicorn with preloading), `multiprocessing` and joblib with their "fork"
method do this.
"""

from __future__ import annotations

import os
from typing import Any, Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """An object that other threads may be using at the time of a fork."""

    def begin_in_child(self) -> None:
        """Called in the child before anything else runs there: recreate locks, and forget threads."""
        ...


_ALIVE: WeakSet[Any] = WeakSet()


def tell_of_forks(forkable: Forkable) -> None:
    """Register an object: its `begin_in_child` is called in every child forked during its lifetime."""
    _ALIVE.add(forkable)


def never_free(instance: object) -> None:
    """Never free an object, not even at interpreter exit: its destructor would wait for threads of the parent."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(instance))


def _begin_all() -> None:
    for forkable in list(_ALIVE):
        forkable.begin_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_all)
