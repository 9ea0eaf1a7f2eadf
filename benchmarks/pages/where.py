"""On which machines the figures of a table were measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any


def on(machine: Mapping[str, Any]) -> str:
    """A machine as `machine.fingerprint` has it, in words."""
    count = machine["threads"]
    return f"{count} thread{'s' * (count != 1)} of {machine['cpu']}"


def on_each(machines: Mapping[str, Mapping[str, Any]]) -> str:
    """The machine of most figures, and by name those of others: times of different machines cannot be compared.

    Args:
        machines: name of what was measured -> its machine; at least one.
    """
    named = {name: on(machine) for name, machine in machines.items()}
    usual = Counter(named.values()).most_common(1)[0][0]
    others: dict[str, list[str]] = {}
    for name, machine in named.items():
        if machine != usual:
            others.setdefault(machine, []).append(name)
    said = "; ".join(f"{' and '.join(names)}: {machine}" for machine, names in others.items())
    return usual + (f" ({said})" if said else "")
