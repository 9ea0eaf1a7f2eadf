"""Which way of a peer is its best: a race on training texts, before anything that is shown is timed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import Any

from benchmarks.runtime.interleaved import Runner, Texts, in_turn

# After a first look, only those that were at most so many times as slow as the best of their peer run on.
NEAR = 1.3


def best_ways(
    ways: Mapping[str, Sequence[Runner]],
    texts: Texts,
    *,
    rounds: int,
    seconds: float,
    one_at_a_time: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> tuple[dict[str, Runner], list[dict[str, Any]]]:
    """Of each peer the fastest way by medians, and a row for each way: {peer, way, texts_per_second, rounds, chosen}.

    All ways of all peers run in turn, once; those near the best of their peer then run `rounds` rounds more, and these
    alone decide among them.
    """
    everyone = [runner for runners in ways.values() for runner in runners]
    first = in_turn(everyone, texts, rounds=1, seconds=seconds, one_at_a_time=one_at_a_time)
    seen = {name: median(rates.per_second) for name, rates in first.items()}
    near = {
        peer: [runner for runner in runners if NEAR * seen[runner.name] >= max(seen[each.name] for each in runners)]
        for peer, runners in ways.items()
    }
    undecided = [runner for runners in near.values() if len(runners) > 1 for runner in runners]
    decided = in_turn(undecided, texts, rounds=rounds, seconds=seconds, one_at_a_time=one_at_a_time)
    seen |= {name: median(rates.per_second) for name, rates in decided.items()}
    chosen = {peer: max(runners, key=lambda runner: seen[runner.name]) for peer, runners in near.items()}
    rows = [
        {
            "peer": peer, "way": way_of(runner, peer), "texts_per_second": seen[runner.name],
            "rounds": rounds if runner.name in decided else 1, "chosen": runner is chosen[peer],
        }
        for peer, runners in ways.items()
        for runner in runners
    ]  # fmt: skip
    for peer, runner in chosen.items():
        say(f"{peer}: {way_of(runner, peer)} ({seen[runner.name]:.0f}/s, {len(ways[peer])} ways)")
    return chosen, rows


def way_of(runner: Runner, peer: str) -> str:
    """What the name says beside the peer's."""
    return runner.name.removeprefix(f"{peer}: ").removeprefix(peer)


def under_the_name(chosen: Mapping[str, Runner]) -> list[Runner]:
    """The chosen ways under the names of their peers."""
    return [replace(runner, name=peer) for peer, runner in chosen.items()]
