"""What holds threads or locks begins anew in a process that was forked: they do not go along.

Servers that load a model before they fork (gunicorn with preloading), `multiprocessing` and joblib with its "fork" do
this.
"""

from __future__ import annotations

import os
from typing import Any, Protocol
from weakref import WeakSet


class Forkable(Protocol):
    """Something that other threads may be using at the time of a fork."""

    def begin_in_child(self) -> None:
        """Called in the child before anything else runs there: make locks anew, and forget threads."""
        ...


_ALIVE: WeakSet[Any] = WeakSet()


def tell_of_forks(forkable: Forkable) -> None:
    """Call its `begin_in_child` in every child that is forked from now on, for as long as it lives."""
    _ALIVE.add(forkable)


def never_free(instance: object) -> None:
    """Keep an object for ever, also when the interpreter ends: its destructor would wait for threads of the parent."""
    import ctypes

    ctypes.pythonapi.Py_IncRef(ctypes.py_object(instance))


def _begin_all() -> None:
    for forkable in list(_ALIVE):
        forkable.begin_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_all)
