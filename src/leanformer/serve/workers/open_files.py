"""How many connections the operating system allows this process: each is an open file."""

from __future__ import annotations

import sys

from leanformer.errors import LeanformerError

if sys.platform != "win32":
    import resource

# Other open files of a server: its listener, its log, its event loop, and pipes to its workers.
_BESIDES = 128
# Connections beyond the limit must be accepted, too, in order to be refused with a response. At the system's limit
# libuv closes accepted connections without one.
_BEYOND = 1.25
# Requested if the hard limit allows it: bursts of more than _BEYOND connections then get a response, too.
_AMPLE = 16_384


def room_for(connections: int) -> int:
    """Raise this process's limit on open files as needed for that number of connections, and higher if allowed.

    Returns the number of connections, or a lower one if the system (its hard limit) does not allow it. Raises
    `LeanformerError` if it allows none.
    """
    if sys.platform == "win32":  # sockets are not files there
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
            pass  # the actual limit may be lower than the reported one
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return connections
    room = int((soft - _BESIDES) / _BEYOND)
    if room < 1:
        raise LeanformerError(
            f"this process may open {soft} files, which leaves none for connections\n"
            f"  remedy: allow it more (`ulimit -n {needed}`)"
        )
    return room
