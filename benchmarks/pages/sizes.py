"""Families and early exits: tables of docs/how-to/family.md and docs/how-to/exits.md, put there by readme.py."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import fill
from typing import Any

from leanformer.strict_json import read_json

_NOT_SETS = ("latency_model.json", "exits.json", "zip.json", "token_pruning.json")


def members(results: Path) -> str:
    """The members of each measured family beside their twins; a sentence where there is none."""
    found = [read_json(path) for path in sorted((results / "family").glob("*.json")) if path.name not in _NOT_SETS]
    if not found:
        return "Not measured yet: `python -m benchmarks.family.run trec`."
    about = (
        "Int8 on our engine, one thread; `times` is throughput over that of the teacher in PyTorch, one text at a "
        "time. `twin` is a student of the same shape that was distilled on its own; all twins together were given the "
        "CPU time of the one training, an equal share each. The difference is on test, with a paired 95 % interval."
    )
    head = (
        "set | layers kept | width kept | latency, ms (predicted) | times | MB | dev | test | twin on test | difference"
    )
    lines = [f"| {head} |", "|---" * 10 + "|"]
    lines += [_member(family["set"], member) for family in found for member in family["members"]]
    return "\n\n".join([_wrapped(about), "\n".join(lines), *(_wrapped(_about(family)) for family in found)])


def _member(name: str, member: Mapping[str, Any]) -> str:
    gain = f"{member['gain']:+.1f} ({member['low']:+.1f} to {member['high']:+.1f})"
    cells = [
        name, f"{member['depth']:g}", f"{member['width']:g}",
        f"{member['latency_ms']:.2f} ({member['predicted_ms']:.2f})", f"{member['speedup']:.1f}",
        f"{member['bytes'] / 1e6:.1f}",
        *(f"{member[key]:.1f}" for key in ("dev", "quality", "twin_quality")), gain,
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _about(family: Mapping[str, Any]) -> str:
    seeds = len(family["seeds"])
    return (
        f"{family['set']}: {seeds} seed{'s' * (seeds > 1)}, {family['n']['test']} test texts, {family['steps']} steps; "
        f"{family['cpu_seconds']:.0f} CPU seconds for the family, {family['twins_cpu_seconds']:.0f} for the twins; "
        f"the teacher has {family['teacher']['test']:.1f} on test. {_machine(family)}"
    )


def early_exits(results: Path) -> str:
    """Quality and speed by bound; a sentence where nothing has been measured."""
    path = results / "family" / "exits.json"
    if not path.is_file():
        return "Not measured yet: `python -m benchmarks.family.exits trec`."
    result = read_json(path)
    batches = list(result["sets"][0]["without"]["speed"])
    about = (
        "Int8 on the native engine, one thread. `times` is the engine's throughput over that of the same model without "
        f"exits, at {', '.join(batches)} texts a call, medians of interleaved rounds. Bounds are on answers that "
        "differ, calibrated on dev, so they are no promises; the bold one is the fastest that loses at most "
        f"{result['points']:g} points on dev."
    )
    lines = [f"| set | bound | dev | test | times, {' / '.join(batches)} |", "|---|---|---|---|---|"]
    for each in result["sets"]:
        without = each["without"]
        lines.append(f"| {each['set']} | without | {without['dev']:.1f} | {without['test']:.1f} | |")
        for row in each["rows"]:
            bound = f"{row['bound']:g} %"
            shown = f"**{bound}**" if row["bound"] == each["chosen"] else bound
            if "refused" in row:
                lines.append(f"| {each['set']} | {shown} | | | refused: too few rows to show it |")
                continue
            times = " / ".join(f"{row['speed'][batch]['engine']['speedup']:.2f}" for batch in batches)
            lines.append(f"| {each['set']} | {shown} | {row['dev']:.1f} | {row['test']:.1f} | {times} |")
    counts = [
        f"{each['set']}: {each['n']['dev']} dev and {each['n']['test']} test texts, one seed."
        for each in result["sets"]
    ]
    return "\n\n".join([_wrapped(about), "\n".join(lines), _wrapped(" ".join([*counts, _machine(result)]))])


def _machine(result: Mapping[str, Any]) -> str:
    machine, busy = result["machine"], result.get("load", {}).get("busy")
    sets = ", ".join(machine["instruction_sets"])
    return f"Machine: {machine['cpu']} ({sets})" + (", busy while it was measured." if busy else ".")


def _wrapped(text: str) -> str:
    return fill(text, 120, break_long_words=False, break_on_hyphens=False)
