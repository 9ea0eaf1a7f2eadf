"""How many connections the operating system lets this process hold: each is an open file."""

from __future__ import annotations

import sys

from leanformer.errors import LeanformerError

if sys.platform != "win32":
    import resource

# What a server has open besides: its listener, its log, its event loop, and pipes to its workers.
_BESIDES = 128
# Connections beyond the limit have to be taken, too, to be told so. At the system's own limit libuv closes what it
# takes without a word.
_BEYOND = 1.25
# Asked for where it may be had: a rush of more than _BEYOND covers is then answered, too.
_AMPLE = 16_384


def room_for(connections: int) -> int:
    """Raise this process's limit of open files as far as that number of connections needs, and more where it may.

    Returns the number, or a lower one where the system (its hard limit) allows no more. Raises `LeanformerError`
    where it allows none.
    """
    if sys.platform == "win32":  # sockets do not count as files there
        return connections
    needed = int(connections * _BEYOND) + _BESIDES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        wanted = max(needed, _AMPLE)
        if hard != resource.RLIM_INFINITY:
            wanted = min(wanted, hard)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (OSError, ValueError):
            pass  # a system may have a lower limit than it tells of
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return connections
    room = int((soft - _BESIDES) / _BEYOND)
    if room < 1:
        raise LeanformerError(
            f"this process may open {soft} files, which leaves none for connections\n"
            f"  remedy: allow it more (`ulimit -n {needed}`)"
        )
    return room
